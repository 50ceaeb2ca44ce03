import type { StageState } from '../../../../shared/job-status.ts';
import type { JobView } from '../../../../shared/views.ts';
import { formatDuration, plural } from '../../../common/format.ts';
import { percentOf, stageName, stageWord } from '../job-view-model.ts';

export interface RowProgressWords {
  /** How full the box of the stage is that goes on or stands; null while nobody can tell. */
  readonly percent: number | null;
  /** Beside the boxes: `43 %, 7 s left`. */
  readonly words: string;
  /** All of it, for whoever points or listens. */
  readonly told: string;
}

/** Where a job stands. */
const STANDS: readonly StageState[] = ['active', 'stopped', 'interrupted', 'failed'];

/** How far a job is, as its row tells it. Pure. */
export function rowProgressOf(job: JobView): RowProgressWords {
  const { stages } = job.status;
  const standing = stages.filter(({ state }) => STANDS.includes(state));
  const at = standing.find(({ state }) => state !== 'failed');
  const progress = at?.progress ?? null;
  const percent = progress === null ? null : Math.floor(percentOf(progress));
  const left = at?.state === 'active' ? (progress?.secondsLeft ?? null) : null;
  const words = [
    percent === null ? '' : `${percent} %`,
    left === null ? '' : `${formatDuration(left * 1000)} left`,
  ].filter((word) => word !== '');
  const done = stages.filter(({ state }) => state === 'done').length;
  const told = [
    `${done} of ${plural(stages.length, 'stage')} done`,
    ...standing.map(
      ({ stage, state }) => `${stageWord(job.kind, state)}: ${stageName(job.kind, stage)}`,
    ),
    ...words,
  ].join(', ');
  return { percent, words: words.join(', '), told };
}
