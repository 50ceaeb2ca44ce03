import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { downloadObject } from '../../src/transfer/download-object.ts';
import { download, type DownloadOptions } from '../../src/transfer/download.ts';
import { startProxy, type Fault } from './proxy.ts';
import { IN, refusal, startWorld, tree, value, type World } from './world.ts';
import { randomBytes } from '../support/random.ts';

const MIB = 1024 * 1024;
const sum = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
let world: World;
let count = 0;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

async function options(name: string): Promise<DownloadOptions> {
  count += 1;
  return {
    endpoints: world.endpoints,
    tokens: await world.tokens('reader', 'read'),
    bucket: IN,
    target: { kind: 'object', object: name },
    destination: join(world.folder, `to-${count}`),
    journal: join(world.folder, `journal-${count}`),
    patienceMs: 10_000,
  };
}

/** Downloads while `before` is called before each request for bytes, with its number. */
async function whileChanging(name: string, before: (number: number) => Promise<void>) {
  let number = 0;
  const proxy = await startProxy(world.emulator.url, async ({ path }): Promise<Fault> => {
    if (path.includes('alt=media')) {
      number += 1;
      await before(number);
    }
    return 'pass';
  });
  try {
    const wanted = await options(name);
    const endpoints = { ...world.endpoints, storage: proxy.url };
    const report = value(await download({ ...wanted, endpoints }));
    return { report, ...wanted };
  } finally {
    await proxy.stop();
  }
}

describe('an object that is replaced midway', { timeout: 60_000 }, () => {
  it.each([
    ['small', 3000, 1, 5000],
    ['in slices', 70 * MIB + 1, 2, 70 * MIB + 1],
    ['in slices, by a longer one', 40 * MIB + 1, 2, 70 * MIB + 3],
    ['in slices, by a small one', 40 * MIB + 1, 2, 700],
    ['small, by one in slices', 700, 1, 40 * MIB + 1],
  ] as const)('%s: is fetched again, whole', async (_, size, when, newSize) => {
    const name = `data/moving-${count}`;
    await world.put(IN, name, randomBytes(size));
    const after = randomBytes(newSize);
    const { report, destination, journal } = await whileChanging(name, async (number) => {
      if (number === when) await world.put(IN, name, after);
    });
    expect(report).toMatchObject({ objects: 1, bytes: newSize, failed: [] });
    const path = name.slice('data/'.length);
    // Not one byte of the old one.
    expect(await tree(destination)).toEqual({ [path]: sum(after) });
    expect(await readdir(journal)).toEqual(['download.jsonl']);
  });

  it.each([
    ['small', 3000],
    ['in slices', 40 * MIB + 1],
  ] as const)('%s, again and again: is reported', async (_, size) => {
    const name = `data/moving-${count}`;
    await world.put(IN, name, randomBytes(size));
    const { report, destination } = await whileChanging(name, () =>
      world.put(IN, name, randomBytes(size)),
    );
    expect(report.failed).toMatchObject([
      { object: name, problem: { code: 'storage.changed', subject: `gs://${IN}/${name}` } },
    ]);
    expect(report.objects).toBe(0);
    expect(
      Object.keys(await tree(destination)).filter((path) => !path.endsWith('-partial')),
    ).toEqual([]);
  });

  it('and removed: is reported, and the others arrive', async () => {
    await world.put(IN, 'data/removed/a', 'a');
    await world.put(IN, 'data/removed/b', 'b');
    let removed = false;
    const proxy = await startProxy(world.emulator.url, async ({ path }): Promise<Fault> => {
      if (path.includes('alt=media') && !removed) {
        removed = true;
        await world.remove(IN, 'data/removed/a');
      }
      return 'pass';
    });
    const wanted = await options('');
    const target = { kind: 'folder', prefix: 'data/removed/' } as const;
    const endpoints = { ...world.endpoints, storage: proxy.url };
    const report = value(await download({ ...wanted, endpoints, target, concurrency: 1 }));
    await proxy.stop();
    expect(report.failed).toMatchObject([
      { object: 'data/removed/a', problem: { code: 'storage.changed' } },
    ]);
    expect(await tree(wanted.destination)).toEqual({ b: sum(Buffer.from('b')) });
  });

  it('between two attempts: nothing of the old one is used', async () => {
    const name = 'data/between';
    await world.put(IN, name, randomBytes(40 * MIB));
    const wanted = await options(name);
    const controller = new AbortController();
    await world.emulator.setFaults([
      { operation: 'media', fault: { kind: 'bandwidth', bytesPerSecond: 20 * MIB } },
    ]);
    await download({
      ...wanted,
      signal: controller.signal,
      onProgress: ({ bytes }) => {
        if (bytes > 8 * MIB) controller.abort();
      },
    });
    await world.emulator.setFaults([]);
    const after = randomBytes(40 * MIB);
    await world.put(IN, name, after);
    expect(value(await download(wanted)).failed).toEqual([]);
    expect(await tree(wanted.destination)).toEqual({ between: sum(after) });
  });
});

describe('objects of other kinds', { timeout: 300_000 }, () => {
  it('kept compressed: the stored bytes arrive, small and large, with their size and checksum', async () => {
    const large = gzipSync(randomBytes(12 * MIB));
    const small = gzipSync('a'.repeat(100_000));
    await world.put(IN, 'data/gzip/small.txt', small, '&contentEncoding=gzip');
    await world.put(IN, 'data/gzip/large.txt', large, '&contentEncoding=gzip');
    const wanted = {
      ...(await options('')),
      keepCompressed: true,
      target: { kind: 'folder', prefix: 'data/gzip/' } as const,
    };
    const report = value(await download(wanted));
    expect(report).toMatchObject({ objects: 2, bytes: small.length + large.length, failed: [] });
    expect(await tree(wanted.destination)).toEqual({
      'large.txt': sum(large),
      'small.txt': sum(small),
    });
    expect(value(await download(wanted))).toMatchObject({ skipped: 2 });
  });

  it('empty ones arrive, and are not asked for again', async () => {
    for (let index = 0; index < 20; index += 1) await world.put(IN, `data/empty/${index}`, '');
    const wanted = {
      ...(await options('')),
      target: { kind: 'folder', prefix: 'data/empty/' } as const,
    };
    expect(value(await download(wanted))).toMatchObject({ objects: 20, bytes: 0, failed: [] });
    const found = await tree(wanted.destination);
    expect(Object.keys(found)).toHaveLength(20);
    expect(new Set(Object.values(found))).toEqual(new Set([sum(Buffer.alloc(0))]));
    expect(value(await download(wanted))).toMatchObject({ objects: 20, skipped: 20 });
  });

  it('encrypted with a key of the customer: refused by name, the others arrive', async () => {
    await world.put(IN, 'data/csek/locked', 'locked');
    await world.put(IN, 'data/csek/open', 'open');
    // Cloud Storage leaves the checksums of such objects out of its answers.
    const proxy = await startProxy(world.emulator.url, ({ path }) =>
      path.includes('alt=media') || !path.includes('/storage/v1/')
        ? 'pass'
        : {
            rewrite: (text) => {
              const page = JSON.parse(text) as {
                items?: { name: string; crc32c?: string; md5Hash?: string }[];
              };
              for (const one of [page, ...(page.items ?? [])])
                if ('name' in one && one.name === 'data/csek/locked') {
                  delete one.crc32c;
                  delete one.md5Hash;
                }
              return JSON.stringify(page);
            },
          },
    );
    const endpoints = { ...world.endpoints, storage: proxy.url };
    const wanted = { ...(await options('')), endpoints };
    const report = value(
      await download({ ...wanted, target: { kind: 'folder', prefix: 'data/csek/' } }),
    );
    const alone = await downloadObject({
      ...wanted,
      object: 'data/csek/locked',
      file: join(world.folder, 'locked'),
    });
    await proxy.stop();
    expect(report).toMatchObject({
      objects: 1,
      refused: [
        { object: 'data/csek/locked', reason: expect.stringContaining('encrypted') as string },
      ],
    });
    expect(Object.keys(await tree(wanted.destination))).toEqual(['open']);
    expect(refusal(alone)).toMatchObject({ code: 'transfer.refused' });
  });

  it('10,000 in one folder arrive in bounded time, and are known again', async () => {
    const token = value(await (await world.tokens('boss', 'write')).token()).token;
    const put = async (index: number) => {
      const query = `uploadType=media&name=data/many/${index}.txt`;
      const answer = await fetch(`${world.emulator.url}/upload/storage/v1/b/${IN}/o?${query}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: `number ${index}`,
      });
      await answer.arrayBuffer();
      expect(answer.status).toBe(200);
    };
    for (let index = 0; index < 10_000; index += 50)
      await Promise.all(Array.from({ length: 50 }, (_, step) => put(index + step)));
    const wanted = {
      ...(await options('')),
      target: { kind: 'folder', prefix: 'data/many/' } as const,
    };
    const started = performance.now();
    const report = value(await download(wanted));
    expect(report).toMatchObject({ objects: 10_000, failed: [], refused: [], mapped: [] });
    expect(report.written).toHaveLength(10_000);
    const found = await tree(wanted.destination);
    expect(Object.keys(found)).toHaveLength(10_000);
    for (let index = 0; index < 10_000; index += 1)
      if (found[`${index}.txt`] !== sum(Buffer.from(`number ${index}`)))
        throw new Error(`${index} is another`);
    expect(value(await download(wanted))).toMatchObject({ skipped: 10_000 });
    expect(performance.now() - started).toBeLessThan(60_000);
  });
});
