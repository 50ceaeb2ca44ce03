/** Numbers as people read them. Pure. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Binary multiples with three digits: `0 B`, `999 B`, `1.46 KiB`, `12.3 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? 'B'}`;
}

/** A part of a whole, the unit once where it is the same: `8.20 of 12.4 GiB`, `512 KiB of 12.4 GiB`. */
export function formatPart(part: number, whole: number): string {
  const [amount = '', unit] = formatBytes(part).split(' ');
  const total = formatBytes(whole);
  return total.endsWith(` ${unit}`) ? `${amount} of ${total}` : `${amount} ${unit} of ${total}`;
}

/** `1,234,567`. By hand: the system's own way loads its locales at first, which takes the window's start a fiftieth of a second. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `, 12 of them there already`, `, all there already`; empty where none was. */
export function skippedText(objects: number, skipped: number): string {
  if (skipped === 0) return '';
  return skipped === objects
    ? ', all there already'
    : `, ${formatCount(skipped)} of them there already`;
}

/** `1 object`, `2 objects`. */
export function plural(count: number, word: string): string {
  return `${formatCount(count)} ${word}${count === 1 ? '' : 's'}`;
}
