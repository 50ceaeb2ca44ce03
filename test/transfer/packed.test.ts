import { mkdir, readFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codingsOf, packedLines } from '../../src/shared/codings.ts';
import { download, type DownloadOptions } from '../../src/transfer/download.ts';
import { downloadObject } from '../../src/transfer/download-object.ts';
import { UNPACKED_FORMS } from '../../src/transfer/unpacked-forms.ts';
import { randomBytes } from '../support/random.ts';
import { IN, refusal, startWorld, value, type World } from './world.ts';

describe('what a Content-Encoding says', () => {
  it.each([
    [null, 0, null],
    ['', 0, null],
    ['identity', 0, null],
    ['gzip', 1, null],
    [' GZip ', 1, null],
    ['x-gzip', 1, null],
    ['gzip,gzip', 2, null],
    ['gzip, x-gzip, identity', 2, null],
    ['aws-chunked,gzip', 1, null],
    ['br', 0, 'br'],
    ['zstd', 0, 'zstd'],
    ['deflate, gzip', 0, 'deflate, gzip'],
    ['gzip,gzip,gzip,gzip,gzip', 0, 'gzip,gzip,gzip,gzip,gzip'],
  ])('%j: %i layers of gzip, otherwise %j', (text, layers, other) => {
    expect(codingsOf(text)).toEqual({ layers, other });
  });
});

const csv = 'x,y\n' + '1,2\n'.repeat(5_000);
const large = randomBytes(9 * 1024 * 1024);
let world: World;
let count = 0;

async function tarOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) tar.entry({ name }, text);
  tar.finalize();
  return buffer(tar);
}

beforeAll(async () => {
  world = await startWorld();
  const put = (name: string, bytes: Uint8Array | string, encoding: string) =>
    world.put(IN, name, bytes, `&contentEncoding=${encodeURIComponent(encoding)}`);
  const packed = gzipSync(csv);
  await put('data/train.csv', packed, 'gzip');
  await put('data/twice.csv', gzipSync(packed), 'gzip, gzip');
  await put('data/members.csv', Buffer.concat([packed, packed]), 'x-gzip');
  await put('data/plain.csv', csv, 'gzip');
  await put('data/cut.csv', packed.subarray(0, packed.length - 9), 'gzip');
  await put('data/more.csv', Buffer.concat([packed, Buffer.from('more')]), 'gzip');
  await put('data/empty.csv', '', 'gzip');
  await put('data/other.csv', brotliCompressSync(csv), 'br');
  await put('data/large.bin', gzipSync(large, { level: 1 }), 'gzip');
  const tar = await tarOf({ 'a.txt': 'alpha' });
  await put('data/archives/tar.tar', gzipSync(tar), 'gzip');
  await put('data/archives/once.tar.gz', gzipSync(tar), 'gzip');
  await put('data/archives/twice.tgz', gzipSync(gzipSync(tar)), 'gzip');
  await put(
    'data/bombs/bomb.bin',
    gzipSync(gzipSync(Buffer.alloc(80 << 20), { level: 1 })),
    'gzip,gzip',
  );
}, 60_000);
afterAll(() => world.stop());

async function options(changes: Partial<DownloadOptions> = {}): Promise<DownloadOptions> {
  count += 1;
  return {
    endpoints: world.endpoints,
    tokens: await world.tokens('reader', 'read'),
    bucket: IN,
    target: { kind: 'folder', prefix: 'data/' },
    destination: join(world.folder, `to-${count}`),
    journal: join(world.folder, `journal-${count}`),
    patienceMs: 10_000,
    ...changes,
  };
}

describe('objects that are stored packed', () => {
  it('arrive unpacked, verified; what only claims to be gzip, and other codings, as they are stored, told', async () => {
    const wanted = await options();
    const report = value(await download(wanted));
    const read = (name: string) => readFile(join(wanted.destination, name));
    expect(report.failed.map(({ object }) => object)).toEqual(['data/bombs/bomb.bin']);
    expect((await read('train.csv')).toString()).toBe(csv);
    expect((await read('twice.csv')).toString()).toBe(csv);
    expect((await read('members.csv')).toString()).toBe(csv + csv);
    expect((await read('plain.csv')).toString()).toBe(csv);
    for (const name of ['cut.csv', 'more.csv', 'other.csv'])
      expect(await read(name), name).toEqual(await stored(`data/${name}`));
    expect((await read('empty.csv')).length).toBe(0);
    expect((await read('large.bin')).equals(large)).toBe(true);
    const how = Object.fromEntries(report.packed.map(({ object, as }) => [object.slice(5), as]));
    expect(how).toMatchObject({
      'train.csv': 'unpacked',
      'twice.csv': 'unpacked',
      'members.csv': 'unpacked',
      'plain.csv': 'not-gzip',
      'cut.csv': 'not-gzip',
      'more.csv': 'not-gzip',
      'other.csv': 'other-coding',
      'large.bin': 'unpacked',
    });
    expect(packedLines(report.packed, 2)).toHaveLength(4);
    // What is told is what lies on the disk, and nothing incomplete stays.
    const names = (await readdir(wanted.destination, { recursive: true })).sort();
    expect(names.filter((name) => name.includes('partial'))).toEqual([]);
    let bytes = 0;
    for (const name of names) {
      const status = await stat(join(wanted.destination, name));
      if (status.isFile()) bytes += status.size;
    }
    expect(report.bytes).toBe(bytes);

    // Again, by the notes of both forms alone: nothing is fetched but what failed.
    await rm(join(wanted.journal, 'download.jsonl'));
    const again = value(await download(wanted));
    expect(again).toMatchObject({ objects: report.objects, skipped: report.objects, bytes });
    expect(again.failed).toHaveLength(1);
  });

  it('stay packed where that is asked for, and are not taken for the unpacked ones', async () => {
    const target = { kind: 'object', object: 'data/train.csv' } as const;
    const wanted = await options({ target, keepCompressed: true });
    const report = value(await download(wanted));
    const file = join(wanted.destination, 'train.csv');
    expect(await readFile(file)).toEqual(await stored('data/train.csv'));
    expect(report.packed).toEqual([
      { object: 'data/train.csv', contentEncoding: 'gzip', as: 'kept' },
    ]);
    expect(packedLines(report.packed, 9)).toEqual([]);
    const { destination } = wanted;
    const unpacked = value(await download(await options({ target, destination })));
    expect(unpacked.failed[0]?.problem).toMatchObject({ code: 'transfer.exists' });
    expect(unpacked.failed[0]?.problem.message).toContain('still packed');
  });

  it('come as one file, too, and a second copy finds it there', async () => {
    const common = await options();
    const { destination } = common;
    await mkdir(destination);
    const wanted = { ...common, object: 'data/train.csv', file: join(destination, 't.csv') };
    expect(value(await downloadObject(wanted))).toMatchObject({
      packed: 'unpacked',
      bytes: csv.length,
    });
    expect(await readFile(wanted.file, 'utf8')).toBe(csv);
    expect(await readdir(wanted.journal)).toEqual([UNPACKED_FORMS]);
    expect(value(await downloadObject(wanted))).toMatchObject({ alreadyThere: true });
    expect(
      value(
        await downloadObject({ ...wanted, object: 'data/plain.csv', file: join(destination, 'p') }),
      ),
    ).toMatchObject({ packed: 'not-gzip' });
  });

  it.each(['tar.tar', 'once.tar.gz', 'twice.tgz'])('an archive: %s', async (name) => {
    const format = name === 'tar.tar' ? 'tar' : name === 'twice.tgz' ? 'tgz' : 'tar.gz';
    const target = { kind: 'archive', object: `data/archives/${name}`, format } as const;
    // What is in it counts: it comes out although packed objects stay packed.
    const wanted = await options({ target, keepCompressed: true });
    expect(value(await download(wanted))).toMatchObject({ objects: 1, bytes: 5, failed: [] });
    expect(await readFile(join(wanted.destination, 'a.txt'), 'utf8')).toBe('alpha');
  });

  it('a bomb ends at its limit, leaves nothing, and says what to do', async () => {
    const common = await options();
    const { destination } = common;
    const file = join(destination, 'bomb.bin');
    const problem = refusal(
      await downloadObject({ ...common, object: 'data/bombs/bomb.bin', file }),
    );
    expect(problem.code).toBe('transfer.unpacked-too-large');
    expect(problem.hint).toContain('--keep-compressed');
    expect(await readdir(destination)).toEqual([]);
  });
});

/** An object's stored bytes. */
async function stored(name: string): Promise<Buffer> {
  const address = `${world.emulator.url}/storage/v1/b/${IN}/o/${encodeURIComponent(name)}?alt=media`;
  const { body } = await world.curl('-H', 'Accept-Encoding: gzip', address);
  return body;
}
