import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { makeWorld, pause, until, type World } from './harness.ts';
import { randomBytes } from '../support/random.ts';

vi.setConfig({ testTimeout: 120_000 });

const COMMAND_LINE = path.resolve(import.meta.dirname, '../../src/cli/main.ts');

let world: World;
let folder: string;
beforeAll(async () => {
  world = await makeWorld();
  folder = await mkdtemp(path.join(tmpdir(), 'trainyard-logs-'));
});
afterAll(async () => {
  await world.remove();
  await rm(folder, { recursive: true, force: true });
});

const MIB = 1024 * 1024;
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Bytes that no terminal likes: NUL, invalid UTF-8, escapes, half of a character, every value. */
function hostileBytes(): Buffer {
  const every = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
  return Buffer.concat([
    Buffer.from('before\n'),
    Buffer.alloc(100_000),
    Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0xf0, 0x9f]),
    every,
    Buffer.from('\u001b[2J\u001b]0;title\u0007\r\r\n'),
    Buffer.from('€'.repeat(50_001)).subarray(1),
    every,
  ]);
}

test('a line of 50 MB, NUL bytes and invalid UTF-8 are in the log byte for byte', async () => {
  const hostile = path.join(folder, 'hostile');
  writeFileSync(hostile, hostileBytes());
  const run = await world.run({
    workers: [
      `cat ${hostile}; head -c ${50 * MIB} /dev/zero | tr '\\0' y; cat ${hostile}; printf end`,
    ],
    logLimitBytes: 100 * MIB,
  });
  await run.begin();
  expect(await run.ended()).toMatchObject({ state: 'finished' });
  const expected = Buffer.concat([
    hostileBytes(),
    Buffer.alloc(50 * MIB, 'y'),
    hostileBytes(),
    Buffer.from('end'),
  ]);
  const log = readFileSync(run.at('logs/worker-0.log'));
  expect(log.length).toBe(expected.length);
  expect(sha(log)).toBe(sha(expected));
});

test('a worker that writes as fast as it can fills neither memory nor, past the limit, the disk', async () => {
  const limit = 8 * MIB;
  const run = await world.run({
    workers: [
      `head -c ${600 * MIB} /dev/zero | tr '\\0' z; echo > "$TRAINYARD_OUTPUT_PATH/ran"; touch "$TRAINYARD_CHECKPOINT_PATH/written"; while [ ! -e "$TRAINYARD_CHECKPOINT_PATH/go" ]; do sleep 0.05; done`,
    ],
    logLimitBytes: limit,
  });
  await run.begin();
  await until(() => statSync(run.at('checkpoints/worker-0/written')).isFile(), 'all was written');
  const { pid } = JSON.parse(run.read('workers/0/pid.json')) as { pid: number };
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  // Node.js itself takes about 60 MiB; the worker wrote ten times as much as is allowed here.
  expect(Number(peak)).toBeLessThan(160 * 1024);
  expect(await run.waitFor('worker-log-full')).toMatchObject({ worker: 0, limit });
  writeFileSync(run.at('checkpoints/worker-0/go'), '');
  expect(await run.ended()).toMatchObject({ state: 'finished' });
  expect(run.read('output/worker-0/ran')).toBe('\n');
  const log = readFileSync(run.at('logs/worker-0.log'));
  expect(log.length).toBeLessThan(limit + 200);
  expect(sha(log.subarray(0, limit))).toBe(sha(Buffer.alloc(limit, 'z')));
  expect(log.subarray(limit).toString()).toBe(
    `\n[Trainyard: the log has reached its limit of ${limit} bytes; what follows is not kept]\n`,
  );
  expect(run.events().filter((event) => event.kind === 'worker-log-full')).toHaveLength(1);
});

test('the limit holds over retries, and is told once', async () => {
  const run = await world.run({
    workers: [
      'head -c 30000 /dev/zero; [ -e "$TRAINYARD_CHECKPOINT_PATH/t" ] && exit 0; touch "$TRAINYARD_CHECKPOINT_PATH/t"; exit 1',
    ],
    logLimitBytes: 20_000,
  });
  await run.begin();
  expect(await run.ended(1)).toMatchObject({ state: 'failed' });
  const before = readFileSync(run.at('logs/worker-0.log'));
  await run.begin();
  expect(await run.ended(2)).toMatchObject({ state: 'finished' });
  expect(readFileSync(run.at('logs/worker-0.log')).equals(before)).toBe(true);
  expect(run.events().filter((event) => event.kind === 'worker-log-full')).toHaveLength(1);
});

test('the log of setup has the same limit, and says so in the log and the events', async () => {
  const run = await world.run({
    setup: 'head -c 5000000 /dev/zero | tr "\\0" s; echo done > prepared',
    workers: ['cat prepared'],
    logLimitBytes: 30_000,
  });
  await run.begin();
  expect(await run.ended()).toMatchObject({ state: 'finished' });
  const log = run.read('logs/stage.log');
  expect(log.length).toBeLessThan(30_300);
  const [told, output] = log.split('\n');
  expect(told).toMatch(/^code: 1 file/);
  expect(output?.length).toBeGreaterThan(29_900);
  expect(output).toMatch(/^s+$/);
  expect(log).toContain('its limit of 30000 bytes');
  await run.waitFor('warning', (event) => event.message.includes('setup has reached'));
  expect(run.read('logs/worker-0.log')).toBe('done\n');
});

test('a worker that closes its output early ends all the same', async () => {
  const run = await world.run({
    workers: ['echo said; exec >&- 2>&-; sleep 0.3; touch "$TRAINYARD_OUTPUT_PATH/quiet"'],
  });
  await run.begin();
  expect(await run.ended()).toMatchObject({ state: 'finished' });
  expect(run.read('logs/worker-0.log')).toBe('said\n');
});

test('`trainyard logs` prints such a log as it is, in bounded memory, also to a reader that is slow', async () => {
  const run = await world.run();
  await run.begin();
  await run.ended();
  const content = Buffer.concat([
    hostileBytes(),
    randomBytes(40 * MIB),
    Buffer.alloc(200 * MIB, 'y'),
    hostileBytes(),
  ]);
  writeFileSync(run.at('logs/worker-0.log'), content);
  const child = spawn(process.execPath, [COMMAND_LINE, 'logs', run.id], {
    env: { ...world.environment, TRAINYARD_HOME: world.home, TRAINYARD_VAULT: 'passphrase' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const peakOf = (): number => {
    try {
      const status = readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8');
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0);
    } catch {
      return 0;
    }
  };
  let peak = 0;
  let size = 0;
  const sum = createHash('sha256');
  const closed = once(child, 'close');
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    if (size === 0) await pause(2_000);
    if (size >> 23 !== (size + chunk.length) >> 23) peak = Math.max(peak, peakOf());
    size += chunk.length;
    sum.update(chunk);
  }
  expect(await closed).toEqual([0, null]);
  expect(size).toBe(content.length);
  expect(sum.digest('hex')).toBe(sha(content));
  expect(peak).toBeGreaterThan(0);
  // The log is 240 MiB; the command line itself takes about 130, and what waits for the garbage collection about 70.
  expect(peak).toBeLessThan(280 * 1024);
});
