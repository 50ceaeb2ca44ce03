import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assignGpus, dealGpus } from '../../src/agent/gpu/assign.ts';
import {
  brokenMessage,
  combine,
  parseCards,
  parseMigInstances,
  parseProcesses,
} from '../../src/agent/gpu/parse.ts';
import { readHolders } from '../../src/agent/gpu/machine-locks.ts';
import { isAlive } from '../../src/agent/identity.ts';
import { thin } from '../../src/agent/samples.ts';
import { hostProbeSchema } from '../../src/shared/agent-protocol.ts';
import { NVIDIA_SMI_FOLDERS } from '../../src/shared/nvidia-smi.ts';
import { gpusAwaitedText } from '../../src/shared/gpus-awaited.ts';
import { sampleSchema } from '../../src/shared/gpu.ts';
import {
  callAgent,
  FAKE_NVIDIA_SMI,
  kill,
  makeWorld,
  pause,
  until,
  type TestRun,
  type World,
} from './harness.ts';
import { placeMachine } from '../support/machine.ts';

const CASES = path.resolve(import.meta.dirname, '../fixtures/nvidia-smi');
const recorded = (name: string, file: string): string =>
  readFileSync(path.join(CASES, name, file), 'utf8');
const probeOf = (name: string, withMig = true) =>
  combine(
    parseCards(recorded(name, 'query.csv'), withMig),
    parseMigInstances(recorded(name, 'list.txt')),
    parseProcesses(recorded(name, 'processes.csv')),
  );

describe('what nvidia-smi says', () => {
  test('several cards', () => {
    expect(probeOf('two-cards')).toMatchObject({
      kind: 'gpus',
      driver: '535.183.01',
      gpus: [
        {
          index: 0,
          name: 'NVIDIA A100-SXM4-40GB',
          memoryTotal: 40960,
          memoryUsed: 4,
          power: 50.12,
        },
        { index: 1, utilization: 1, temperature: 34, processes: [] },
      ],
    });
  });
  test('mixed cards, values that are not available, a name with a comma, processes', () => {
    const probe = probeOf('mixed');
    if (probe.kind !== 'gpus') throw new Error(probe.kind);
    expect(probe.gpus.map((gpu) => gpu.processes)).toEqual([[4711, 4712], [], []]);
    expect(probe.gpus[1]?.power).toBeNull();
    expect(probe.gpus[2]).toMatchObject({
      name: 'Quadro T1000, with Max-Q Design',
      memoryTotal: null,
      memoryUsed: null,
      utilization: null,
    });
  });
  test('MIG: instances in the place of their card, none for a card whose MIG has no instance', () => {
    const probe = probeOf('mig');
    if (probe.kind !== 'gpus') throw new Error(probe.kind);
    expect(probe.gpus.map((gpu) => [gpu.uuid.slice(0, 4), gpu.index, gpu.memoryTotal])).toEqual([
      ['MIG-', 0, 20480],
      ['MIG-', 0, 5120],
      ['GPU-', 1, 40960],
    ]);
    expect(probe.gpus[0]?.name).toBe('NVIDIA A100-SXM4-40GB MIG 3g.20gb');
    expect(probe.gpus[2]?.processes).toEqual([99]);
  });
  test('lines that are no card are passed over', () => {
    expect(parseCards('No devices were found\n\n, ,\n', true)).toEqual([]);
    expect(brokenMessage('\n  Failed to initialize NVML\nmore')).toBe('Failed to initialize NVML');
  });
});

test('free cards are those that nobody locked and nobody computes on', () => {
  const probe = probeOf('mixed');
  if (probe.kind !== 'gpus') throw new Error(probe.kind);
  const uuids = probe.gpus.map((gpu) => gpu.uuid);
  expect(assignGpus(probe.gpus, 2, new Set()).chosen?.map((gpu) => gpu.uuid)).toEqual(
    uuids.slice(1),
  );
  const one = assignGpus(probe.gpus, 2, new Set([uuids[1]!]));
  expect([one.free.length, one.chosen]).toEqual([1, null]);
  const dealt = dealGpus([3, 5], probe.gpus.slice(1), 1);
  expect([dealt.get(3)?.[0]?.uuid, dealt.get(5)?.[0]?.uuid]).toEqual(uuids.slice(1));
});

const environmentFor = (folder: string): Record<string, string> => ({
  PATH: `${FAKE_NVIDIA_SMI}:${process.env['PATH'] ?? ''}`,
  FAKE_NVIDIA_SMI: folder,
});

describe.concurrent('probe', () => {
  const probe = async (name: string) => {
    const env = {
      HOME: '/nonexistent',
      SHELL: '/bin/bash',
      ...environmentFor(path.join(CASES, name)),
    };
    const { code, stdout } = await callAgent(['probe', '/tmp/nowhere/yet'], env);
    expect(code).toBe(0);
    return hostProbeSchema.parse(JSON.parse(stdout));
  };
  test('a machine with cards, its disk and its shell', async () => {
    const found = await probe('mixed');
    expect(found.gpus.kind === 'gpus' && found.gpus.gpus.length).toBe(3);
    expect(found.disk.total).toBeGreaterThan(found.disk.free);
    expect(found.survivesLogoutReason).not.toBe('');
  });
  test('an old driver, a missing one, one that does not match', async () => {
    const old = await probe('old-driver');
    expect(old.gpus).toMatchObject({
      kind: 'gpus',
      gpus: [{ name: 'Tesla K80', memoryTotal: 11441 }],
    });
    const missing = await probe('driver-missing');
    expect(missing.gpus.kind === 'broken' && missing.gpus.message).toContain(
      'communicate with the NVIDIA driver',
    );
    const mismatch = await probe('mismatch');
    expect(mismatch.gpus.kind === 'broken' && mismatch.gpus.message).toContain('version mismatch');
  });
  const isInstalled = NVIDIA_SMI_FOLDERS.some((folder) =>
    existsSync(path.join(folder, 'nvidia-smi')),
  );
  test.skipIf(isInstalled)('no nvidia-smi', async () => {
    const { stdout } = await callAgent(['probe', '/tmp'], {
      PATH: '/nonexistent',
      HOME: '/',
      SHELL: '/bin/sh',
    });
    expect(hostProbeSchema.parse(JSON.parse(stdout)).gpus).toEqual({ kind: 'no-tool' });
  });
});

describe('jobs with GPUs', () => {
  let world: World;
  let machine: string;
  beforeAll(async () => {
    world = await makeWorld();
    machine = path.join(world.root, 'machine');
    placeMachine(machine, 'two-cards');
    Object.assign(world.environment, environmentFor(machine));
  });
  afterAll(() => world.remove());

  const WAITING =
    'echo "$CUDA_VISIBLE_DEVICES"; while [ ! -e "$TRAINYARD_CHECKPOINT_PATH/go" ]; do sleep 0.05; done';
  const go = (run: TestRun): void => {
    mkdirSync(run.at('checkpoints/worker-0'), { recursive: true });
    writeFileSync(run.at('checkpoints/worker-0/go'), '');
  };
  const cardsOf = (run: TestRun): string[] => run.read('logs/worker-0.log').trim().split(',');

  test('two jobs share a machine, a third waits, a card outlives its killed agent, two-card jobs mix', async () => {
    const [first, second, third] = [
      await world.run({ gpusPerWorker: 1, workers: [WAITING] }),
      await world.run({ gpusPerWorker: 1, workers: [WAITING] }),
      await world.run({ gpusPerWorker: 2, workers: [WAITING] }),
    ];
    const agent = await first.begin();
    await first.waitFor('worker-started');
    await second.begin();
    const started = await second.waitFor('worker-started');
    expect(started.gpus).toHaveLength(1);
    expect(second.events().some((event) => event.kind === 'gpus-awaited')).toBe(false);
    await until(
      () => existsSync(first.at('logs/worker-0.log')) && first.read('logs/worker-0.log') !== '',
      'card of the first',
    );
    await until(
      () => existsSync(second.at('logs/worker-0.log')) && second.read('logs/worker-0.log') !== '',
      'card of the second',
    );
    expect(new Set([...cardsOf(first), ...cardsOf(second)]).size).toBe(2);
    expect(cardsOf(first)[0]).toMatch(/^GPU-/);

    kill(agent.pid);
    await until(() => !isAlive(agent), 'the agent is gone');
    await third.begin();
    expect(await third.waitFor('gpus-awaited')).toMatchObject({
      needed: 2,
      free: 0,
      total: 2,
      taken: [
        { index: 0, run: path.basename(first.directory), processes: [] },
        { index: 1, run: path.basename(second.directory), processes: [] },
      ],
    });
    go(second);
    await second.ended();
    await third.waitFor('gpus-awaited', (event) => event.free === 1);
    await first.begin();
    await first.waitFor('worker-adopted');
    go(first);
    expect(await first.ended(2)).toMatchObject({ state: 'finished' });
    await third.waitFor('worker-started');
    go(third);
    expect(await third.ended()).toMatchObject({ state: 'finished' });
    expect(cardsOf(third)).toHaveLength(2);
    const samples = third.read('logs/samples.jsonl').trim().split('\n');
    const sample = sampleSchema.parse(JSON.parse(samples[0]!));
    expect(sample.gpus).toHaveLength(2);
    // Only Linux tells what goes over the network.
    expect(sample.network).toEqual(
      process.platform === 'linux'
        ? { in: expect.any(Number) as number, out: expect.any(Number) as number }
        : null,
    );
  }, 60_000);

  test('more cards than the machine has are refused; a card that others use is waited for, and a stop ends the wait', async () => {
    const greedy = await world.run({ gpusPerWorker: 1, workers: ['true', 'true', 'true'] });
    await greedy.begin();
    expect(await greedy.ended()).toMatchObject({
      state: 'failed',
      stage: 'waiting',
      problem: { code: 'host.too-few-gpus' },
    });
    const query = readFileSync(path.join(machine, 'query.csv'), 'utf8');
    const uuid = /GPU-\S+(?=,)/.exec(query)![0];
    writeFileSync(path.join(machine, 'processes.csv'), `${uuid}, 4711\n`);
    const one = await world.run({ gpusPerWorker: 1, workers: ['echo "$CUDA_VISIBLE_DEVICES"'] });
    const two = await world.run({ gpusPerWorker: 1, workers: ['true', 'true'] });
    await Promise.all([one.begin(), two.begin()]);
    expect(await one.ended()).toMatchObject({ state: 'finished' });
    expect(cardsOf(one)).not.toContain(uuid);
    expect(await two.waitFor('gpus-awaited')).toMatchObject({
      taken: expect.arrayContaining([
        { index: 0, run: null, processes: [4711], needsReset: false },
      ]) as unknown,
    });
    await two.stop();
    expect(await two.ended()).toMatchObject({ state: 'stopped', stage: 'waiting' });
    writeFileSync(path.join(machine, 'processes.csv'), '');
  }, 60_000);
});

describe('a card is one card for everybody on the machine', () => {
  const HOLDS = 'while [ ! -e "$TRAINYARD_CHECKPOINT_PATH/go" ]; do sleep 0.05; done';
  const isRoot = process.getuid?.() === 0;

  test.each([
    ['another home of the same user', undefined],
    ['another user', 65_534],
  ])(
    '%s waits for it, also while its agent is dead',
    async (_who, user) => {
      if (user !== undefined && !isRoot) return;
      const worlds = [await makeWorld(), await makeWorld({}, user)] as const;
      try {
        const machine = path.join(worlds[0].root, 'machine');
        placeMachine(machine, 'old-driver');
        for (const { environment } of worlds) Object.assign(environment, environmentFor(machine));
        await chmod(worlds[0].root, 0o755);
        const [first, second] = [
          await worlds[0].run({ gpusPerWorker: 1, workers: [HOLDS] }),
          await worlds[1].run({ gpusPerWorker: 1, workers: ['true'] }),
        ];
        const agent = await first.begin();
        await first.waitFor('worker-started');
        await second.begin();
        const waits = await second.waitFor('gpus-awaited');
        expect(waits.taken).toMatchObject([
          { index: 0, run: first.id, holder: userInfo().username },
        ]);
        expect(gpusAwaitedText(waits).message).toContain(
          `the job ${first.id} of ${userInfo().username}`,
        );
        kill(agent.pid);
        await until(() => !isAlive(agent), 'the agent is gone');
        // It looks every two seconds: what it would take without the agent it would have by now.
        await pause(2_500);
        expect(second.events().some(({ kind }) => kind === 'worker-started')).toBe(false);
        await first.begin();
        await first.waitFor('worker-adopted');
        mkdirSync(first.at('checkpoints/worker-0'), { recursive: true });
        writeFileSync(first.at('checkpoints/worker-0/go'), '');
        expect(await first.ended(2)).toMatchObject({ state: 'finished' });
        expect(await second.ended()).toMatchObject({ state: 'finished' });
      } finally {
        await Promise.all(worlds.map((world) => world.remove()));
      }
    },
    60_000,
  );

  test('who takes the name of a card keeps others off it, and no more; a name that only tells is no lock', () => {
    const line = (name: string): string => `0000: 00000002 00000000 00010000 0001 01 28 ${name}\n`;
    const table =
      line('@trainyard-gpu-GPU-1') +
      line('@trainyard-gpu-GPU-2:65534:20260101-000000-aaaaaa') +
      line('@trainyard-gpu-GPU-3') +
      line('@trainyard-gpu-GPU-3:65534:20260101-000000-\u001b[2J') +
      line('/run/trainyard-gpu-GPU-4');
    expect([...readHolders(table, 'nobody:x:65534:65534::/:/bin/false\n')]).toEqual([
      ['GPU-1', { user: null, run: null }],
      ['GPU-3', { user: 'nobody', run: null }],
    ]);
  });
});

test('samples that grow too many are thinned evenly', async () => {
  const world = await makeWorld();
  const file = path.join(world.root, 'samples');
  writeFileSync(file, '0\n1\n2\n3\n4\n');
  thin(file);
  expect(readFileSync(file, 'utf8')).toBe('0\n2\n4\n');
  await world.remove();
});
