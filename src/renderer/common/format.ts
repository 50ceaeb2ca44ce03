/** Numbers and times as the window writes them. Pure; `locale` and time zone are the system's. */

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

export const formatRate = (bytesPerSecond: number): string => `${formatBytes(bytesPerSecond)}/s`;

export const formatCount = (count: number): string => count.toLocaleString('en-US');

/** Milliseconds as its two largest units: `8 s`, `1 m 12 s`, `3 h 5 m`, `2 d 4 h`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} m`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `14:05` today, `21 Nov 14:05` this year, `21 Nov 2025` before; empty for what is no time. */
export function formatTime(iso: string, now: number): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return '';
  const today = new Date(now);
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}`;
  if (time.toDateString() === today.toDateString()) return clock;
  const day = `${time.getDate()} ${time.toLocaleString('en-US', { month: 'short' })}`;
  return time.getFullYear() === today.getFullYear()
    ? `${day} ${clock}`
    : `${day} ${time.getFullYear()}`;
}
