import { execFileSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { lstat, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip, deflateRawSync, gzipSync, crc32 } from 'node:zlib';
import tar from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unpack } from '../../src/transfer/unpack.ts';
import { download } from '../../src/transfer/download.ts';
import { IN, plant, refusal, startWorld, tree, value } from './world.ts';

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-unpack-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const fresh = (): string => join(folder, `out-${(count += 1)}`);

/** A tar of entries as they are, safe or not. */
async function tarOf(
  entries: readonly (Partial<tar.Header> & { name: string; bytes?: string })[],
): Promise<string> {
  const path = join(folder, `in-${(count += 1)}.tar`);
  const pack = tar.pack();
  const written = pipeline(pack as unknown as NodeJS.ReadableStream, createWriteStream(path));
  for (const { bytes = '', ...header } of entries) pack.entry(header, bytes);
  pack.finalize();
  await written;
  return path;
}

/** A zip of stored or deflated entries; `mode` as Unix has it. */
async function zipOf(
  entries: readonly { name: string; bytes: string; mode?: number; claims?: number }[],
): Promise<string> {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes, mode = 0o100644, claims } of entries) {
    const data = deflateRawSync(bytes);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(0x800, 2);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt32LE(crc32(bytes), 10);
    fields.writeUInt32LE(data.length, 14);
    fields.writeUInt32LE(claims ?? Buffer.byteLength(bytes), 18);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), data]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    const made = Buffer.from([20, 3]);
    directory.push(
      Buffer.concat([Buffer.from('PK\x01\x02'), made, fields, rest, Buffer.from(name)]),
    );
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  const path = join(folder, `in-${(count += 1)}.zip`);
  await writeFile(path, Buffer.concat([...parts, central, end]));
  return path;
}

const HOSTILE = ['../evil', '/abs', 'a/../../evil', 'a//b', './../evil', 'nul\u0001'];

describe('unpack', () => {
  it('unpacks what tar and its compressors make', async () => {
    const source = join(folder, 'source');
    await plant(source, { 'a.txt': 'alpha', 'deep/er/b': 'x'.repeat(300_000), empty: '' });
    await symlink('a.txt', join(source, 'link'));
    await mkdir(join(source, 'hollow'));
    for (const [format, flag] of [
      ['tar', ''],
      ['tar.gz', 'z'],
      ['tgz', 'z'],
      ['tar.bz2', 'j'],
    ] as const) {
      const path = join(folder, `made.${format}`);
      execFileSync('tar', [`-c${flag}f`, path, '-C', source, '.']);
      const out = fresh();
      const report = value(await unpack(path, format, out));
      expect(report).toMatchObject({ files: 4, bytes: 300_005, refused: [] });
      expect(await tree(out)).toEqual(await tree(source));
      expect((await lstat(join(out, 'link'))).isSymbolicLink()).toBe(true);
      expect((await readdir(out)).sort()).toEqual(['a.txt', 'deep', 'empty', 'hollow', 'link']);
    }
  });

  it('does not believe an entry of a zip whose bytes are not those of its checksum', async () => {
    const path = join(folder, 'stored.zip');
    execFileSync('python3', [
      '-c',
      `import zipfile; z = zipfile.ZipFile(${JSON.stringify(path)}, 'w')
z.writestr('a.txt', 'alpha'); z.writestr('b.txt', 'beta')`,
    ]);
    const bytes = await readFile(path);
    bytes[bytes.indexOf('beta')] = 0x42;
    await writeFile(path, bytes);
    const out = fresh();
    expect(refusal(await unpack(path, 'zip', out)).code).toBe('transfer.archive-broken');
    await expect(readdir(out)).rejects.toThrow();
  });

  it('unpacks a zip that Python makes', async () => {
    const path = join(folder, 'python.zip');
    execFileSync('python3', [
      '-c',
      `import zipfile; z = zipfile.ZipFile(${JSON.stringify(path)}, 'w', zipfile.ZIP_DEFLATED)
z.writestr('a.txt', 'alpha'); z.writestr('d/ünï.txt', 'x' * 100000); z.writestr('d/empty/', '')`,
    ]);
    const out = fresh();
    expect(value(await unpack(path, 'zip', out))).toMatchObject({ files: 2, refused: [] });
    expect(await readFile(join(out, 'd/ünï.txt'), 'utf8')).toBe('x'.repeat(100_000));
  });

  it.each(['tar', 'zip'] as const)(
    'keeps hostile names of a %s in, by refusing them',
    async (format) => {
      const names = [...HOSTILE, 'fine', 'fine/below', 'fine'];
      const path =
        format === 'tar'
          ? await tarOf(names.map((name) => ({ name, bytes: name })))
          : await zipOf(names.map((name) => ({ name, bytes: name })));
      const outer = fresh();
      const out = join(outer, 'in');
      await mkdir(outer);
      const report = value(await unpack(path, format, out));
      expect(report.refused.map(({ entry }) => entry)).toEqual([...HOSTILE, 'fine/below', 'fine']);
      expect(Object.keys(await tree(outer))).toEqual(['in/fine']);
    },
  );

  it('lets no link lead out, nor anything be written through one', async () => {
    const path = await tarOf([
      { name: 'd/e/keep', bytes: 'kept' },
      { name: 'out', type: 'symlink', linkname: '../..' },
      { name: 'abs', type: 'symlink', linkname: '/etc' },
      { name: 'good', type: 'symlink', linkname: 'd/e' },
      { name: 'good/through', bytes: 'x' },
      // Each stays inside by its own words; by way of the first the second does not.
      { name: 'd/e/root', type: 'symlink', linkname: '../..' },
      { name: 'd/e/sly', type: 'symlink', linkname: 'root/../..' },
      { name: 'hard', type: 'link', linkname: 'd/e/keep' },
      { name: 'harder', type: 'link', linkname: '../../../../etc/passwd' },
      { name: 'device', type: 'character-device', devmajor: 1, devminor: 3 },
      { name: 'pipe', type: 'fifo' },
    ]);
    const out = fresh();
    const report = value(await unpack(path, 'tar', out));
    expect(report.refused.map(({ entry }) => entry).sort()).toEqual([
      'abs',
      'd/e/sly',
      'device',
      'good',
      'harder',
      'out',
      'pipe',
    ]);
    expect(await readFile(join(out, 'hard'), 'utf8')).toBe('kept');
    expect(await readFile(join(out, 'good/through'), 'utf8')).toBe('x');
  });

  it('keeps links of a zip to the same rule', async () => {
    const path = await zipOf([
      { name: 'a', bytes: 'alpha' },
      { name: 'in', bytes: 'a', mode: 0o120777 },
      { name: 'out', bytes: '../x', mode: 0o120777 },
    ]);
    const out = fresh();
    expect(value(await unpack(path, 'zip', out)).refused).toMatchObject([{ entry: 'out' }]);
    expect(await readFile(join(out, 'in'), 'utf8')).toBe('alpha');
  });

  it('stops at its limits and leaves nothing', async () => {
    const many = await tarOf(Array.from({ length: 20 }, (_, index) => ({ name: `f${index}` })));
    const bomb = join(folder, 'bomb.tar.gz');
    const inner = await tarOf([{ name: 'zeros', bytes: '\0'.repeat(70 * 1024 * 1024) }]);
    await writeFile(bomb, gzipSync(await readFile(inner)));
    for (const [path, format, limits] of [
      [many, 'tar', { entries: 10 }],
      [inner, 'tar', { bytes: 1_000_000 }],
      [bomb, 'tar.gz', { ratio: 100 }],
    ] as const) {
      const out = fresh();
      expect(refusal(await unpack(path, format, out, { limits })).code).toBe(
        'transfer.archive-too-large',
      );
      expect(
        (await readdir(folder)).filter((name) => name.startsWith(out.slice(folder.length + 1))),
      ).toEqual([]);
    }
    await rm(inner);
  });

  it('stops bombs of every kind at its usual limits, with little memory', async () => {
    const gz = async (path: string, parts: AsyncIterable<Buffer>) => {
      await pipeline(parts, createGzip({ level: 1 }), createWriteStream(path));
      return path;
    };
    const header = (name: string, typeflag: string, size: number): Buffer => {
      const block = Buffer.alloc(512);
      block.write(name, 0, 'latin1');
      block.write('0000644\u00000000000\u00000000000\0', 100, 'latin1');
      block.write(
        `${size.toString(8).padStart(11, '0')}\u000000000000000\0        `,
        124,
        'latin1',
      );
      block.write(typeflag, 156, 'latin1');
      block.write('ustar\u000000', 257, 'latin1');
      const sum = block.reduce((total, byte) => total + byte, 0);
      block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
      return block;
    };
    const zeros = Buffer.alloc(1 << 20);
    async function* bomb(typeflag: string, mebibytes: number) {
      yield header('x', typeflag, mebibytes << 20);
      for (let at = 0; at < mebibytes; at += 1) yield zeros;
    }
    async function* nothing(mebibytes: number) {
      for (let at = 0; at < mebibytes; at += 1) yield zeros;
    }
    async function* refusals() {
      for (let at = 0; at < 101_000; at += 1) yield header('../x', '0', 0);
    }
    const size = 50;
    const cases = [
      await gz(join(folder, 'pax.tar.gz'), bomb('x', size)),
      await gz(join(folder, 'global.tar.gz'), bomb('g', size)),
      await gz(join(folder, 'longname.tar.gz'), bomb('L', size)),
      await gz(join(folder, 'longlink.tar.gz'), bomb('K', size)),
      await gz(join(folder, 'zeros.tar.gz'), nothing(size)),
      await gz(join(folder, 'refusals.tar.gz'), refusals()),
    ];
    const before = process.memoryUsage.rss();
    for (const path of cases) {
      const out = fresh();
      const stopped = refusal(await unpack(path, 'tar.gz', out));
      // A header of 50 MiB is taken for damage, endless small ones for too much.
      const wanted = /zeros|refusals/.test(path) ? 'too-large' : 'broken';
      expect([path, stopped.code]).toEqual([path, `transfer.archive-${wanted}`]);
      await expect(lstat(out)).rejects.toThrow('ENOENT');
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(150 * 1024 * 1024);
    // A zip of one file that is mostly air; a tar.gz of such is above.
    const zip = await zipOf([{ name: 'zeros', bytes: '\0'.repeat(70 * 1024 * 1024) }]);
    expect(refusal(await unpack(zip, 'zip', fresh(), { limits: { ratio: 100 } })).code).toBe(
      'transfer.archive-too-large',
    );
  }, 60_000);

  it('takes a link for no folder, whatever comes first', async () => {
    const link = (name: string, linkname: string) => ({ name, type: 'symlink', linkname }) as const;
    const evil = { name: 'd/evil', bytes: 'x' };
    for (const [entries, files] of [
      [[link('d', '..'), evil], ['in/d/evil']],
      [[link('d', '/tmp'), evil, { name: 'd', type: 'directory' as const }], ['in/d/evil']],
      [
        [link('a/b', '../../..'), link('a', 'b'), link('loop', 'loop'), link('gone', 'nowhere')],
        [],
      ],
    ] as const) {
      const outer = fresh();
      await mkdir(outer);
      const out = join(outer, 'in');
      value(await unpack(await tarOf(entries), 'tar', out));
      expect(Object.keys(await tree(outer))).toEqual(files);
      expect(await readdir(outer)).toEqual(['in']);
    }
  });

  it('says that a damaged archive is damaged', async () => {
    const good = gzipSync(await readFile(await tarOf([{ name: 'a', bytes: 'x'.repeat(100_000) }])));
    const cases = [
      ['cut.tar.gz', 'tar.gz', good.subarray(0, good.length - 20)],
      ['not.tar.gz', 'tar.gz', Buffer.from('nothing of the sort')],
      ['not.zip', 'zip', Buffer.from('nothing of the sort')],
      ['not.tar.bz2', 'tar.bz2', Buffer.from('nothing of the sort')],
      ['lies.zip', 'zip', await readFile(await zipOf([{ name: 'a', bytes: 'abc', claims: 2 }]))],
    ] as const;
    for (const [name, format, bytes] of cases) {
      await writeFile(join(folder, name), bytes);
      const out = fresh();
      const code = refusal(await unpack(join(folder, name), format, out)).code;
      expect([name, code]).toEqual([name, 'transfer.archive-broken']);
      await expect(lstat(out)).rejects.toThrow('ENOENT');
    }
  });
});

describe('an archive from a bucket', () => {
  it('is fetched, unpacked, removed, and not fetched again', async () => {
    const world = await startWorld();
    try {
      const path = await tarOf([
        { name: 'a', bytes: 'alpha' },
        { name: '../evil', bytes: 'x' },
      ]);
      await world.put(IN, 'data/set.tar', await readFile(path));
      const options = {
        endpoints: world.endpoints,
        tokens: await world.tokens('reader', 'read'),
        bucket: IN,
        target: { kind: 'archive', object: 'data/set.tar', format: 'tar' },
        destination: join(world.folder, 'to'),
        journal: join(world.folder, 'journal'),
      } as const;
      const report = value(await download(options));
      expect(report).toMatchObject({ objects: 1, bytes: 5, skipped: 0, failed: [] });
      expect(report.refused).toMatchObject([{ object: 'data/set.tar: ../evil' }]);
      expect(Object.keys(await tree(options.destination))).toEqual(['a']);
      expect(value(await download(options))).toMatchObject({ objects: 1, skipped: 1 });
      expect(Object.keys(await tree(options.journal))).not.toContain('archive/set.tar');
    } finally {
      await world.stop();
    }
  });
});
