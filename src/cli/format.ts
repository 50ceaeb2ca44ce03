import { DISTURBS_A_TERMINAL } from '../shared/unseen.ts';

/** Numbers and times as the terminal shows them. */

export { formatBytes, formatCount, plural, skippedText } from '../shared/format.ts';

/** `12 s`, `3 min 05 s`, `2 h 07 min`, `4 d 3 h`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  if (whole < 86_400)
    return `${Math.floor(whole / 3_600)} h ${pad(Math.floor((whole % 3_600) / 60))} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3_600)} h`;
}

const pad = (value: number): string => String(value).padStart(2, '0');

/** `2026-11-23 14:05:09` in local time; the text itself where it is no time. */
export function formatTime(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  const date = `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())}`;
  return `${date} ${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`;
}

/**
 * Text from outside (object names, log lines in messages) made safe for a terminal: control characters,
 * which could move the cursor or hide text, become `\xNN`.
 */
export function printable(text: string): string {
  return text.replace(DISTURBS_A_TERMINAL, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** A word for `sh`: quoted only where it must be. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
