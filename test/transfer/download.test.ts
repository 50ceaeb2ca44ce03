import { readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { download, type DownloadOptions } from '../../src/transfer/download.ts';
import { downloadObject } from '../../src/transfer/download-object.ts';
import { partialId, partialPath } from '../../src/transfer/partial-file.ts';
import { startProxy, type Fault } from './proxy.ts';
import { IN, plant, refusal, startWorld, tree, value, type World } from './world.ts';
import { randomBytes } from '../support/random.ts';

const big = randomBytes(70 * 1024 * 1024 + 17);
const middle = randomBytes(9 * 1024 * 1024 + 3);
let world: World;
let count = 0;

beforeAll(async () => {
  world = await startWorld();
  await world.put(IN, 'data/a.txt', 'alpha');
  await world.put(IN, 'data/empty', '');
  await world.put(IN, 'data/marker/', '');
  await world.put(IN, 'data/deep/er/ünï code #?%.bin', randomBytes(1000));
  await world.put(IN, 'data/middle', middle);
  await world.put(IN, 'data/big', big);
  await world.put(IN, 'data/packed.txt', gzipSync('unpacked'), '&contentEncoding=gzip');
  await world.put(IN, 'data-private/secret', 'no');
});
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

/** Fetches through a network with faults. */
async function faulty(
  rule: (path: string, range: string | undefined, number: number) => Fault | Promise<Fault>,
  changes: Partial<DownloadOptions> = {},
) {
  let number = 0;
  const proxy = await startProxy(world.emulator.url, ({ path, headers }) => {
    if (!path.includes('alt=media')) return 'pass';
    number += 1;
    return rule(decodeURIComponent(path), headers.range, number);
  });
  try {
    const wanted = await options({
      endpoints: { ...world.endpoints, storage: proxy.url },
      ...changes,
    });
    return { ...wanted, done: await download(wanted) };
  } finally {
    await proxy.stop();
  }
}

describe('download', () => {
  it('brings a folder over, byte for byte as curl gets it', async () => {
    const wanted = await options();
    const report = value(await download(wanted));
    expect(report).toMatchObject({ objects: 6, skipped: 0, refused: [], failed: [] });
    const found = await tree(wanted.destination);
    expect(Object.keys(found)).toEqual([
      'a.txt',
      'big',
      'deep/er/ünï code #?%.bin',
      'empty',
      'middle',
      'packed.txt',
    ]);
    for (const name of Object.keys(found).filter((one) => one !== 'packed.txt')) {
      const bytes = await readFile(join(wanted.destination, name));
      expect(bytes.equals(await world.get(IN, `data/${name}`)), name).toBe(true);
    }
    // What is stored packed is unpacked: packed.test.ts.
    expect(await readFile(join(wanted.destination, 'packed.txt'), 'utf8')).toBe('unpacked');
  });

  it('asks nothing but a listing and the objects', async () => {
    const before = (await world.emulator.requestLog()).length;
    await download(await options());
    const asked = (await world.emulator.requestLog()).slice(before);
    expect(
      new Set(asked.filter(({ path }) => path !== '/token').map(({ method }) => method)),
    ).toEqual(new Set(['GET']));
    expect(asked.filter(({ status }) => status >= 400)).toEqual([]);
  });

  it('fetches nothing twice, and only what is missing', async () => {
    const wanted = await options();
    value(await download(wanted));
    const before = (await world.emulator.requestLog()).length;
    expect(value(await download(wanted))).toMatchObject({ objects: 6, skipped: 6 });
    await rm(join(wanted.destination, 'a.txt'));
    expect(value(await download(wanted))).toMatchObject({ objects: 6, skipped: 5 });
    const fetched = (await world.emulator.requestLog())
      .slice(before)
      .filter(({ method, object }) => method === 'GET' && object !== null);
    expect(fetched.map(({ object }) => object)).toEqual(['data/a.txt']);
  });

  it('knows complete files without the journal by their checksum, and overwrites nobody else’s', async () => {
    const wanted = await options();
    await plant(wanted.destination, { 'a.txt': 'alpha', 'middle/mine': 'x', empty: 'full' });
    const report = value(await download(wanted));
    expect(report).toMatchObject({ objects: 4, skipped: 1 });
    expect(report.failed.map(({ object, problem }) => [object, problem.code]).sort()).toEqual([
      ['data/empty', 'transfer.exists'],
      ['data/middle', 'transfer.exists'],
    ]);
    expect(await readFile(join(wanted.destination, 'empty'), 'utf8')).toBe('full');
  });

  it('fetches an object that was replaced anew, unless somebody changed the file', async () => {
    const wanted = await options({ target: { kind: 'object', object: 'data/changing' } });
    await world.put(IN, 'data/changing', 'one');
    value(await download(wanted));
    await world.put(IN, 'data/changing', 'two');
    expect(value(await download(wanted))).toMatchObject({ objects: 1, skipped: 0 });
    const file = join(wanted.destination, 'changing');
    expect(await readFile(file, 'utf8')).toBe('two');
    await writeFile(file, 'own');
    await utimes(file, 1, 1);
    expect(value(await download(wanted)).failed[0]?.problem.code).toBe('transfer.exists');
    expect(await readFile(file, 'utf8')).toBe('own');
    await world.remove(IN, 'data/changing');
  });

  it('writes through no link that leads elsewhere', async () => {
    const wanted = await options();
    const elsewhere = join(world.folder, 'elsewhere');
    await plant(elsewhere, { keep: '' });
    await plant(wanted.destination, { other: '' });
    await symlink(elsewhere, join(wanted.destination, 'deep'));
    const partial = partialPath(join(wanted.destination, 'a.txt'), partialId(wanted.journal));
    await symlink(join(elsewhere, 'new'), partial);
    const report = value(await download(wanted));
    expect(report.failed.map(({ object }) => object).sort()).toEqual([
      'data/a.txt',
      'data/deep/er/ünï code #?%.bin',
    ]);
    expect(Object.keys(await tree(elsewhere))).toEqual(['keep']);
  });

  it('says who may not list, and what to ask for', async () => {
    const listing = refusal(
      await download(await options({ target: { kind: 'folder', prefix: '' }, tokens: null })),
    );
    expect(listing.code).toMatch(/^access\./);
    const closed = await options({ target: { kind: 'folder', prefix: 'data-private/' } });
    const report = value(await download(closed));
    expect(report.failed).toMatchObject([
      { object: 'data-private/secret', problem: { code: 'access.get-refused' } },
    ]);
    expect(report.objects).toBe(0);
  });

  it('cancels promptly', async () => {
    const controller = new AbortController();
    const wanted = await options({
      signal: controller.signal,
      onProgress: ({ bytes }) => {
        if (bytes > 0) controller.abort();
      },
    });
    const started = performance.now();
    expect(refusal(await download(wanted)).code).toBe('job.cancelled');
    expect(performance.now() - started).toBeLessThan(15_000);
    value(await download(await options({ ...wanted, signal: new AbortController().signal })));
  });

  it('reports a disk that refuses by file', async () => {
    const wanted = await options();
    const partial = partialPath('a.txt', partialId(wanted.journal));
    await plant(wanted.destination, { [`${partial}/x`]: '' });
    const report = value(await download(wanted));
    expect(report).toMatchObject({
      objects: 5,
      failed: [{ object: 'data/a.txt', problem: { code: 'transfer.exists' } }],
    });
  });

  it('downloads one object to one file', async () => {
    const { destination, ...access } = await options();
    const file = join(destination, 'sub', 'here.bin');
    const one = { ...access, object: 'data/big', file };
    expect(value(await downloadObject(one)).size).toBe(big.length);
    expect((await readFile(file)).equals(big)).toBe(true);
    // What is there already is not fetched again, anything else not overwritten.
    expect(value(await downloadObject(one)).alreadyThere).toBe(true);
    expect(refusal(await downloadObject({ ...one, object: 'data/a.txt' })).code).toBe(
      'transfer.exists',
    );
    value(await downloadObject({ ...one, object: 'data/a.txt', overwrite: true }));
    expect(await readFile(file, 'utf8')).toBe('alpha');
    expect(
      refusal(await downloadObject({ ...one, file: `${file}2`, object: 'data/none' })).code,
    ).toBe('storage.object-not-found');
  });
});

describe('download over a faulty network', () => {
  it('goes on where a large object was cut, by range', async () => {
    const ranges: string[] = [];
    const { done, destination } = await faulty(
      (path, range, number) => {
        if (path.includes('/data/big?') && range !== undefined) ranges.push(range);
        return path.includes('/data/big?') && number < 8 ? { cutAnswerAfter: 5_000_000 } : 'pass';
      },
      { target: { kind: 'object', object: 'data/big' } },
    );
    expect(value(done).failed).toEqual([]);
    expect((await readFile(join(destination, 'big'))).equals(big)).toBe(true);
    const starts = new Set(ranges.map((range) => Number(/^bytes=(\d+)-/.exec(range)?.[1])));
    expect([...starts].some((start) => start % (32 * 1024 * 1024) !== 0)).toBe(true);
  });

  it('comes to an end over a network that breaks every 300 KB', async () => {
    const { done, destination } = await faulty(() => ({ cutAnswerAfter: 300_000 }), {
      target: { kind: 'object', object: 'data/middle' },
    });
    expect(value(done).failed).toEqual([]);
    expect((await readFile(join(destination, 'middle'))).equals(middle)).toBe(true);
  });

  it('tries wrong bytes, cut answers and busy servers again', async () => {
    const seen = new Map<string, number>();
    const { done, destination } = await faulty((path) => {
      const times = (seen.get(path) ?? 0) + 1;
      seen.set(path, times);
      if (times > 1) return 'pass';
      if (path.includes('a.txt')) return 'flip-byte';
      if (path.includes('packed')) return { status: 503 };
      if (path.includes('deep')) return { cutAnswerAfter: 100 };
      return path.includes('middle') ? 'flip-byte' : 'pass';
    });
    expect(value(done)).toMatchObject({ objects: 6, failed: [] });
    const clean = await options();
    value(await download(clean));
    expect(await tree(destination)).toEqual(await tree(clean.destination));
  });

  it('reports wrong bytes that do not stop, and keeps the others', async () => {
    const { done, destination } = await faulty((path) =>
      path.includes('a.txt') || path.includes('middle') ? 'flip-byte' : 'pass',
    );
    const report = value(done);
    expect(report.failed.map(({ object, problem }) => [object, problem.code]).sort()).toEqual([
      ['data/a.txt', 'transfer.checksum'],
      ['data/middle', 'transfer.checksum'],
    ]);
    expect(Object.keys(await tree(destination))).not.toContain('a.txt');
    expect(Object.keys(await tree(destination))).not.toContain('middle');
    expect(report.objects).toBe(4);
  });

  it('gives up on all when the network is gone, with one clear problem', async () => {
    const { done } = await faulty(() => ({ cutAnswerAfter: 0 }), { patienceMs: 1000 });
    const report = value(done);
    // The empty one has no byte to lose.
    expect(report.failed).toHaveLength(5);
    for (const { problem } of report.failed) expect(problem.code).toMatch(/^network\./);
  });

  it('notices a stream that stalls, small or large', async () => {
    const stalled = new Set<string>();
    const { done } = await faulty(
      (path, range) => {
        const part = `${path} ${range ?? ''}`;
        if (stalled.has(part) || stalled.size >= 2 || !/a\.txt|middle/.test(path)) return 'pass';
        stalled.add(part);
        return { stallAfter: 3 };
      },
      { stallMs: 1000 },
    );
    expect(stalled.size).toBe(2);
    expect(value(done)).toMatchObject({ objects: 6, failed: [] });
  });

  it('notices an object that is replaced midway', async () => {
    await world.put(IN, 'data/moving', 'old');
    const { done } = await faulty(
      async (): Promise<Fault> => {
        await world.put(IN, 'data/moving', 'new');
        return 'pass';
      },
      { target: { kind: 'object', object: 'data/moving' } },
    );
    expect(value(done).failed).toMatchObject([{ problem: { code: 'storage.changed' } }]);
    await world.remove(IN, 'data/moving');
  });
});
