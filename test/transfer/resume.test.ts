import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { open, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Result } from '../../src/shared/problem.ts';
import { download, type DownloadReport } from '../../src/transfer/download.ts';
import { checkedLine } from '../../src/transfer/journal.ts';
import { readCompletedUploads } from '../../src/transfer/upload-journal.ts';
import { upload, type UploadReport } from '../../src/transfer/upload.ts';
import { chances, randomBytes, testSeed } from '../support/random.ts';
import { IN, OUT, plant, startWorld, tree, value, type World } from './world.ts';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));
const MIB = 1024 * 1024;
/** Kills in all, half of them of downloads. `TRAINYARD_TEST_KILLS` changes them. */
const KILLS = Number(process.env['TRAINYARD_TEST_KILLS'] ?? 12);
const SEED = testSeed();

let world: World;
let source: string;
let count = 0;
const SMALL = 60;

beforeAll(async () => {
  world = await startWorld();
  source = join(world.folder, 'source');
  await plant(source, {
    ...Object.fromEntries(
      Array.from({ length: SMALL }, (_, index) => [`s/${index}`, randomBytes(3000)] as const),
    ),
    'large-a': randomBytes(20 * MIB + 11),
    'large-b': randomBytes(9 * MIB + 1),
    empty: '',
  });
  const put = await upload({
    endpoints: world.endpoints,
    tokens: await world.tokens('boss', 'write'),
    bucket: IN,
    prefix: 'data/',
    source,
    onlyOurs: true,
    journal: join(world.folder, 'boss.jsonl'),
  });
  expect(value(put).failed).toEqual([]);
}, 60_000);
afterAll(() => world.stop());

/** Starts a transfer in a child and kills it so many milliseconds after it began; null where it was killed. */
async function runFor<T>(
  what: 'download' | 'upload',
  options: object,
  milliseconds: number,
): Promise<Result<T> | null> {
  const order = join(world.folder, `order-${(count += 1)}.json`);
  const reading = what === 'download';
  const keyFile = world.emulator.keyFiles[reading ? 'reader' : 'writer'];
  const all = { endpoints: world.endpoints, ...options };
  const purpose = reading ? 'read' : 'write';
  await writeFile(order, JSON.stringify({ what, keyFile, purpose, options: all }));
  const child = spawn(process.execPath, [CHILD, order], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  let result: Result<T> | null = null;
  let timer: NodeJS.Timeout | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { ready?: boolean; done?: Result<T> };
    if (said.ready === true) timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
    if (said.done !== undefined) result = said.done;
  }
  clearTimeout(timer);
  await ended;
  return result;
}

/** The request log: asked again where its last line is being written, for requests of a client that was killed. */
async function requestLog(): Promise<Awaited<ReturnType<World['emulator']['requestLog']>>> {
  for (let attempt = 1; ; attempt += 1)
    try {
      return await world.emulator.requestLog();
    } catch (error) {
      if (attempt > 20) throw error;
      await new Promise((done) => setTimeout(done, 20));
    }
}
/** Requests so far, once those of a process that was killed have ended: each is in the log when it ends. */
async function requestsSoFar(): Promise<number> {
  for (let before = -1; ;) {
    const now = (await requestLog()).length;
    if (now === before) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
const asked = async (from: number) => (await requestLog()).slice(from);

describe('kills at random moments', { timeout: 150_000 }, () => {
  it('download: whatever the moment, the end is the same, and no file is fetched twice', async () => {
    const chance = chances();
    const wanted = await tree(source);
    // So slow that there is a middle to be killed in.
    await world.emulator.setFaults([
      { operation: 'media', fault: { kind: 'bandwidth', bytesPerSecond: 12 * MIB } },
      { operation: 'media', fault: { kind: 'latency', milliseconds: 20, spread: 40 } },
    ]);
    let killed = 0;
    let kept = 0;
    for (let scenario = 1; killed < KILLS / 2; scenario += 1) {
      const destination = join(world.folder, `down-${scenario}`);
      const journal = join(world.folder, `down-journal-${scenario}`);
      const options = {
        bucket: IN,
        target: { kind: 'folder', prefix: 'data/' },
        destination,
        journal,
      };
      let done: Result<DownloadReport> | null = null;
      for (let round = 1; done === null; round += 1) {
        const there = await readdir(destination, { recursive: true }).catch(() => []);
        const whole = new Set(there.filter((name) => !name.endsWith('.trainyard-partial')));
        const before = await requestsSoFar();
        done = await runFor<DownloadReport>(
          'download',
          options,
          // Later rounds live longer, so that something is whole on a busy machine, too.
          round > 12 ? 60_000 : chance.next() * 1200 * round,
        );
        if (done === null) killed += 1;
        kept += whole.size;
        const fetched = (await asked(before))
          .filter(({ method, object }) => method === 'GET' && object !== null)
          .map(({ object }) => (object ?? '').slice('data/'.length));
        expect(
          fetched.filter((name) => whole.has(name)),
          `seed ${SEED}`,
        ).toEqual([]);
      }
      expect(value(done)).toMatchObject({ objects: SMALL + 3, failed: [], refused: [] });
      expect(await tree(destination), `seed ${SEED}`).toEqual(wanted);
      expect(await readdir(journal)).toEqual(['download.jsonl']);
    }
    // There were files to be fetched twice.
    expect(kept).toBeGreaterThan(0);
    await world.emulator.setFaults([]);
  });

  it('upload: whatever the moment, the end is the same, and what is complete is not sent again', async () => {
    const chance = chances(1);
    const wanted = await tree(source);
    await world.emulator.setFaults([
      {
        operation: 'upload-chunk',
        fault: { kind: 'bandwidth', bytesPerSecond: 12 * MIB, of: 'request' },
      },
      { operation: 'upload-simple', fault: { kind: 'latency', milliseconds: 20, spread: 60 } },
    ]);
    let killed = 0;
    let kept = 0;
    for (let scenario = 1; killed < KILLS / 2; scenario += 1) {
      const prefix = `results/up-${SEED}-${scenario}/`;
      const journal = join(world.folder, `up-${scenario}.jsonl`);
      const options = { bucket: OUT, prefix, source, onlyOurs: true, journal };
      let done: Result<UploadReport> | null = null;
      for (let round = 1; done === null; round += 1) {
        const complete = new Set(
          (await readCompletedUploads(journal, OUT)).map(({ name }) => name),
        );
        const before = await requestsSoFar();
        const moment = round > 12 ? 60_000 : chance.next() * 1500 * round;
        done = await runFor<UploadReport>('upload', options, moment);
        if (done === null) killed += 1;
        kept += complete.size;
        const sent = (await asked(before))
          .filter(({ method, object }) => method === 'POST' && object !== null)
          .map(({ object }) => object ?? '');
        expect(
          sent.filter((name) => complete.has(name)),
          `seed ${SEED}`,
        ).toEqual([]);
      }
      const report = value(done);
      expect(report.failed).toEqual([]);
      expect(report.objects).toHaveLength(SMALL + 3);
      const names = await world.names(OUT, prefix);
      expect(names.length).toBe(SMALL + 3);
      const found: Record<string, string> = {};
      for (const name of names)
        found[name.slice(prefix.length)] = createHash('sha256')
          .update(await world.get(OUT, name))
          .digest('hex');
      expect(Object.fromEntries(Object.entries(found).sort()), `seed ${SEED}`).toEqual(wanted);
      // Nothing assumed that was confirmed, and what was assumed is told with its checksum.
      expect(
        report.objects.filter(({ assumed, generation }) => assumed !== (generation === null)),
      ).toEqual([]);
    }
    // There were objects to be sent twice.
    expect(kept).toBeGreaterThan(0);
    await world.emulator.setFaults([]);
  });
});

describe('a journal', { timeout: 60_000 }, () => {
  /** A download that was cut off, whose large files are begun. */
  async function begun() {
    const number = (count += 1);
    const options = {
      endpoints: world.endpoints,
      tokens: await world.tokens('reader', 'read'),
      bucket: IN,
      target: { kind: 'folder', prefix: 'data/' } as const,
      destination: join(world.folder, `begun-${number}`),
      journal: join(world.folder, `begun-journal-${number}`),
    };
    const controller = new AbortController();
    await world.emulator.setFaults([
      { operation: 'media', fault: { kind: 'bandwidth', bytesPerSecond: 12 * MIB } },
    ]);
    await download({
      ...options,
      signal: controller.signal,
      onProgress: ({ bytes }) => {
        if (bytes > 12 * MIB) controller.abort();
      },
    });
    await world.emulator.setFaults([]);
    const folder = join(options.journal, 'partial');
    const names = (await readdir(folder)).map((name) => join(folder, name));
    expect(names.length).toBeGreaterThan(0);
    return { options, files: [...names, join(options.journal, 'download.jsonl')] };
  }

  const damages: Readonly<Record<string, (path: string) => Promise<void>>> = {
    'cut off': async (path) => {
      const handle = await open(path, 'r+');
      await handle.truncate(Math.floor((await handle.stat()).size * 0.6));
      await handle.close();
    },
    emptied: (path) => writeFile(path, ''),
    'with other digits': async (path) =>
      writeFile(
        path,
        (await readFile(path, 'latin1')).replace(
          /[0-8](?=[0-9]*,)/g,
          (digit) => `${Number(digit) + 1}`,
        ),
        'latin1',
      ),
    'with zeros in it': async (path) => {
      const bytes = await readFile(path);
      bytes.fill(0, Math.floor(bytes.length / 3), Math.floor(bytes.length / 2));
      await writeFile(path, bytes);
    },
    'of something else': (path) =>
      writeFile(path, `${randomBytes(3000).toString('latin1')}\n{}\n[]\nnull\n`),
    'that claims what is not there': async (path) => {
      const head = (await readFile(path, 'utf8')).split('\n')[0] ?? '';
      const claim = { position: 0, length: 20 * MIB + 11, checksum: 1 };
      await writeFile(path, `${head}\n${checkedLine(claim)}\n`);
    },
  };
  it.each(Object.keys(damages))('%s does no harm', async (kind) => {
    const { options, files } = await begun();
    for (const file of files) await damages[kind]!(file);
    expect(value(await download(options)).failed).toEqual([]);
    expect(await tree(options.destination)).toEqual(await tree(source));
  });

  it('is believed for this machine’s present run alone; after a restart of it the bytes are read', async () => {
    const { options, files } = await begun();
    for (const file of files) {
      const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
      const other = lines.map((line) => {
        const entry = JSON.parse(line.slice(9)) as object;
        return checkedLine('boot' in entry ? { ...entry, boot: 'another' } : entry);
      });
      await writeFile(file, `${other.join('\n')}\n`);
    }
    // What the machine lost when its power went: the middle of every begun file, and the whole of a complete one.
    for (const name of await readdir(options.destination, { recursive: true })) {
      const path = join(options.destination, name);
      if (!name.endsWith('.trainyard-partial') && name !== 's/0') continue;
      const handle = await open(path, 'r+');
      const { size } = await stat(path);
      await handle.write(Buffer.alloc(Math.min(2 * MIB, size)), 0, undefined, Math.floor(size / 4));
      await handle.truncate(size);
      await handle.close();
    }
    expect(value(await download(options)).failed).toEqual([]);
    expect(await tree(options.destination)).toEqual(await tree(source));
  });

  it('of an upload that is damaged makes nothing wrong', async () => {
    const journal = join(world.folder, 'damaged.jsonl');
    const prefix = 'results/damaged/';
    const options = {
      endpoints: world.endpoints,
      tokens: await world.tokens('writer', 'write'),
      bucket: OUT,
      prefix,
      source,
      onlyOurs: true,
      journal,
    };
    const first = value(await upload(options));
    // In `done` lines alone: what was attempted stays known.
    const text = await readFile(journal, 'utf8');
    await writeFile(
      journal,
      text
        .split('\n')
        .map((line) => (line.includes('"done"') ? line.replace('"crc32c":"', '"crc32c":"A') : line))
        .join('\n'),
    );
    const second = value(await upload(options));
    expect(second.failed).toEqual([]);
    const sums = (report: UploadReport) =>
      report.objects.map(({ name, size, crc32c }) => [name, size, crc32c]).sort();
    expect(sums(second)).toEqual(sums(first));
    expect(second.objects.filter(({ assumed }) => assumed).length).toBeGreaterThan(SMALL);
  });
});
