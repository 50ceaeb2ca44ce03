import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FaultRuleInput } from '../../src/emulator/faults/rules.ts';
import { download } from '../../src/transfer/download.ts';
import { upload } from '../../src/transfer/upload.ts';
import { startProxy, type Fault } from './proxy.ts';
import { IN, OUT, plant, startWorld, tree, value, type World } from './world.ts';
import { randomBytes } from '../support/random.ts';

const MIB = 1024 * 1024;
const SMALL = 40;
let world: World;
let count = 0;
const nameOf = (index: number) => `${String(index).padStart(3, '0')}.bin`;

beforeAll(async () => {
  world = await startWorld();
  const files = Array.from({ length: SMALL }, (_, index) => [nameOf(index), randomBytes(500)]);
  await plant(join(world.folder, 'small'), Object.fromEntries(files) as Record<string, Buffer>);
  await plant(join(world.folder, 'slow'), { 'slow.bin': randomBytes(300_000) });
  await plant(join(world.folder, 'large'), { 'large.bin': randomBytes(16 * MIB + 1000) });
  for (const folder of ['small', 'slow', 'large'])
    for (const name of Object.keys(await tree(join(world.folder, folder))))
      await world.put(
        IN,
        `data/${folder}/${name}`,
        await readFile(join(world.folder, folder, name)),
      );
}, 60_000);
afterEach(() => world.emulator.setFaults([]));
afterAll(() => world.stop());

const downloadOptions = async (folder: string) => ({
  endpoints: world.endpoints,
  tokens: await world.tokens('reader', 'read'),
  bucket: IN,
  target: { kind: 'folder', prefix: `data/${folder}/` } as const,
  destination: join(world.folder, `to-${(count += 1)}`),
  journal: join(world.folder, `journal-${count}`),
});

const uploadOptions = async (folder: string) => ({
  endpoints: world.endpoints,
  tokens: await world.tokens('writer', 'write'),
  bucket: OUT,
  prefix: `results/faults-${(count += 1)}/`,
  source: join(world.folder, folder),
  onlyOurs: true,
  journal: join(world.folder, `upload-${count}.jsonl`),
});

/** What the bucket has below a prefix, as {@link tree} tells it of a folder. */
async function uploaded(prefix: string): Promise<Record<string, string>> {
  const copy = join(world.folder, `copy-${(count += 1)}`);
  await plant(copy, {});
  for (const name of await world.names(OUT, prefix))
    await plant(copy, { [name.slice(prefix.length)]: await world.get(OUT, name) });
  return tree(copy);
}

const without = async (folder: string, name: string) =>
  Object.fromEntries(
    Object.entries(await tree(join(world.folder, folder))).filter(([path]) => path !== name),
  );

const ONE = nameOf(5);
const foreign: FaultRuleInput['fault'] = {
  kind: 'status',
  status: 403,
  body: '<html><body>Blocked</body></html>',
};
const busy: FaultRuleInput['fault'] = { kind: 'status', status: 503, retryAfter: 300 };

describe('a failure of one object', { timeout: 60_000 }, () => {
  it.each([
    ['an answer of somebody else', foreign, /is not Cloud Storage/],
    ['a long wait asked for', busy, /answered 503.* asks to wait 300 s/],
  ] as const)('%s stops no other, in either direction', async (_, fault, message) => {
    await world.emulator.setFaults([{ object: { glob: `**/${ONE}` }, fault }]);
    const wanted = await downloadOptions('small');
    const down = value(await download(wanted));
    expect(down.failed).toMatchObject([{ object: `data/small/${ONE}` }]);
    expect(down.failed[0]?.problem.message).toMatch(message);
    expect(await tree(wanted.destination)).toEqual(await without('small', ONE));
    const sent = await uploadOptions('small');
    const up = value(await upload(sent));
    expect(up.failed).toMatchObject([{ path: ONE }]);
    expect(up.failed[0]?.problem.message).toMatch(message);
    await world.emulator.setFaults([]);
    expect(await uploaded(sent.prefix)).toEqual(await without('small', ONE));
  });

  it('of all, one after the other, ends it soon; each is told, and those that were not tried say why', async () => {
    await world.emulator.setFaults([{ operation: 'media', fault: foreign }]);
    const before = (await world.emulator.requestLog()).length;
    const report = value(await download({ ...(await downloadOptions('small')), concurrency: 4 }));
    expect(report.failed).toHaveLength(SMALL);
    const asked = (await world.emulator.requestLog()).slice(before);
    expect(asked.filter(({ status }) => status === 403).length).toBeLessThan(12);
    const untried = report.failed.filter(({ problem }) => /^Not tried/.test(problem.message));
    expect(untried.length).toBeGreaterThan(SMALL - 12);
    for (const { object, problem } of untried) expect(problem.subject).toContain(object);
  });
});

describe('an attempt that takes longer than all the patience', { timeout: 60_000 }, () => {
  it.each([
    ['a small file', 'small', { operation: 'upload-simple', object: { glob: `**/${ONE}` } }],
    ['the start of a session', 'large', { operation: 'upload-start' }],
    ['the last stretch of a session', 'large', { operation: 'upload-chunk', after: 1 }],
  ] as const)('%s whose request stalls once goes up at the second try', async (_, folder, rule) => {
    await world.emulator.setFaults([
      { ...rule, first: 1, fault: { kind: 'stall', of: 'request', after: 0 } },
    ]);
    const sent = { ...(await uploadOptions(folder)), answerMs: 700, patienceMs: 600 };
    expect(value(await upload(sent)).failed).toEqual([]);
    expect((await world.emulator.firedFaults()).map(({ fired }) => fired)).toEqual([1]);
    await world.emulator.setFaults([]);
    expect(await uploaded(sent.prefix)).toEqual(await tree(sent.source));
  });

  const slowAndBroken = (
    operation: 'media' | 'upload-simple',
    of: 'answer' | 'request',
  ): FaultRuleInput[] => [
    { operation, fault: { kind: 'bandwidth', bytesPerSecond: 150_000, of } },
    { operation, first: 1, fault: { kind: 'reset', after: 270_000, of } },
  ];

  it('on a slow line that breaks once, the file comes down all the same', async () => {
    await world.emulator.setFaults(slowAndBroken('media', 'answer'));
    const wanted = { ...(await downloadOptions('slow')), patienceMs: 200 };
    expect(value(await download(wanted)).failed).toEqual([]);
    expect(await tree(wanted.destination)).toEqual(await tree(join(world.folder, 'slow')));
    expect((await world.emulator.firedFaults()).at(-1)?.fired).toBe(1);
  });

  it('on a slow line that breaks once, the file goes up all the same', async () => {
    await world.emulator.setFaults(slowAndBroken('upload-simple', 'request'));
    const sent = { ...(await uploadOptions('slow')), patienceMs: 200 };
    expect(value(await upload(sent)).failed).toEqual([]);
    expect((await world.emulator.firedFaults()).at(-1)?.fired).toBe(1);
    await world.emulator.setFaults([]);
    expect(await uploaded(sent.prefix)).toEqual(await tree(sent.source));
  });
});

describe('a network that comes to no end', { timeout: 60_000 }, () => {
  it.each(['small', 'large'])('a trickle is cut, and the file arrives: %s', async (folder) => {
    const name = folder === 'small' ? ONE : 'large.bin';
    await world.emulator.setFaults([
      {
        operation: 'media',
        object: { glob: `**/${name}` },
        first: 1,
        fault: { kind: 'bandwidth', bytesPerSecond: 20 },
      },
    ]);
    const wanted = { ...(await downloadOptions(folder)), trickleMs: 1000 };
    const started = performance.now();
    expect(value(await download(wanted)).failed).toEqual([]);
    expect(performance.now() - started).toBeLessThan(15_000);
    expect(await tree(wanted.destination)).toEqual(await tree(join(world.folder, folder)));
  });

  it('a trickle that does not stop is told, also of a large object', async () => {
    await world.emulator.setFaults([
      { operation: 'media', fault: { kind: 'bandwidth', bytesPerSecond: 20 } },
    ]);
    const options = { ...(await downloadOptions('large')), trickleMs: 300, patienceMs: 500 };
    const [failed] = value(await download(options)).failed;
    expect(failed?.problem).toMatchObject({ code: 'network.timeout' });
  });

  it.each([
    ['breaks', { cutRequestAfter: 100 }],
    ['loses every answer', 'lose-answer'],
    ['stalls', null],
  ] as const)('an upload over one that %s ends, with a problem for each file', async (_, fault) => {
    const proxy = await startProxy(world.emulator.url, ({ method }): Fault =>
      method === 'POST' ? (fault ?? 'pass') : 'pass',
    );
    const stall: FaultRuleInput = { fault: { kind: 'stall', of: 'request' } };
    await world.emulator.setFaults(
      fault === null ? [{ operation: 'upload-simple', ...stall }] : [],
    );
    try {
      const sent = await uploadOptions('small');
      const endpoints = { ...world.endpoints, storage: proxy.url };
      const limits = { patienceMs: 500, answerMs: 300, concurrency: 8 };
      const report = value(await upload({ ...sent, ...limits, endpoints }));
      expect(report.failed).toHaveLength(SMALL);
      for (const { problem } of report.failed) expect(problem.code).toMatch(/^network\./);
      await world.emulator.setFaults([]);
      // Once the network is there again, it goes on to the same end.
      expect(value(await upload(sent)).failed).toEqual([]);
      expect(await uploaded(sent.prefix)).toEqual(await tree(sent.source));
    } finally {
      await proxy.stop();
    }
  });
});
