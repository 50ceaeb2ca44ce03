import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bunzip2 } from '../../src/transfer/bunzip2.ts';
import { seededBytes } from '../soak/random.ts';
import { randomBytes } from '../support/random.ts';

const pack = (bytes: Uint8Array, level = 9): Buffer =>
  execFileSync('bzip2', [`-${level}`, '-c'], { input: bytes, maxBuffer: 2 ** 28 });

/** Unpacked, fed in parts of a size. */
async function unpacked(packed: Uint8Array, part = 65_536): Promise<Buffer> {
  async function* parts() {
    for (let at = 0; at < packed.length; at += part)
      yield Buffer.from(packed.subarray(at, at + part));
  }
  const pieces: Buffer[] = [];
  for await (const piece of bunzip2(parts())) {
    expect(piece.length).toBeLessThanOrEqual(65_536);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

const sum = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('bzip2', () => {
  it('what bzip2 packs comes back, whatever it is and however it is cut', async () => {
    const words = Buffer.from('the quick brown fox\n'.repeat(60_000));
    const runs = Buffer.concat(
      Array.from({ length: 3_000 }, (_, index) => Buffer.alloc((index * 7) % 530, index % 5)),
    );
    const samples: readonly (readonly [Buffer, number])[] = [
      [Buffer.alloc(0), 9],
      [Buffer.from('a'), 1],
      ...[3, 4, 5, 6, 258, 259, 260, 519, 1_000_000].map(
        (length) => [Buffer.alloc(length, 7), 9] as const,
      ),
      [randomBytes(1_500_000), 9],
      [Buffer.from(Array.from({ length: 256 * 40 }, (_, index) => index % 256)), 1],
      [words, 1],
      [words, 9],
      [runs, 2],
    ];
    for (const [sample, level] of samples) {
      const packed = pack(sample, level);
      for (const part of [packed.length, 1_000])
        expect(sum(await unpacked(packed, part)), `${sample.length} bytes`).toBe(sum(sample));
    }
    const packed = pack(words);
    expect(
      sum(await unpacked(packed.subarray(0, packed.length - 3), 1).catch(() => Buffer.from('cut'))),
    ).toBe(sum(Buffer.from('cut')));
    const two = Buffer.concat([pack(words), pack(runs), Buffer.alloc(512)]);
    expect(sum(await unpacked(two))).toBe(sum(Buffer.concat([words, runs])));
  }, 60_000);

  it('each damaged byte is noticed', async () => {
    // Always the same one: in another a bit may stand where it means nothing.
    const sample = Buffer.concat([seededBytes(1)(2_000), Buffer.alloc(5_000, 1)]);
    const packed = pack(sample, 1);
    expect(packed.length).toBeGreaterThan(2_000);
    const unnoticed: number[] = [];
    for (let at = 0; at < packed.length; at += 11) {
      const damaged = Buffer.from(packed);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      await unpacked(damaged).then(
        () => unnoticed.push(at),
        () => undefined,
      );
    }
    expect(unnoticed).toEqual([]);
  });
});
