import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArchiveFormat } from '../../src/shared/job-spec.ts';
import { unpack, type UnpackOptions } from '../../src/transfer/unpack.ts';
import { plant, refusal, tree, value } from './world.ts';

/** Archives that are made to fill a disk, memory or time, by the tools that make archives. */
let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-bombs-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Unpacks what has to be refused; the words of the refusal. Nothing is left of it, neither on the disk nor in memory. */
async function stopped(
  archive: string,
  format: ArchiveFormat,
  limits: UnpackOptions['limits'] = {},
): Promise<readonly [string, string]> {
  const out = join(folder, `out-${(count += 1)}`);
  const before = process.memoryUsage.rss();
  const { code, message } = refusal(await unpack(archive, format, out, { limits }));
  expect((await readdir(folder)).filter((name) => name.startsWith('out-'))).toEqual([]);
  expect(process.memoryUsage.rss() - before).toBeLessThan(400 * 1024 * 1024);
  return [code, message];
}

const python = (code: string): string =>
  execFileSync('python3', ['-c', code], { encoding: 'utf8' });

/** A header of a tar: of a name, a kind and a size, with a correct sum. */
function header(name: string, typeflag: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, 'latin1');
  block.write('0000644\u00000000000\u00000000000\0', 100, 'latin1');
  block.write(`${size.toString(8).padStart(11, '0')}\u000000000000000\0        `, 124, 'latin1');
  block.write(typeflag, 156, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** The size of the next entry, as a pax header tells it: any number. */
function paxSize(size: string): Buffer {
  const text = ` size=${size}\n`;
  let length = text.length + 1;
  while (`${length}${text}`.length !== length) length += 1;
  const record = Buffer.alloc(512);
  record.write(`${length}${text}`, 'latin1');
  return Buffer.concat([header('pax', 'x', length), record]);
}

describe('an archive made to do harm', () => {
  it('a zip whose entries overlap is stopped before it unpacks to many times its size', async () => {
    // One piece of 4 MiB, packed but little, which 400 names share: 1.6 GiB from 4 MiB, a ratio that no limit would meet.
    const path = join(folder, 'overlap.zip');
    python(`
import os, struct, zlib
raw = os.urandom(4 << 20); crc = zlib.crc32(raw)
d = zlib.compressobj(1, zlib.DEFLATED, -15); data = d.compress(raw) + d.flush()
def fields(name): return struct.pack('<HHHHHIIIHH', 20, 0x800, 8, 0, 0, crc, len(data), len(raw), len(name), 0)
with open(${JSON.stringify(path)}, 'wb') as f:
    f.write(b'PK\\x03\\x04' + fields(b'f000') + b'f000' + data)
    at = f.tell()
    for i in range(400):
        name = b'f%03d' % i
        f.write(b'PK\\x01\\x02' + struct.pack('<H', 20) + fields(name) + struct.pack('<HHHII', 0, 0, 0, 0o100644 << 16, 0) + name)
    size = f.tell() - at
    f.write(b'PK\\x05\\x06' + struct.pack('<HHHHIIH', 0, 0, 400, 400, size, at, 0))
`);
    const [code, message] = await stopped(path, 'zip');
    expect(code).toBe('transfer.archive-too-large');
    expect(message).toContain('overlap');
  });

  it('a zip of many tiny files, one of much air and one of too many bytes meet the limits on count, ratio and size', async () => {
    const path = join(folder, 'python.zip');
    python(`
import zipfile
with zipfile.ZipFile(${JSON.stringify(path)}, 'w', zipfile.ZIP_DEFLATED) as z:
    for i in range(30): z.writestr('f%d' % i, '')
    z.writestr('air', bytes(100 << 20))
`);
    expect((await stopped(path, 'zip', { entries: 30 }))[1]).toContain('30 entries');
    expect((await stopped(path, 'zip', { ratio: 500 }))[1]).toContain('500 times');
    expect((await stopped(path, 'zip', { bytes: 1 << 20 }))[1]).toContain('1.0 MiB');
  });

  it('a tar.bz2 bomb is stopped at the usual limits, as a file and as something that is no file', async () => {
    const air = join(folder, 'air');
    await writeFile(air, '');
    await truncate(air, 200 << 20);
    const asFile = join(folder, 'file.tar.bz2');
    execFileSync('tar', ['-cjf', asFile, '-C', folder, 'air']);
    expect((await readFile(asFile)).length).toBeLessThan(2_000);
    const [code, message] = await stopped(asFile, 'tar.bz2');
    expect(code).toBe('transfer.archive-too-large');
    expect(message).toContain('times its size');
    // Nothing of these would be written: they would cost time alone.
    for (const [name, typeflag] of [
      ['device', '3'],
      ['unknown', 'Z'],
    ] as const) {
      const plain = join(folder, `${name}.tar`);
      await writeFile(plain, Buffer.concat([paxSize(String(1e15)), header(name, typeflag, 0)]));
      execFileSync('sh', ['-c', `cat '${plain}' '${air}' | bzip2 > '${plain}.bz2'`]);
      const [reason, words] = await stopped(`${plain}.bz2`, 'tar.bz2');
      expect([name, reason]).toEqual([name, 'transfer.archive-too-large']);
      expect(words).toContain('times its size');
    }
  }, 60_000);

  it('a sound tar.bz2 of much air arrives, a block of which is larger than any header', async () => {
    const air = join(folder, 'sound');
    await writeFile(air, '');
    await truncate(air, 60 << 20);
    const path = join(folder, 'sound.tar.bz2');
    execFileSync('tar', ['-cjf', path, '-C', folder, 'sound']);
    const out = join(folder, 'sound-out');
    expect(value(await unpack(path, 'tar.bz2', out))).toMatchObject({ files: 1, bytes: 60 << 20 });
    await rm(out, { recursive: true });
  }, 60_000);

  it('a tar that claims a huge size in a pax header is damaged, or stopped, and reserves nothing', async () => {
    for (const [size, wanted] of [
      ['9007199254740992', 'transfer.archive-broken'],
      ['1e400', 'transfer.archive-broken'],
      ['-5', 'transfer.archive-broken'],
      ['99999999999999999999999999', 'transfer.archive-broken'],
    ] as const) {
      const path = join(folder, 'pax.tar');
      const bytes = [paxSize(size), header('big', '0', 3), Buffer.from('abc'), Buffer.alloc(509)];
      await writeFile(path, Buffer.concat([...bytes, header('next', '0', 0), Buffer.alloc(1024)]));
      expect([size, (await stopped(path, 'tar'))[0]]).toEqual([size, wanted]);
    }
    // The same in the field for numbers that need more than eleven digits.
    const path = join(folder, 'base256.tar');
    const block = header('big', '0', 0);
    Buffer.from('800000000fffffffffffffff', 'hex').copy(block, 124);
    block.write('        ', 148, 'latin1');
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    await writeFile(path, Buffer.concat([block, Buffer.alloc(2048, 'x')]));
    expect((await stopped(path, 'tar'))[0]).toBe('transfer.archive-broken');
  });

  it.each(['gnu', 'posix'])(
    'sparse files of the %s format are refused by name, and the rest arrives',
    async (kind) => {
      const source = join(folder, `source-${kind}`);
      await plant(source, { 'a.txt': 'alpha', 'z.txt': 'omega' });
      await writeFile(join(source, 'holes'), 'begin');
      await truncate(join(source, 'holes'), 3 * 2 ** 30);
      const path = join(folder, `${kind}.tar`);
      execFileSync('tar', [
        `--format=${kind}`,
        '-S',
        '-cf',
        path,
        '-C',
        source,
        'a.txt',
        'holes',
        'z.txt',
      ]);
      const out = join(folder, `sparse-${kind}`);
      await mkdir(out);
      const report = value(await unpack(path, 'tar', out));
      expect(report.refused).toMatchObject([{ entry: 'holes' }]);
      expect(report.refused[0]?.reason).toContain('sparse');
      expect(Object.keys(await tree(out)).sort()).toEqual(['a.txt', 'z.txt']);
      await rm(out, { recursive: true });
    },
  );
});
