import type { CodeState, Progress, RunEvent } from './events.ts';
import type { Gpu } from './gpu.ts';
import type { GpusAwaited } from './gpus-awaited.ts';
import type { LeftOut } from './left-out.ts';
import { processesEndedText, processesLeftText } from './left-processes.ts';
import type { Problem } from './problem.ts';
import { STAGES, type Stage } from './stages.ts';
import type { Activated } from './terminal-environment.ts';

export const JOB_STATES = [
  'queued',
  'staging',
  'waiting',
  'running',
  'uploading',
  'finished',
  'failed',
  'stopped',
  'interrupted',
] as const;
export type JobState = (typeof JOB_STATES)[number];

export const WORKER_STATES = ['pending', 'running', 'finished', 'failed', 'stopped'] as const;
export type WorkerState = (typeof WORKER_STATES)[number];

export interface WorkerStatus {
  readonly index: number;
  readonly state: WorkerState;
  /** Of its last start; null before the first. */
  readonly pid: number | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly gpus: readonly Pick<Gpu, 'uuid' | 'index' | 'name'>[];
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly starts: number;
}

export const STAGE_STATES = [
  'pending',
  'active',
  'done',
  'failed',
  /** Somebody had the run stopped before the stage was through. */
  'stopped',
  /** Nothing carries the run any more, and the stage was not through. */
  'interrupted',
] as const;
export type StageState = (typeof STAGE_STATES)[number];

export interface StageStatus {
  readonly stage: Stage;
  readonly state: StageState;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly progress: Progress | null;
}

/** Everything a screen shows of a run, told from its events alone and whether its agent lives. */
export interface JobStatus {
  readonly state: JobState;
  readonly attempt: number;
  readonly stages: readonly StageStatus[];
  readonly workers: readonly WorkerStatus[];
  readonly code: CodeState | null;
  /** Why it failed, or null. */
  readonly problem: Problem | null;
  /** The stage a retry starts at, when failed. */
  readonly failedStage: Stage | null;
  /** Set while the run waits for fresh access. */
  readonly accessAwaited: {
    readonly account: string;
    readonly message: string;
    readonly hint: string;
  } | null;
  /** Set while the run waits for cards. */
  readonly gpusAwaited: GpusAwaited | null;
  readonly stopRequested: boolean;
  readonly warnings: readonly { readonly message: string; readonly hint: string }[];
  /** What was left out of code, data and output, one entry each where it was anything. */
  readonly leftOut: readonly LeftOut[];
  /** Set while the Jupyter of a notebook answers. */
  readonly notebook: { readonly program: string; readonly version: string } | null;
  /** What the workers of the last attempt find: left out until that is known. */
  readonly environment?: { readonly python: string | null; readonly activated: Activated | null };
  readonly startedAt: string | null;
  /** When the agent of the last attempt began. */
  readonly attemptStartedAt: string | null;
  readonly endedAt: string | null;
  /** What of the input is in place, and how much of it the last attempt found there. */
  readonly staged: {
    readonly objects: number;
    readonly bytes: number;
    readonly skipped: number;
  } | null;
  readonly uploaded: { readonly objects: number; readonly bytes: number } | null;
  /** The last event's number; 0 without any. */
  readonly seq: number;
}

/** The status of a run before its first event. `stages`: those that its kind passes through, of a transfer one. */
export function initialStatus(workers: number, stages: readonly Stage[] = STAGES): JobStatus {
  return {
    state: 'queued',
    attempt: 0,
    stages: stages.map((stage) => ({
      stage,
      state: 'pending',
      startedAt: null,
      endedAt: null,
      progress: null,
    })),
    workers: Array.from({ length: workers }, (_, index) => ({
      index,
      state: 'pending',
      pid: null,
      exitCode: null,
      signal: null,
      gpus: [],
      startedAt: null,
      endedAt: null,
      starts: 0,
    })),
    code: null,
    problem: null,
    failedStage: null,
    accessAwaited: null,
    gpusAwaited: null,
    stopRequested: false,
    warnings: [],
    leftOut: [],
    notebook: null,
    startedAt: null,
    attemptStartedAt: null,
    endedAt: null,
    staged: null,
    uploaded: null,
    seq: 0,
  };
}

/** Takes one event into a status. Pure; unknown workers are ignored. */
export function applyEvent(status: JobStatus, event: RunEvent): JobStatus {
  return { ...applyKind(status, event), seq: event.seq };
}

function applyKind(status: JobStatus, event: RunEvent): JobStatus {
  switch (event.kind) {
    case 'agent-started':
      return {
        ...status,
        state: 'queued',
        attempt: event.attempt,
        startedAt: status.startedAt ?? event.time,
        attemptStartedAt: event.time,
        endedAt: null,
        problem: null,
        failedStage: null,
        accessAwaited: null,
        gpusAwaited: null,
        stopRequested: false,
        stages: stillDone(status.stages),
      };
    case 'stage-started':
      return {
        ...withStage(status, event.stage, (stage) => ({
          ...stage,
          state: 'active',
          startedAt: event.time,
          endedAt: null,
        })),
        state: event.stage,
        gpusAwaited: null,
      };
    case 'stage-progress':
      return withStage(status, event.stage, (stage) => ({ ...stage, progress: event.progress }));
    case 'stage-ended':
      return withStage({ ...status, gpusAwaited: null }, event.stage, (stage) => ({
        ...stage,
        state: 'done',
        endedAt: event.time,
      }));
    case 'code-staged':
      return { ...status, code: event.state };
    case 'worker-started':
      return withWorker(status, event.worker, (worker) => ({
        ...worker,
        state: 'running',
        pid: event.pid,
        exitCode: null,
        signal: null,
        gpus: event.gpus,
        startedAt: event.time,
        endedAt: null,
        starts: event.start,
      }));
    case 'worker-adopted':
      return withWorker(goesOnSince(status, event.worker), event.worker, (worker) => ({
        ...worker,
        state: 'running',
        pid: event.pid,
      }));
    case 'worker-ended': {
      const isSeen = event.exitCode !== null || event.signal !== null;
      const since = isSeen ? goesOnSince(status, event.worker) : status;
      return withWorker({ ...since, notebook: null }, event.worker, (worker) => ({
        ...worker,
        state: event.stopped ? 'stopped' : event.exitCode === 0 ? 'finished' : 'failed',
        exitCode: event.exitCode,
        signal: event.signal,
        endedAt: event.time,
      }));
    }
    case 'access-awaited':
      return {
        ...status,
        accessAwaited: { account: event.account, message: event.message, hint: event.hint },
      };
    case 'access-renewed':
      return { ...status, accessAwaited: null };
    case 'gpus-awaited': {
      const { needed, free, total, taken, useBusy, lost } = event;
      return {
        ...status,
        gpusAwaited: {
          ...{ needed, free, total, taken },
          ...(useBusy === undefined ? {} : { useBusy }),
          ...(lost === undefined ? {} : { lost }),
        },
      };
    }
    case 'data-staged': {
      const { objects, bytes, skipped } = event;
      return { ...status, staged: { objects, bytes, skipped } };
    }
    case 'output-uploaded':
      return { ...status, uploaded: { objects: event.objects, bytes: event.bytes } };
    case 'notebook-ready':
      return { ...status, notebook: { program: event.program, version: event.version } };
    case 'stop-requested':
      return { ...status, stopRequested: true };
    case 'warning':
      return withWarning(status, event);
    case 'processes-left':
      return withWarning(status, processesLeftText(event));
    case 'processes-ended':
      return withWarning(status, processesEndedText(event));
    case 'left-out': {
      const { what, refused, failed, first, list } = event;
      const others = status.leftOut.filter((one) => one.what !== what);
      return {
        ...status,
        leftOut:
          refused + failed === 0 ? others : [...others, { what, refused, failed, first, list }],
      };
    }
    case 'ended':
      return {
        ...status,
        state: event.state,
        problem: event.problem,
        failedStage: event.stage,
        accessAwaited: null,
        gpusAwaited: null,
        endedAt: event.time,
        stages: status.stages.map((stage) => {
          const state = stateAtEnd(stage, event, status.stopRequested);
          return state === stage.state
            ? stage
            : { ...stage, state, endedAt: stage.endedAt ?? event.time };
        }),
      };
    case 'environment': {
      const { python, activated } = event;
      return { ...status, environment: { python, activated } };
    }
    case 'setup-ended':
    case 'output-checked':
    case 'manifest-uploaded':
    case 'worker-log-full':
      return status;
  }
}

function withWarning(
  status: JobStatus,
  warning: { readonly message: string; readonly hint: string } | null,
): JobStatus {
  if (warning === null) return status;
  const { message, hint } = warning;
  return { ...status, warnings: [...status.warnings, { message, hint }] };
}

/** An attempt that takes up a worker of an earlier agent, or reads how it ended, goes on from that worker's start, and so does its stage. */
function goesOnSince(status: JobStatus, index: number): JobStatus {
  const since = status.workers.find((worker) => worker.index === index)?.startedAt ?? null;
  const earlier = (time: string | null) =>
    since !== null && time !== null && since < time ? since : time;
  return {
    ...withStage(status, 'running', (stage) => ({ ...stage, startedAt: earlier(stage.startedAt) })),
    attemptStartedAt: earlier(status.attemptStartedAt),
  };
}

/** The stages at the start of another attempt: what comes after one that is not through is done again. */
function stillDone(stages: readonly StageStatus[]): readonly StageStatus[] {
  const first = stages.findIndex(({ state }) => state !== 'done');
  return stages.map((stage, index) =>
    first < 0 || index < first ? stage : { ...stage, state: 'pending', endedAt: null },
  );
}

/** What an attempt's end makes of a stage. Workers that were stopped end their stage, too; it is not done. */
function stateAtEnd(
  { stage, state }: StageStatus,
  end: { readonly state: 'finished' | 'failed' | 'stopped'; readonly stage: Stage | null },
  stopRequested: boolean,
): StageState {
  const isEnded = stage === end.stage;
  switch (end.state) {
    case 'finished':
      return state === 'active' ? 'done' : state;
    case 'failed':
      return state === 'active' || isEnded ? 'failed' : state;
    case 'stopped':
      if (isEnded && (state !== 'done' || stage === 'running')) return 'stopped';
      // The output of a stopped run can be uploaded again, which may fail by itself.
      return state === 'active' ? (stopRequested ? 'stopped' : 'failed') : state;
  }
}

function withStage(
  status: JobStatus,
  stage: Stage,
  change: (stage: StageStatus) => StageStatus,
): JobStatus {
  return {
    ...status,
    stages: status.stages.map((known) => (known.stage === stage ? change(known) : known)),
  };
}

function withWorker(
  status: JobStatus,
  index: number,
  change: (worker: WorkerStatus) => WorkerStatus,
): JobStatus {
  return {
    ...status,
    workers: status.workers.map((known) => (known.index === index ? change(known) : known)),
  };
}

export function hasEnded(state: JobState): boolean {
  return state === 'finished' || state === 'failed' || state === 'stopped';
}

/** Whether something carries a run, or soon will. */
export const goesOn = ({ state }: Pick<JobStatus, 'state'>): boolean =>
  !hasEnded(state) && state !== 'interrupted';

/** Whether code and input of a run are there. */
export const isStaged = ({ stages }: Pick<JobStatus, 'stages'>): boolean =>
  stages.some(({ stage, state }) => stage === 'staging' && state === 'done');

/** How long a run without any event counts as queued before its start counts as failed. Milliseconds. */
const START_TIME = 30_000;

export interface StatusContext {
  readonly workers: number;
  /** Those that its kind passes through; left out: all. */
  readonly stages?: readonly Stage[];
  /** Whether a live process holds the run's lock. */
  readonly agentAlive: boolean;
  /** The plan's `createdAt`. */
  readonly createdAt: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** A run that has not ended and that no agent carries was interrupted. */
export function withAgent(
  status: JobStatus,
  context: Omit<StatusContext, 'workers' | 'stages'>,
): JobStatus {
  if (context.agentAlive || hasEnded(status.state)) return status;
  const starting = status.seq === 0 && context.now - Date.parse(context.createdAt) < START_TIME;
  if (starting) return status;
  return {
    ...status,
    state: 'interrupted',
    accessAwaited: null,
    gpusAwaited: null,
    stages: status.stages.map((stage) =>
      stage.state === 'active' ? { ...stage, state: 'interrupted' } : stage,
    ),
  };
}

/** The status of a run from all its events: the one place that tells a job's state. */
export function deriveJobStatus(events: readonly RunEvent[], context: StatusContext): JobStatus {
  const initial = initialStatus(context.workers, context.stages);
  return withAgent(events.reduce(applyEvent, initial), context);
}
