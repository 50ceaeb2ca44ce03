import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { machineMeter } from '../../../src/main/platform/machine-meter.ts';

let folder: string;
let time = 0;
const clock = { now: () => time };

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'trainyard-meter-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** An nvidia-smi that says `answer`, ends with `status` and counts its starts. */
async function fakeTool(answer: string, status = 0): Promise<void> {
  const tool = path.join(folder, 'nvidia-smi');
  await writeFile(path.join(folder, 'starts'), '');
  await writeFile(
    tool,
    `#!/bin/sh\necho x >> "${folder}/starts"\nsleep 0.2\nprintf '%s\\n' '${answer}'\nexit ${status}\n`,
  );
  await chmod(tool, 0o755);
}
const starts = async (): Promise<number> =>
  (await readFile(path.join(folder, 'starts'), 'utf8')).split('\n').length - 1;
const env = () => ({ PATH: `${folder}:${process.env['PATH'] ?? ''}` });

const CARD = '0, GPU-1234, 81559, 40000, 87, 64, 301.2, 550.54, Disabled, NVIDIA H100, 80GB';

test('cards, processors and memory; many questions at once start one nvidia-smi', async () => {
  await fakeTool(CARD);
  const meter = machineMeter(env(), clock);
  const [first] = await Promise.all([meter.look(), meter.look(), meter.look()]);
  expect(await starts()).toBe(1);
  expect(first.gpus).toEqual([
    {
      uuid: 'GPU-1234',
      index: 0,
      name: 'NVIDIA H100, 80GB',
      utilization: 87,
      memoryUsed: 40000,
      memoryTotal: 81559,
      temperature: 64,
    },
  ]);
  expect(first.cpu).toBeNull();
  // One processor is busy for a while.
  for (const end = performance.now() + 200; performance.now() < end;);
  const second = await meter.look();
  expect(second.cpu).toBeGreaterThan(0);
  expect(second.cpu).toBeLessThanOrEqual(100);
  expect(second.memoryUsed).toBeGreaterThan(0);
  expect(second.memoryUsed).toBeLessThan(second.memoryTotal);
});

test('an nvidia-smi that cannot work is left alone for a minute; one that only warns is believed', async () => {
  await fakeTool('NVIDIA-SMI has failed', 9);
  const meter = machineMeter(env(), clock);
  expect((await meter.look()).gpus).toEqual([]);
  expect(await starts()).toBe(2);
  expect((await meter.look()).gpus).toEqual([]);
  expect(await starts()).toBe(2);
  await fakeTool(CARD, 14);
  time += 61_000;
  expect((await meter.look()).gpus).toHaveLength(1);
});
