import {
  goesOn,
  hasEnded,
  type JobState,
  type StageState,
  type StageStatus,
  type WorkerStatus,
} from '../../../shared/job-status.ts';
import type { Progress, Stage } from '../../../shared/events.ts';
import type { LogSource } from '../../../shared/ipc.ts';
import { hasOutputToUpload, type JobView } from '../../../shared/views.ts';
import {
  formatCount,
  formatDuration,
  formatPart,
  formatRate,
  plural,
} from '../../common/format.ts';
import { wordsOf as transferWordsOf } from '../buckets/transfer-words.ts';

export const TABS = ['logs', 'charts', 'timeline', 'files', 'spec'] as const;
export type Tab = (typeof TABS)[number];

/** What the screens say of a job, told from its view alone. Pure. */

const STATE_COLORS: Readonly<Record<JobState, string>> = {
  queued: 'gray',
  staging: 'blue',
  waiting: 'yellow',
  running: 'blue',
  uploading: 'blue',
  finished: 'green',
  failed: 'red',
  stopped: 'gray',
  interrupted: 'orange',
};

const STAGE_NAMES: Readonly<Record<Stage, string>> = {
  staging: 'Stage code and data',
  waiting: 'Wait for GPUs',
  running: 'Run workers',
  uploading: 'Upload output',
};

/** What a stage is called: a transfer has one, and it is called as it is. */
export function stageName(kind: JobView['kind'], stage: Stage): string {
  if (kind === 'transfer') return stage === 'staging' ? 'Download' : 'Upload';
  return STAGE_NAMES[stage];
}

const STAGE_WORDS: Readonly<Record<StageState, string>> = {
  pending: 'to come',
  active: 'now',
  done: 'done',
  failed: 'failed',
  stopped: 'stopped',
  interrupted: 'interrupted',
};

/** The state of a stage in a word. */
export function stageWord(kind: JobView['kind'], state: StageState): string {
  return kind === 'transfer' && state === 'stopped' ? 'paused' : STAGE_WORDS[state];
}

/** The state in a word, and its colour; a transfer's are those that the list of transfers shows. */
export function stateLabelOf(job: JobView): { readonly state: string; readonly color: string } {
  // Of a run that cannot be read no more is known than whether something carries it.
  if (job.unreadable === true)
    return { state: job.agent === null ? 'unreadable' : 'unreadable, running', color: 'orange' };
  if (job.kind === 'transfer') {
    const { state, color } = transferWordsOf(job);
    return { state, color };
  }
  return { state: job.state, color: STATE_COLORS[job.state] };
}

/** What taking a job up again is called. */
export function retryWord(job: JobView): 'Retry' | 'Resume' {
  return job.kind === 'transfer' ? (transferWordsOf(job).goOn ?? 'Resume') : 'Retry';
}

/** A stop can be asked for once, while something goes on. */
export function canStop(job: JobView): boolean {
  return goesOn(job) && !job.status.stopRequested;
}

/** A retry goes on at the stage that failed; it also brings fresh access to a run that waits for it. */
export function canRetry(job: JobView): boolean {
  return (
    job.state === 'failed' ||
    job.state === 'stopped' ||
    job.state === 'interrupted' ||
    job.status.accessAwaited !== null
  );
}

/**
 * What a job has on the disk can be uploaded again once it has ended: what its bucket lacks. Where the upload is what failed, a retry is just
 * that.
 */
export function canUploadAgain(job: JobView): boolean {
  return (
    hasEnded(job.state) &&
    hasOutputToUpload(job) &&
    !(job.state === 'failed' && job.status.failedStage === 'uploading')
  );
}

/** Milliseconds from its start to its end, or to now; null before its start, and where its end is not known. */
export function durationOf(
  span: { readonly startedAt: string | null; readonly endedAt: string | null },
  now: number,
  goesOn: boolean,
): number | null {
  if (span.startedAt === null) return null;
  const end = span.endedAt === null ? (goesOn ? now : null) : Date.parse(span.endedAt);
  return end === null ? null : Math.max(0, end - Date.parse(span.startedAt));
}

/** How long the job took or takes, in words; a dash before its start. */
export function tookOf(job: JobView, now: number): string {
  const took = durationOf(job.status, now, goesOn(job));
  return took === null ? '–' : formatDuration(took);
}

/** `12.3 of 100 MiB, 40 of 2,000 objects`. */
export function amountOf(progress: Progress): string {
  const bytes = formatPart(progress.bytes, progress.bytesTotal);
  const objects = `${formatCount(progress.objects)} of ${plural(progress.objectsTotal, 'object')}`;
  return `${bytes}, ${objects}`;
}

/** `8.10 MiB/s, 12 s left`; empty once the stage is over. */
export function paceOf(stage: StageStatus): string {
  if (stage.progress === null || stage.state !== 'active') return '';
  const { bytesPerSecond, secondsLeft } = stage.progress;
  const left = secondsLeft === null ? '' : `, ${formatDuration(secondsLeft * 1000)} left`;
  return `${formatRate(bytesPerSecond)}${left}`;
}

/** 0 to 100. By bytes; by objects where all are empty. */
export function percentOf(progress: Progress): number {
  const [done, total] =
    progress.bytesTotal > 0
      ? [progress.bytes, progress.bytesTotal]
      : [progress.objects, progress.objectsTotal];
  return total > 0 ? Math.min(100, (100 * done) / total) : 0;
}

/** `exit 0`, `signal SIGKILL`, a dash while it has not ended; of one whose supervisor was ended nobody learns it. */
export function exitOf(worker: WorkerStatus): string {
  if (worker.signal !== null) return `signal ${worker.signal}`;
  if (worker.exitCode !== null) return `exit ${worker.exitCode}`;
  return worker.state === 'pending' || worker.state === 'running' ? '–' : 'not seen';
}

const WORKER_COLORS: Readonly<Record<WorkerStatus['state'], string>> = {
  pending: 'gray',
  running: 'blue',
  finished: 'green',
  failed: 'red',
  stopped: 'gray',
};

/** The state of a worker. What became of one that ran when the run's agent was lost is not known. */
export function workerLabelOf(
  job: Pick<JobView, 'state'>,
  { state }: WorkerStatus,
): { readonly state: string; readonly color: string } {
  return state === 'running' && !goesOn(job)
    ? { state: 'running when last seen', color: 'orange' }
    : { state, color: WORKER_COLORS[state] };
}

/** What there is to see of a job: a transfer runs nothing that is sampled, and what it copied is at its places. */
export function tabsOf({ kind }: Pick<JobView, 'kind'>): readonly Tab[] {
  return kind === 'transfer' ? TABS.filter((tab) => tab !== 'charts' && tab !== 'files') : TABS;
}

/** `2`, and how many of them are through while it runs: `1/2 done`. A transfer has none. */
export function workersOf(job: JobView): string {
  if (job.workers.length === 0) return '–';
  const over = job.workers.filter((worker) => !['pending', 'running'].includes(worker.state));
  return job.state === 'running' && over.length > 0
    ? `${over.length}/${job.workers.length} done`
    : String(job.workers.length);
}

/** Newest first. Ids begin with the time of submission. */
export function newestFirst(jobs: readonly JobView[]): readonly JobView[] {
  return [...jobs].sort((a, b) => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0));
}

/** The list with some jobs new or changed; what an older look says of a job never replaces a newer one. */
export function withChanges(
  jobs: readonly JobView[],
  changed: readonly JobView[],
): readonly JobView[] {
  const fresh = new Map(changed.map((job) => [job.id, job]));
  const list = jobs.map((job) => {
    const now = fresh.get(job.id);
    fresh.delete(job.id);
    return now !== undefined && now.status.seq >= job.status.seq ? now : job;
  });
  return fresh.size === 0 ? list : newestFirst([...list, ...fresh.values()]);
}

/** The list with a page of older jobs; of one that is in both the list is right: it hears of changes. */
export function withOlder(jobs: readonly JobView[], older: readonly JobView[]): readonly JobView[] {
  const known = new Set(jobs.map(({ id }) => id));
  return newestFirst([...jobs, ...older.filter(({ id }) => !known.has(id))]);
}

/** Whose log to show until the user chooses: a failed worker's, else the first one's, and before any started the stages'. */
export function defaultSource(job: JobView): LogSource {
  const started = job.workers.filter((worker) => worker.starts > 0);
  const worker = started.find(({ state }) => state === 'failed') ?? started[0];
  return worker?.index ?? 'stage';
}
