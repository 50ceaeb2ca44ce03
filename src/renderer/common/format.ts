/** Numbers and times as the window writes them. Pure; `locale` and time zone are the system's. */

import { formatBytes } from '../../shared/format.ts';

export { formatBytes, formatCount, formatPart, plural, skippedText } from '../../shared/format.ts';

export const formatRate = (bytesPerSecond: number): string => `${formatBytes(bytesPerSecond)}/s`;

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

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

const two = (value: number): string => String(value).padStart(2, '0');

/** `14:05` today, `21 Nov 14:05` this year, `21 Nov 2025` before; empty for what is no time. */
export function formatTime(iso: string, now: number): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return '';
  const today = new Date(now);
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}`;
  const isThisYear = time.getFullYear() === today.getFullYear();
  if (isThisYear && time.getMonth() === today.getMonth() && time.getDate() === today.getDate())
    return clock;
  const day = `${time.getDate()} ${MONTHS[time.getMonth()] ?? ''}`;
  return isThisYear ? `${day} ${clock}` : `${day} ${time.getFullYear()}`;
}
