import type { Progress } from '../../../shared/events.ts';
import type { JobView } from '../../../shared/views.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPart,
  formatRate,
  skippedText,
} from '../../common/format.ts';

/** What the list of transfers says of a run that is one. Pure. */

export interface TransferWords {
  readonly state: 'running' | 'pausing' | 'paused' | 'done' | 'failed' | 'interrupted' | 'waiting';
  /** The name of a Mantine colour. */
  readonly color: string;
  /** 0 to 100; null while nobody can tell. */
  readonly percent: number | null;
  readonly amount: string;
  /** A transfer that goes on can be paused, one that does not can be taken up. */
  readonly canPause: boolean;
  /** What taking it up is called; null where it cannot be. */
  readonly goOn: 'Resume' | 'Retry' | null;
}

const COLORS: Readonly<Record<TransferWords['state'], string>> = {
  running: 'blue',
  pausing: 'blue',
  waiting: 'yellow',
  paused: 'gray',
  done: 'green',
  failed: 'red',
  interrupted: 'orange',
};

function stateOf({ state, status }: JobView): TransferWords['state'] {
  if (state === 'finished') return 'done';
  if (state === 'failed') return 'failed';
  if (state === 'stopped') return 'paused';
  if (state === 'interrupted') return 'interrupted';
  if (status.stopRequested) return 'pausing';
  return status.accessAwaited === null ? 'running' : 'waiting';
}

const progressOf = (job: JobView): Progress | null =>
  job.status.stages.find(({ progress }) => progress !== null)?.progress ?? null;

export function wordsOf(job: JobView): TransferWords {
  const state = stateOf(job);
  const progress = progressOf(job);
  return {
    state,
    color: COLORS[state],
    percent: state === 'done' ? 100 : progress === null ? null : percentOf(progress),
    amount: amountOf(job, progress, state),
    canPause: state === 'running' || state === 'waiting',
    goOn:
      state === 'failed'
        ? 'Retry'
        : state === 'paused' || state === 'interrupted' || state === 'waiting'
          ? 'Resume'
          : null,
  };
}

function percentOf({ bytes, bytesTotal, objects, objectsTotal }: Progress): number {
  const [done, total] = bytesTotal > 0 ? [bytes, bytesTotal] : [objects, objectsTotal];
  return total > 0 ? Math.min(100, (100 * done) / total) : 0;
}

/** `8.20 of 12.4 GiB, 312 MiB/s, 14 s left`; once it is over how much there was. */
function amountOf(
  { status: { staged } }: JobView,
  progress: Progress | null,
  state: TransferWords['state'],
): string {
  const objects = (count: number): string =>
    `${formatCount(count)} ${count === 1 ? 'object' : 'objects'}`;
  if (state === 'done' && staged !== null)
    return `${formatBytes(staged.bytes)}, ${objects(staged.objects)}${skippedText(staged.objects, staged.skipped)}`;
  if (progress === null) return '';
  if (state === 'done')
    return `${formatBytes(progress.bytesTotal)}, ${objects(progress.objectsTotal)}`;
  const amount = `${formatPart(progress.bytes, progress.bytesTotal)}, ${formatCount(progress.objects)} of ${objects(progress.objectsTotal)}`;
  if (state !== 'running') return amount;
  const left =
    progress.secondsLeft === null ? '' : `, ${formatDuration(progress.secondsLeft * 1000)} left`;
  return `${amount}, ${formatRate(progress.bytesPerSecond)}${left}`;
}

export const isTransfer = (job: JobView): boolean => job.kind === 'transfer';

/** The list with some runs new or changed, newest first; an older look never replaces a newer one. */
export function withTransfers(
  known: readonly JobView[],
  changed: readonly JobView[],
): readonly JobView[] {
  const all = new Map(known.map((job) => [job.id, job]));
  for (const job of changed.filter(isTransfer)) {
    const before = all.get(job.id);
    if (before === undefined || job.status.seq >= before.status.seq) all.set(job.id, job);
  }
  return [...all.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
}
