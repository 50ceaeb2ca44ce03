import { KEYS_FORBIDDEN, WHERE_KEYS_ARE_MADE } from './make-a-key.ts';

/** How old a key is, by the time it was taken in: when Google made it is not in its file. Pure. */

const DAY = 86_400_000;
/** Google advises to replace keys of service accounts at least this often, in days. */
export const REPLACE_AFTER_DAYS = 90;

/** Whole days since a time, ISO 8601; never below 0. `now`: milliseconds since 1970. */
export const daysSince = (time: string, now: number): number =>
  Math.floor(Math.max(0, now - Date.parse(time)) / DAY);

export const wantsReplacing = (addedAt: string, now: number): boolean =>
  daysSince(addedAt, now) >= REPLACE_AFTER_DAYS;

/** How a key is replaced at Google; the first and the last step are the user's there. */
export const HOW_TO_REPLACE = [
  `${WHERE_KEYS_ARE_MADE}. ${KEYS_FORBIDDEN}`,
  'Put it in the place of this one here: jobs that name it go on.',
  'Once no job holds the earlier key itself, delete that one in the same list: until then it stays valid.',
] as const;
