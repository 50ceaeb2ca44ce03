import { randomInt } from 'node:crypto';
import { seeded, seededBytes, type Random } from '../soak/random.ts';
import { afterEveryFile } from './clean-up.ts';

/**
 * What chance decides in the tests comes from one seed, which each file that uses it prints. `TRAINYARD_TEST_SEED=N` repeats it; where `CI` is
 * set it is always the same. Names that nobody else may have (a UUID, a new key) are no chance of this kind.
 */
function chooseSeed(): number {
  const asked = process.env['TRAINYARD_TEST_SEED'] ?? '';
  if (asked === '') return process.env['CI'] === undefined ? randomInt(2 ** 31) : 1;
  const seed = Number(asked);
  if (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31) return seed;
  throw new Error(`TRAINYARD_TEST_SEED is "${asked}": give a whole number from 0 to 2147483647.`);
}

let chosen: number | null = null;

/** The seed. It is printed when it is first asked for. */
export function testSeed(): number {
  if (chosen !== null) return chosen;
  chosen = chooseSeed();
  // Vitest puts the name of the file above what is printed this way.
  // eslint-disable-next-line no-console
  console.info(`seed ${chosen} (TRAINYARD_TEST_SEED=${chosen} repeats it)`);
  return chosen;
}

/** Numbers of the seed; another `offset` has others. */
export const chances = (offset = 0): Random => seeded(testSeed() + offset);

let bytes: ((length: number) => Buffer<ArrayBuffer>) | null = null;

// Each file prints the seed and begins with it, whatever ran before in this worker.
afterEveryFile(() => {
  chosen = null;
  bytes = null;
});

/** Bytes of the seed, other ones with each call. */
export function randomBytes(length: number): Buffer<ArrayBuffer> {
  bytes ??= seededBytes(testSeed());
  return bytes(length);
}
