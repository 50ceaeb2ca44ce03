import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSecretSearch, WINDOW } from '../../src/cli/demo/secret-search.ts';
import { randomBytes } from '../support/random.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const der = privateKey.export({ type: 'pkcs8', format: 'der' });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const search = createSecretSearch(der);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'trainyard-search-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Noise with the piece at a place that is a multiple of nothing. */
function hidden(piece: string | Uint8Array, before: number): Buffer {
  return Buffer.concat([randomBytes(before), Buffer.from(piece), randomBytes(33)]);
}

describe('the search for a private key', () => {
  it('finds every window, raw, hexadecimal and base64 in three alignments', () => {
    for (let at = 0; at + WINDOW <= der.length; at += 1) {
      const window = der.subarray(at, at + WINDOW);
      const before = at % 37;
      expect(search.inBytes(hidden(window, before)), `raw at ${at}`).not.toBeNull();
      expect(search.inBytes(hidden(window.toString('hex'), before)), `hex at ${at}`).not.toBeNull();
      expect(
        search.inBytes(hidden(window.toString('hex').toUpperCase(), before)),
        `HEX at ${at}`,
      ).not.toBeNull();
      for (const shift of [0, 1, 2]) {
        const encoded = Buffer.concat([randomBytes(shift), window, randomBytes(3)]);
        for (const kind of ['base64', 'base64url'] as const)
          expect(
            search.inBytes(hidden(encoded.toString(kind), before)),
            `${kind} at ${at}, alignment ${shift}`,
          ).not.toBeNull();
      }
    }
  });

  it('finds each line of the PEM but a last one that is too short to hold a window', () => {
    // 20 bytes are 27 characters of base64; the padding of the last line holds nothing.
    const lines = pem
      .split('\n')
      .filter((line) => line.replaceAll('=', '').length >= 27 && !line.startsWith('-----'));
    expect(lines.length).toBeGreaterThan(20);
    for (const line of lines) expect(search.inBytes(hidden(line, 5)), line).not.toBeNull();
  });

  it('finds nothing in noise, in another key, nor in a piece one byte short', () => {
    expect(search.inBytes(randomBytes(1 << 20))).toBeNull();
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const secretPart = other.export({ type: 'pkcs8', format: 'der' }).subarray(40);
    expect(search.inBytes(secretPart)).toBeNull();
    expect(search.inBytes(Buffer.from(secretPart.toString('base64')))).toBeNull();
    const short = Buffer.concat([
      Buffer.alloc(16),
      der.subarray(200, 200 + WINDOW - 1),
      Buffer.alloc(64),
    ]);
    short[16 + WINDOW - 1] = (der[200 + WINDOW - 1] ?? 0) ^ 1;
    short[15] = (der[199] ?? 0) ^ 1;
    expect(search.inBytes(short)).toBeNull();
  });

  it('finds a piece across the border of two reads, and in a tree', async () => {
    const big = path.join(folder, 'deep', 'big.bin');
    await mkdir(path.dirname(big), { recursive: true });
    const border = 4 << 20;
    const bytes = Buffer.concat([
      Buffer.alloc(border + 50, (der[299] ?? 0) ^ 1),
      der.subarray(300, 300 + WINDOW),
      // Not the byte that follows in the key.
      Buffer.alloc(1000, (der[300 + WINDOW] ?? 0) ^ 1),
    ]);
    await writeFile(big, bytes);
    await writeFile(path.join(folder, 'clean.txt'), 'nothing here');
    await symlink('/does/not/exist', path.join(folder, 'link'));
    const match = await search.inFile(big);
    expect(match).toMatchObject({ encoding: 'raw bytes', offset: border + 50, length: WINDOW });
    const tree = await search.inTree(folder);
    expect(tree.files).toBe(2);
    expect(tree.bytes).toBe(bytes.length + 12);
    expect(tree.found.map(({ file }) => file)).toEqual([big]);
    for (let shift = 1; shift < 90; shift += 7) {
      await writeFile(big, bytes.subarray(shift));
      expect((await search.inFile(big))?.offset, `shift ${shift}`).toBe(border + 50 - shift);
    }
  });

  it('holds nothing against a file that is gone', async () => {
    expect(await search.inFile(path.join(folder, 'no-such-file'))).toBeNull();
    expect((await search.inTree(path.join(folder, 'no-such-folder'))).files).toBe(0);
  });
});
