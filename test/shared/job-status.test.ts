import { describe, expect, it } from 'vitest';
import type { RunEvent, RunEventBody } from '../../src/shared/events.ts';
import { leftOutText } from '../../src/shared/left-out.ts';
import { deriveJobStatus, type JobStatus } from '../../src/shared/job-status.ts';

const START = Date.parse('2026-01-01T00:00:00.000Z');
const agent = { pid: 7, startTime: '1', bootId: 'b' };
const context = {
  workers: 2,
  agentAlive: true,
  createdAt: new Date(START).toISOString(),
  now: START + 60_000,
};

function events(...bodies: readonly RunEventBody[]): readonly RunEvent[] {
  return bodies.map((body, index) => ({
    format: 1,
    seq: index + 1,
    time: new Date(START + index * 1000).toISOString(),
    ...body,
  }));
}

const status = (bodies: readonly RunEventBody[], agentAlive = true): JobStatus =>
  deriveJobStatus(events(...bodies), { ...context, agentAlive });

const started: RunEventBody = { kind: 'agent-started', agent, version: 'v', attempt: 1 };
const running: readonly RunEventBody[] = [
  started,
  { kind: 'stage-started', stage: 'staging' },
  { kind: 'stage-ended', stage: 'staging' },
  { kind: 'stage-started', stage: 'waiting' },
  { kind: 'stage-ended', stage: 'waiting' },
  { kind: 'stage-started', stage: 'running' },
  { kind: 'worker-started', worker: 0, pid: 10, startTime: '5', start: 1, gpus: [] },
  { kind: 'worker-started', worker: 1, pid: 11, startTime: '5', start: 1, gpus: [] },
];
const failed: readonly RunEventBody[] = [
  ...running,
  { kind: 'worker-ended', worker: 0, exitCode: 0, signal: null, stopped: false },
  { kind: 'worker-ended', worker: 1, exitCode: 3, signal: null, stopped: false },
  { kind: 'stage-ended', stage: 'running' },
  { kind: 'stage-started', stage: 'uploading' },
  { kind: 'stage-ended', stage: 'uploading' },
  {
    kind: 'ended',
    state: 'failed',
    stage: 'running',
    problem: {
      code: 'job.worker-failed',
      op: 'run the workers',
      subject: 'worker 1',
      message: 'Worker 1 ended with exit status 3.',
      hint: '',
      retryable: false,
    },
  },
];

describe('deriveJobStatus', () => {
  it('is queued before the first event, and interrupted when no agent came', () => {
    expect(deriveJobStatus([], { ...context, agentAlive: false, now: START + 1000 }).state).toBe(
      'queued',
    );
    expect(deriveJobStatus([], { ...context, agentAlive: false, now: START + 31_000 }).state).toBe(
      'interrupted',
    );
  });

  it('passes through the stages', () => {
    expect(status(running.slice(0, 1)).state).toBe('queued');
    expect(status(running.slice(0, 2)).state).toBe('staging');
    expect(status(running.slice(0, 4)).state).toBe('waiting');
    expect(status(running).state).toBe('running');
    expect(status(running).stages.map((stage) => stage.state)).toEqual([
      'done',
      'done',
      'active',
      'pending',
    ]);
  });

  it('is interrupted when its agent is gone before the end, and keeps what is known of its workers', () => {
    const interrupted = status(running, false);
    expect(interrupted.state).toBe('interrupted');
    expect(interrupted.workers.map((worker) => [worker.state, worker.pid])).toEqual([
      ['running', 10],
      ['running', 11],
    ]);
  });

  it('does not mind a missing agent after the end', () => {
    expect(status(failed, false).state).toBe('failed');
  });

  it('tells each worker and the stage that failed', () => {
    const result = status(failed);
    expect(result.workers.map((worker) => [worker.state, worker.exitCode])).toEqual([
      ['finished', 0],
      ['failed', 3],
    ]);
    expect(result.failedStage).toBe('running');
    expect(result.problem?.code).toBe('job.worker-failed');
    expect(result.stages.map((stage) => stage.state)).toEqual(['done', 'done', 'failed', 'done']);
  });

  it('forgets the failure once a retry begins, and keeps the stages that are done', () => {
    const retried = status([
      ...failed,
      { ...started, attempt: 2 },
      { kind: 'stage-started', stage: 'running' },
      { kind: 'worker-started', worker: 1, pid: 20, startTime: '9', start: 2, gpus: [] },
    ]);
    expect(retried.state).toBe('running');
    expect(retried.problem).toBeNull();
    expect(retried.failedStage).toBeNull();
    expect(retried.endedAt).toBeNull();
    expect(retried.attempt).toBe(2);
    expect(retried.workers.map((worker) => [worker.state, worker.pid, worker.starts])).toEqual([
      ['finished', 10, 1],
      ['running', 20, 2],
    ]);
  });

  it('waits for access inside its stage', () => {
    const waiting: readonly RunEventBody[] = [
      ...running,
      { kind: 'stage-started', stage: 'uploading' },
      { kind: 'access-awaited', account: 'a@p.iam.gserviceaccount.com', message: 'm', hint: 'h' },
    ];
    expect(status(waiting)).toMatchObject({ state: 'uploading', accessAwaited: { message: 'm' } });
    expect(
      status([...waiting, { kind: 'access-renewed', account: 'a@p.iam.gserviceaccount.com' }])
        .accessAwaited,
    ).toBeNull();
  });

  it('tells a stopped worker from a failed one', () => {
    const stopped = status([
      ...running,
      { kind: 'stop-requested', graceSeconds: 10 },
      { kind: 'worker-ended', worker: 0, exitCode: null, signal: 'SIGTERM', stopped: true },
      { kind: 'ended', state: 'stopped', stage: null, problem: null },
    ]);
    expect(stopped.state).toBe('stopped');
    expect(stopped.workers[0]?.state).toBe('stopped');
  });

  const states = (bodies: readonly RunEventBody[], agentAlive = true) =>
    status(bodies, agentAlive).stages.map((stage) => stage.state);
  const end = (
    state: 'finished' | 'failed' | 'stopped',
    stage: 'staging' | 'running' | 'uploading' | null,
  ): RunEventBody => ({ kind: 'ended', state, stage, problem: null });

  it('a stage in which the run was stopped is stopped, not done', () => {
    const asked: RunEventBody = { kind: 'stop-requested', graceSeconds: 10 };
    expect(states([...running.slice(0, 2), asked, end('stopped', 'staging')])).toEqual([
      'stopped',
      'pending',
      'pending',
      'pending',
    ]);
    // Before any stage began.
    expect(states([started, asked, end('stopped', 'staging')])[0]).toBe('stopped');
    // Workers that were stopped end their stage, and their output is uploaded.
    const stopped: readonly RunEventBody[] = [
      ...running,
      asked,
      { kind: 'worker-ended', worker: 0, exitCode: null, signal: 'SIGTERM', stopped: true },
      { kind: 'stage-ended', stage: 'running' },
      { kind: 'stage-started', stage: 'uploading' },
    ];
    expect(
      states([...stopped, { kind: 'stage-ended', stage: 'uploading' }, end('stopped', 'running')]),
    ).toEqual(['done', 'done', 'stopped', 'done']);
    expect(states([...stopped, end('stopped', 'running')])).toEqual([
      'done',
      'done',
      'stopped',
      'stopped',
    ]);
  });

  it('an upload that failed after a stopped run is failed, one that went through is done', () => {
    const again: readonly RunEventBody[] = [
      ...running,
      { kind: 'stop-requested', graceSeconds: 10 },
      { kind: 'stage-ended', stage: 'running' },
      end('stopped', 'running'),
      { ...started, attempt: 2 },
      { kind: 'stage-started', stage: 'uploading' },
    ];
    expect(states([...again, end('stopped', 'running')])).toEqual([
      'done',
      'done',
      'stopped',
      'failed',
    ]);
    expect(
      states([...again, { kind: 'stage-ended', stage: 'uploading' }, end('stopped', 'running')])[3],
    ).toBe('done');
  });

  it('a retry keeps what is done before the stage that was not, and does the rest again', () => {
    const retry: RunEventBody = { ...started, attempt: 2 };
    expect(states([...failed, retry])).toEqual(['done', 'done', 'pending', 'pending']);
    expect(
      states([
        ...running.slice(0, 2),
        { kind: 'stop-requested', graceSeconds: 10 },
        end('stopped', 'staging'),
        retry,
      ]),
    ).toEqual(['pending', 'pending', 'pending', 'pending']);
  });

  it('an active stage that nobody carries is interrupted, and goes on with the retry', () => {
    expect(states(running, false)).toEqual(['done', 'done', 'interrupted', 'pending']);
    expect(
      states([...running, { ...started, attempt: 2 }, { kind: 'stage-started', stage: 'running' }]),
    ).toEqual(['done', 'done', 'active', 'pending']);
  });
});

describe('what was left out', () => {
  const left = (what: 'data' | 'output', refused: number): RunEventBody => ({
    kind: 'left-out',
    what,
    refused,
    failed: 0,
    first: [{ name: 'a\nb', reason: 'the name of an object can hold no line break' }].slice(
      0,
      refused,
    ),
    list: `journals/${what}-left-out.json`,
  });

  it('is told of the last try alone, and outlives the attempts after it', () => {
    const seen = status([started, left('data', 1), left('output', 2), left('output', 3)]);
    expect(seen.leftOut.map(({ what, refused }) => [what, refused])).toEqual([
      ['data', 1],
      ['output', 3],
    ]);
    const after = status([started, left('data', 1), left('output', 2), started, left('output', 0)]);
    expect(after.leftOut.map(({ what }) => what)).toEqual(['data']);
  });

  it('is said in one sentence, with what no terminal should see written out', () => {
    const [one] = status([started, left('output', 1)]).leftOut;
    expect(leftOutText(one!, 5)).toEqual({
      message:
        '1 file of the output was left out. "a\\nb": the name of an object can hold no line break.',
      hint: 'Everything else is in the bucket. Rename or replace them in the output folder of the run directory, then upload again. All are listed in journals/output-left-out.json in the run directory.',
    });
    const [many] = status([started, left('output', 1_234)]).leftOut;
    expect(leftOutText(many!, 5).message).toContain('; and 1,233 more.');
  });

  it('an attempt that takes up workers of an earlier one took as long as they did', () => {
    const began = events(...running)[6]!.time;
    const again: readonly RunEventBody[] = [
      ...running,
      { ...started, attempt: 2 },
      { kind: 'stage-started', stage: 'running' },
    ];
    expect(status(again).stages[2]!.startedAt! > began).toBe(true);
    for (const taken of [
      { kind: 'worker-adopted', worker: 0, pid: 10 },
      { kind: 'worker-ended', worker: 0, exitCode: 0, signal: null, stopped: false },
    ] as const)
      expect(status([...again, taken])).toMatchObject({
        attemptStartedAt: began,
        stages: [{}, {}, { state: 'active', startedAt: began }, {}],
      });
  });

  it('one that finds a worker gone begins anew: how long nobody was there does not count', () => {
    const again = [
      ...running,
      { ...started, attempt: 2 },
      { kind: 'stage-started', stage: 'running' },
      { kind: 'worker-ended', worker: 0, exitCode: null, signal: null, stopped: false },
    ] as const;
    const { attemptStartedAt, stages } = status(again);
    expect(attemptStartedAt).toBe(events(...again).at(-3)?.time);
    expect(stages[2]?.startedAt).toBe(events(...again).at(-2)?.time);
  });

  it('waits for cards until another stage begins, or nothing carries it', () => {
    const waits: readonly RunEventBody[] = [
      started,
      { kind: 'stage-started', stage: 'waiting' },
      { kind: 'gpus-awaited', needed: 1, free: 0, total: 1, taken: [] },
    ];
    expect(status(waits).gpusAwaited).toMatchObject({ needed: 1 });
    expect(status(waits, false).gpusAwaited).toBeNull();
    for (const next of [
      { kind: 'stage-ended', stage: 'waiting' },
      { kind: 'stage-started', stage: 'running' },
    ] as const)
      expect(status([...waits, next]).gpusAwaited).toBeNull();
  });
});
