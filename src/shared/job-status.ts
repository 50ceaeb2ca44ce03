import type { CodeState, Progress, Stage } from './events.ts';
import type { Gpu } from './gpu.ts';
import type { Problem } from './problem.ts';

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

export interface StageStatus {
  readonly stage: Stage;
  readonly state: 'pending' | 'active' | 'done' | 'failed';
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
  readonly stopRequested: boolean;
  readonly warnings: readonly { readonly message: string; readonly hint: string }[];
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly uploaded: { readonly objects: number; readonly bytes: number } | null;
  /** The last event's number; 0 without any. */
  readonly seq: number;
}
