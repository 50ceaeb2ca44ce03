import type { KeyCandidate } from '../../../shared/ipc/keys.ts';
import { formatCount } from '../../common/format.ts';

/** How keys are put into words. Pure. */

const DAY = 86_400_000;

const plural = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? '' : 's'}`;

/** Milliseconds as the one unit that people count ages in: `today`, `3 days`, `5 months`, `2 years`. */
export function formatAge(milliseconds: number): string {
  const days = Math.floor(Math.max(0, milliseconds) / DAY);
  if (days === 0) return 'today';
  if (days < 60) return plural(days, 'day');
  if (days < 730) return plural(Math.floor(days / 30.44), 'month');
  return plural(Math.floor(days / 365.25), 'year');
}

/** Hexadecimal digits in groups of four, the way they are compared by eye. */
export const groupDigits = (hexadecimal: string): string =>
  hexadecimal.match(/.{1,4}/g)?.join(' ') ?? '';

/** What was checked of a key file before its card is shown. */
export function checksOf(candidate: Pick<KeyCandidate, 'bits' | 'tokenUri'>): readonly string[] {
  return [
    'A service-account key, complete field by field',
    `Its private key is RSA of ${formatCount(candidate.bits)} bits, and what it signs verifies`,
    candidate.tokenUri.startsWith('https://')
      ? 'What it signs goes to Google and nowhere else'
      : `What it signs goes to the emulator in force, ${candidate.tokenUri}`,
  ];
}

/** The name itself, or the first with a number that nobody has. */
export function freeName(name: string, taken: readonly string[]): string {
  if (!taken.includes(name)) return name;
  for (let number = 2; ; number += 1)
    if (!taken.includes(`${name}-${number}`)) return `${name}-${number}`;
}

export const VAULT_NAMES = { keychain: 'keychain', passphrase: 'passphrase vault' } as const;
