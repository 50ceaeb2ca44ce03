import type { JobView } from '../../../../shared/views.ts';
import { formatDuration } from '../../../common/format.ts';
import { percentOf, STAGE_NAMES } from '../job-view-model.ts';

/** How far a job is, in its row: one box a stage, and of the one that goes on how much, and how long still. */
export function RowProgress({ job }: { readonly job: JobView }) {
  const { stages } = job.status;
  const active = stages.find(({ state }) => state === 'active');
  const progress = active?.progress ?? null;
  const percent = progress === null ? null : Math.floor(percentOf(progress));
  const left = progress?.secondsLeft ?? null;
  const words = [
    percent === null ? '' : `${percent} %`,
    left === null ? '' : `${formatDuration(left * 1000)} left`,
  ].filter((word) => word !== '');
  const done = stages.filter(({ state }) => state === 'done').length;
  const failed = stages.find(({ state }) => state === 'failed');
  const told = [
    `${done} of ${stages.length} stages done`,
    ...(active === undefined ? [] : [`now: ${STAGE_NAMES[active.stage]}`]),
    ...(failed === undefined ? [] : [`failed: ${STAGE_NAMES[failed.stage]}`]),
    ...words,
  ].join(', ');
  return (
    <span className="row-progress" title={told}>
      <span className="row-steps" role="img" aria-label={told}>
        {stages.map(({ stage, state }) => (
          <span key={stage} data-state={state}>
            {state === 'active' && percent !== null && <i style={{ width: `${percent}%` }} />}
          </span>
        ))}
      </span>
      <span className="dimmed">{words.join(', ')}</span>
    </span>
  );
}
