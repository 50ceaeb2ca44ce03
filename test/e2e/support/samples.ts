import type { RunEventBody } from '../../../src/shared/events.ts';
import type { WrittenRun } from './runs.ts';

const identity = { pid: 4_000, startTime: '1', bootId: 'b' };
const started = (seconds: number): readonly [number, RunEventBody] => [
  seconds,
  { kind: 'agent-started', agent: identity, version: '0.1.0', attempt: 1 },
];
const workerStarted = (worker: number, seconds: number): readonly [number, RunEventBody] => [
  seconds,
  { kind: 'worker-started', worker, pid: 4_100 + worker, startTime: '2', start: 1, gpus: [] },
];
const workerEnded = (
  worker: number,
  seconds: number,
  exitCode: number,
): readonly [number, RunEventBody] => [
  seconds,
  { kind: 'worker-ended', worker, exitCode, signal: null, stopped: false },
];
const stage = (
  name: 'staging' | 'waiting' | 'running' | 'uploading',
  from: number,
  to: number,
): readonly (readonly [number, RunEventBody])[] => [
  [from, { kind: 'stage-started', stage: name }],
  [to, { kind: 'stage-ended', stage: name }],
];
const progress = (
  name: 'staging' | 'uploading',
  seconds: number,
  bytes: number,
  objects: number,
): readonly [number, RunEventBody] => [
  seconds,
  {
    kind: 'stage-progress',
    stage: name,
    what: name === 'staging' ? 'data' : 'output',
    progress: {
      bytes,
      bytesTotal: 104_857_600,
      objects,
      objectsTotal: 2_001,
      bytesPerSecond: 8_493_465,
      secondsLeft: bytes === 104_857_600 ? 0 : 7,
    },
  },
];

/** The workers run, one on each card, from the 15th second on. */
export const runningOn = (
  gpus: readonly { readonly uuid: string; readonly index: number; readonly name: string }[],
): WrittenRun['events'] => [
  ...staged,
  [14, { kind: 'stage-started', stage: 'running' }],
  ...gpus.map((gpu, worker): readonly [number, RunEventBody] => [
    15,
    {
      kind: 'worker-started',
      worker,
      pid: 4_100 + worker,
      startTime: '2',
      start: 1,
      gpus: [gpu],
    },
  ]),
];

export const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();

export const staged = [
  started(1),
  [1, { kind: 'stage-started', stage: 'staging' }],
  progress('staging', 3, 104_857_600, 2_001),
  [14, { kind: 'stage-ended', stage: 'staging' }],
  ...stage('waiting', 14, 14),
] as const satisfies WrittenRun['events'];

export const FINISHED: WrittenRun = {
  id: '20261121-090000-aaaaaa',
  name: 'digits-sweep',
  workers: 2,
  createdAt: '2026-11-21T09:00:00.000Z',
  output: 'artifacts-bucket',
  events: [
    ...staged,
    [14, { kind: 'stage-started', stage: 'running' }],
    workerStarted(0, 15),
    workerStarted(1, 15),
    workerEnded(0, 80, 0),
    workerEnded(1, 84, 0),
    [84, { kind: 'stage-ended', stage: 'running' }],
    ...stage('uploading', 84, 86),
    [86, { kind: 'output-uploaded', objects: 6, bytes: 52_310, seconds: 1 }],
    [86, { kind: 'ended', state: 'finished', stage: null, problem: null }],
  ],
  logs: {
    0: 'reading data\nepoch  1/20   5%\repoch 10/20  50%\repoch 20/20 100%\naccuracy 0.961\n',
    1: 'worker one\n',
    stage: 'data: 2,001 objects\n',
  },
};

export const FAILED: WrittenRun = {
  id: '20261121-100000-bbbbbb',
  name: 'a-very-long-job-name-that-somebody-made-from-many-settings-0001',
  workers: 2,
  createdAt: '2026-11-21T10:00:00.000Z',
  output: 'artifacts-bucket',
  events: [
    ...staged,
    [14, { kind: 'stage-started', stage: 'running' }],
    workerStarted(0, 15),
    workerStarted(1, 15),
    workerEnded(0, 20, 0),
    workerEnded(1, 25, 3),
    [25, { kind: 'stage-ended', stage: 'running' }],
    ...stage('uploading', 25, 26),
    [
      26,
      {
        kind: 'ended',
        state: 'failed',
        stage: 'running',
        problem: {
          code: 'job.worker-failed',
          op: 'run the workers',
          subject: 'worker 1',
          message: 'Worker 1 ended with exit status 3.',
          hint: 'Its log says why. Repair the cause, then retry: the job goes on with this worker.',
          retryable: false,
        },
      },
    ],
  ],
  logs: { 0: 'fine\n', 1: 'Traceback: no such layer\n' },
};

/** Begins a minute ago, so that clocks run and nothing has ended. */
export const running = (): WrittenRun => ({
  id: '20261122-110000-cccccc',
  name: 'resnet-baseline',
  workers: 3,
  createdAt: ago(70),
  output: 'artifacts-bucket',
  alive: true,
  events: [
    ...staged,
    [14, { kind: 'stage-started', stage: 'running' }],
    workerStarted(0, 15),
    workerStarted(1, 15),
    workerStarted(2, 15),
    workerEnded(2, 40, 0),
  ],
  logs: {
    0: Array.from({ length: 200 }, (_, i) => `step ${i} loss ${(2 / (i + 1)).toFixed(4)}\n`).join(
      '',
    ),
  },
});

export const stagingNow = (): WrittenRun => ({
  id: '20261122-120000-dddddd',
  name: 'imagenet-subset',
  workers: 1,
  createdAt: ago(12),
  output: 'artifacts-bucket',
  alive: true,
  events: [
    started(1),
    [1, { kind: 'stage-started', stage: 'staging' }],
    progress('staging', 6, 45_300_000, 863),
  ],
});

export const interrupted: WrittenRun = {
  id: '20261120-080000-eeeeee',
  name: 'night-run',
  workers: 1,
  createdAt: '2026-11-20T08:00:00.000Z',
  events: [...staged, [14, { kind: 'stage-started', stage: 'running' }], workerStarted(0, 15)],
};
