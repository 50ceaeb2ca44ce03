/** The time, so that what depends on it can be tested. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** ISO 8601, UTC, with milliseconds. */
export const isoTime = (clock: Clock): string => new Date(clock.now()).toISOString();

export { sleep } from '../../google/sleep.ts';
