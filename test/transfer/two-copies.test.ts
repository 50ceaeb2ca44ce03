import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Result } from '../../src/shared/problem.ts';
import { canonicalPath, lockDestination } from '../../src/transfer/destination-lock.ts';
import { downloadObject } from '../../src/transfer/download-object.ts';
import { download, type DownloadReport } from '../../src/transfer/download.ts';
import { partialId, partialPath } from '../../src/transfer/partial-file.ts';
import { IN, plant, refusal, startWorld, tree, value, type World } from './world.ts';
import { randomBytes } from '../support/random.ts';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));
const MIB = 1024 * 1024;
let world: World;
let count = 0;
const names = ['large.bin', 'small.bin'];

const slow = (name: string, speed: number) =>
  ({
    operation: 'media',
    object: { glob: `**/${name}` },
    fault: { kind: 'bandwidth', bytesPerSecond: speed * MIB },
  }) as const;

beforeAll(async () => {
  world = await startWorld();
  for (const one of ['one', 'two']) {
    const source = join(world.folder, one);
    await plant(source, { 'large.bin': randomBytes(9 * MIB), 'small.bin': randomBytes(MIB) });
    for (const name of names)
      await world.put(IN, `data/${one}/${name}`, await readFile(join(source, name)));
  }
  await world.emulator.setFaults([slow('large.bin', 8), slow('small.bin', 2)]);
}, 60_000);
afterAll(() => world.stop());

const optionsOf = (one: string, destination: string) => ({
  endpoints: world.endpoints,
  bucket: IN,
  target: { kind: 'folder', prefix: `data/${one}/` } as const,
  destination,
  journal: join(world.folder, `journal-${(count += 1)}`),
});

/** A download by a process of its own, as from another terminal. Null: it was killed. */
async function apart(
  options: object,
  temporary: string,
  killAfter = 0,
): Promise<Result<DownloadReport> | null> {
  const order = join(world.folder, `order-${(count += 1)}.json`);
  const keyFile = world.emulator.keyFiles['reader'];
  await writeFile(order, JSON.stringify({ what: 'download', keyFile, purpose: 'read', options }));
  await mkdir(temporary, { recursive: true });
  const child = spawn(process.execPath, [CHILD, order], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: temporary },
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    const bytes = [...text.matchAll(/"bytes":(\d+)/g)].map((found) => Number(found[1]));
    if (killAfter > 0 && Math.max(0, ...bytes) > killAfter) child.kill('SIGKILL');
  });
  await once(child, 'close');
  const done = text.split('\n').filter((line) => line.startsWith('{"done"'))[0];
  return done === undefined
    ? null
    : (JSON.parse(done) as { readonly done: Result<DownloadReport> }).done;
}

const hashesOf = async (one: string) => tree(join(world.folder, one));

describe('two downloads to one folder', { timeout: 60_000 }, () => {
  it('one wins, the other says so at once, and the bytes are the winner’s', async () => {
    const destination = join(world.folder, 'shared');
    await mkdir(destination);
    // Under another name, and with a journal of its own as of another home.
    await symlink(destination, join(world.folder, 'another-name'));
    const places = { one: destination, two: join(world.folder, 'another-name', '.') };
    const temporary = join(world.folder, 'tmp');
    const ends = await Promise.all(
      Object.entries(places).map(async ([one, place]) => {
        const done = await apart(optionsOf(one, place), temporary);
        return { one, done: done! };
      }),
    );
    const [winner, ...more] = ends.filter(({ done }) => done.ok);
    expect(more).toEqual([]);
    const loser = ends.find(({ done }) => !done.ok)!;
    expect(refusal(loser.done)).toMatchObject({
      code: 'transfer.destination-busy',
      message: expect.stringContaining('Another download') as string,
    });
    expect(value(winner!.done).failed).toEqual([]);
    expect(await tree(destination)).toEqual(await hashesOf(winner!.one));
  });

  it('that cannot know of each other: what is told as written has its own bytes, the rest is told', async () => {
    const destination = join(world.folder, 'unlocked');
    const ends = await Promise.all(
      ['one', 'two'].map(async (one) => {
        const own = join(world.folder, `tmp-${one}`);
        return { one, report: value((await apart(optionsOf(one, destination), own))!) };
      }),
    );
    const found = await tree(destination);
    expect(Object.keys(found)).toEqual(names);
    for (const { one, report } of ends) {
      const wanted = await hashesOf(one);
      for (const { path } of report.written)
        expect(found[path], `${one} ${path}`).toBe(wanted[path]);
      for (const { problem } of report.failed) expect(problem.code).toBe('transfer.exists');
      expect(report.written.length + report.failed.length).toBe(2);
    }
    expect(ends.flatMap(({ report }) => report.written)).toHaveLength(2);
  });

  it('of which one was killed midway: neither spoils the other, and it goes on later', async () => {
    const destination = join(world.folder, 'killed');
    const first = optionsOf('one', destination);
    expect(await apart(first, join(world.folder, 'tmp'), 3 * MIB)).toBeNull();
    const left = await readdir(destination);
    expect(left.some((name) => name.includes(partialId(first.journal)))).toBe(true);
    const second = optionsOf('two', destination);
    const tokens = await world.tokens('reader', 'read');
    const report = value(await download({ ...second, tokens }));
    // What the first one completed is told, and stays.
    const there = names.filter((name) => left.includes(name));
    expect(report.failed.map(({ object }) => object.slice('data/two/'.length))).toEqual(there);
    const found = await tree(destination);
    for (const name of names)
      expect(found[name]).toBe((await hashesOf(there.includes(name) ? 'one' : 'two'))[name]);
    const other = { ...first, destination: join(world.folder, 'killed-2') };
    expect(await apart(other, join(world.folder, 'tmp'), 3 * MIB)).toBeNull();
    expect(value((await apart(other, join(world.folder, 'tmp')))!).failed).toEqual([]);
    expect(await tree(other.destination)).toEqual(await hashesOf('one'));
  });
});

describe('files that are not ours', { timeout: 60_000 }, () => {
  it('stay as they are, whatever they are called and whatever leads to them', async () => {
    const destination = join(world.folder, 'own');
    const options = optionsOf('one', destination);
    const kept = { 'small.bin.trainyard-partial': 'mine', 'large.bin.trainyard-partial': 'mine' };
    await plant(destination, kept);
    await plant(join(world.folder, 'precious'), { 'small.bin': 'precious', 'large.bin': 'mine' });
    const own = await tree(join(world.folder, 'precious'));
    for (const name of names)
      await link(
        join(world.folder, 'precious', name),
        partialPath(join(destination, name), partialId(options.journal)),
      );
    const tokens = await world.tokens('reader', 'read');
    expect(value(await download({ ...options, tokens })).failed).toEqual([]);
    expect(await tree(join(world.folder, 'precious'))).toEqual(own);
    expect(await readFile(join(destination, 'small.bin.trainyard-partial'), 'utf8')).toBe('mine');
    expect(await tree(destination)).toMatchObject(await hashesOf('one'));
    expect((await readdir(destination)).sort()).toEqual([...names, ...Object.keys(kept)].sort());
  });

  it.each(['one/large.bin', 'one/small.bin'])(
    'put in the place of the incomplete %s are not taken for it',
    async (object) => {
      const destination = join(world.folder, `swapped-${(count += 1)}`);
      await mkdir(destination);
      const file = join(destination, 'file');
      const journal = join(world.folder, `journal-${(count += 1)}`);
      const partial = partialPath(file, partialId(journal));
      const stranger = join(world.folder, `stranger-${count}`);
      await writeFile(stranger, 'stranger');
      const swapped: Promise<void>[] = [];
      const done = await downloadObject({
        endpoints: world.endpoints,
        tokens: await world.tokens('reader', 'read'),
        bucket: IN,
        object: `data/${object}`,
        file,
        journal,
        onProgress: ({ bytes }) => {
          if (bytes > 0 && swapped.length === 0) swapped.push(rename(stranger, partial));
        },
      });
      await Promise.all(swapped);
      expect(refusal(done).code).toBe('transfer.disturbed');
      expect(await readdir(destination)).not.toContain('file');
    },
  );
});

describe('the lock of a destination', () => {
  it('is of the place, under whatever name, and ends with its holder', async () => {
    const folder = join(world.folder, 'place');
    await mkdir(folder);
    await symlink(folder, join(world.folder, 'link'));
    const held = value(await lockDestination(join(folder, 'new', '..', 'new', 'deep')));
    const same = join(world.folder, 'link', 'new', 'deep');
    expect(await canonicalPath(same)).toBe(await canonicalPath(join(folder, 'new', 'deep')));
    expect(refusal(await lockDestination(same)).code).toBe('transfer.destination-busy');
    value(await lockDestination(join(folder, 'new', 'other'))).release();
    held.release();
    value(await lockDestination(same)).release();
  });
});
