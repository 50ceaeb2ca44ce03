import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Progress } from '../../src/shared/events.ts';
import type { Result } from '../../src/shared/problem.ts';
import type { DownloadReport } from '../../src/transfer/download.ts';
import type { UploadReport } from '../../src/transfer/upload.ts';
import { IN, OUT, plant, startWorld, tree, value, type World } from './world.ts';
import { randomBytes } from '../support/random.ts';

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));
const MIB = 1024 * 1024;
let world: World;
let count = 0;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

/** Runs a transfer in a child; kills it with SIGKILL once `when` says so. Null: it was killed. */
async function run<T>(
  what: 'download' | 'upload' | 'archive',
  options: { readonly account?: string; readonly [name: string]: unknown },
  when: (progress: Progress) => boolean = () => false,
): Promise<{ readonly done: Result<T>; readonly memory: number } | null> {
  const order = join(world.folder, `order-${(count += 1)}.json`);
  const reading = what === 'download';
  const account = options.account ?? (reading ? 'reader' : 'writer');
  const keyFile = world.emulator.keyFiles[account];
  const purpose = reading ? 'read' : 'write';
  const all = { endpoints: world.endpoints, ...options };
  await writeFile(order, JSON.stringify({ what, keyFile, purpose, options: all }));
  const child = spawn(process.execPath, [CHILD, order], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  let result: { done: Result<T>; memory: number } | null = null;
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { progress?: Progress; done?: Result<T>; grown?: number };
    if (said.progress !== undefined && when(said.progress)) child.kill('SIGKILL');
    if (said.done !== undefined) result = { done: said.done, memory: said.grown ?? 0 };
  }
  await ended;
  return result;
}

/** A sparse-free file of random bytes, cheap to make. */
async function bigFile(path: string, mebibytes: number): Promise<void> {
  const handle = await open(path, 'w');
  const block = randomBytes(4 * MIB);
  for (let at = 0; at < mebibytes / 4; at += 1) {
    block.writeUInt32LE(at);
    await handle.write(block);
  }
  await handle.close();
}

async function planted(mebibytes: number, small: number): Promise<string> {
  const source = join(world.folder, `source-${(count += 1)}`);
  const files = Object.fromEntries(
    Array.from({ length: small }, (_, index) => [`s/${index}`, randomBytes(2000)] as const),
  );
  await mkdir(source);
  await plant(source, files);
  await bigFile(join(source, 'big'), mebibytes);
  return source;
}

describe('a transfer whose process is killed', { timeout: 120_000 }, () => {
  it('download: goes on, fetches complete files no second time, large ones from their journal', async () => {
    const source = await planted(96, 200);
    const boss = { bucket: IN, prefix: 'data/', source, onlyOurs: true };
    const { upload } = await import('../../src/transfer/upload.ts');
    const put = await upload({
      ...boss,
      endpoints: world.endpoints,
      tokens: await world.tokens('boss', 'write'),
      journal: join(world.folder, 'boss.jsonl'),
    });
    expect(value(put).failed).toEqual([]);
    const options = {
      bucket: IN,
      target: { kind: 'folder', prefix: 'data/' },
      destination: join(world.folder, 'destination'),
      journal: join(world.folder, 'download-journal'),
    };
    const total = 96 * MIB + 200 * 2000;
    const before = (await world.emulator.requestLog()).length;
    let killed = 0;
    for (const part of [0.25, 0.3, 0.35]) {
      const end = await run('download', options, ({ bytes }) => bytes > part * total);
      if (end === null) killed += 1;
    }
    expect(killed).toBeGreaterThanOrEqual(1);
    const last = await run<DownloadReport>('download', options);
    const report = value(last!.done);
    expect(report).toMatchObject({ objects: 201, failed: [], refused: [] });
    expect(await tree(options.destination)).toEqual(await tree(source));
    const sent = (await world.emulator.requestLog())
      .slice(before)
      .filter(({ method, object, status }) => method === 'GET' && object !== null && status < 300);
    const times = new Map<string, number>();
    for (const { object } of sent)
      if (object !== 'data/big') times.set(object!, (times.get(object!) ?? 0) + 1);
    // Those under way when it was killed, and those whose journal line was not written yet, may be asked for again.
    const again = [...times.values()].filter((number) => number > 1).length;
    expect(again).toBeLessThanOrEqual(17 * killed);
    const bytes = sent.reduce((sum, request) => sum + request.bytes, 0);
    expect(bytes).toBeLessThan(total * (1 + 0.8 * killed));
  });

  it('upload: goes on with its session, sends nothing complete again, ends with the same bytes', async () => {
    const source = await planted(96, 60);
    const prefix = 'results/killed/';
    const options = {
      bucket: OUT,
      prefix,
      source,
      onlyOurs: true,
      journal: join(world.folder, 'upload.jsonl'),
    };
    let killed = 0;
    for (const part of [30, 60]) {
      const end = await run('upload', options, ({ bytes }) => bytes > part * MIB);
      if (end === null) killed += 1;
    }
    expect(killed).toBeGreaterThanOrEqual(1);
    const before = (await world.emulator.requestLog()).length;
    const last = await run<UploadReport>('upload', options);
    const report = value(last!.done);
    expect(report.failed).toEqual([]);
    expect(report.objects).toHaveLength(61);
    const asked = (await world.emulator.requestLog()).slice(before);
    // No new session for the large file: the old one is asked and fed.
    expect(
      asked.filter(({ method, path }) => method === 'POST' && path.includes('resumable')),
    ).toEqual([]);
    const copy = join(world.folder, 'copy');
    await mkdir(copy);
    for (const { name, relativePath } of report.objects)
      await plant(copy, { [relativePath]: await world.get(OUT, name) });
    expect(await tree(copy)).toEqual(await tree(source));
    await rm(copy, { recursive: true });
  });

  it('archive: is made again, or taken where it was complete', async () => {
    const source = await planted(40, 20);
    const options = {
      bucket: OUT,
      object: 'results/killed.tar.gz',
      source,
      onlyOurs: true,
      journal: join(world.folder, 'archive.jsonl'),
    };
    expect(await run('archive', options, ({ bytes }) => bytes > 10 * MIB)).toBeNull();
    const last = await run<{ files: number }>('archive', options);
    expect(value(last!.done).files).toBe(21);
    expect(await world.names(OUT, 'results/killed.tar.gz')).toHaveLength(1);
  });
});

describe('memory', { timeout: 120_000 }, () => {
  it('grows by far less than the file', async () => {
    const source = await planted(256, 0);
    const up = await run<UploadReport>('upload', {
      bucket: OUT,
      prefix: 'results/memory/',
      source,
      onlyOurs: true,
      journal: join(world.folder, 'memory.jsonl'),
    });
    expect(value(up!.done).failed).toEqual([]);
    expect(up!.memory).toBeLessThan(130 * MIB);
    const down = await run<DownloadReport>('download', {
      account: 'boss',
      bucket: OUT,
      target: { kind: 'object', object: 'results/memory/big' },
      destination: join(world.folder, 'memory'),
      journal: join(world.folder, 'memory-journal'),
    });
    expect(value(down!.done)).toMatchObject({ bytes: 256 * MIB, failed: [] });
    expect(down!.memory).toBeLessThan(130 * MIB);
  });
});
