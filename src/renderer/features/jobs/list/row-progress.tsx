import type { JobView } from '../../../../shared/views.ts';
import { rowProgressOf } from './row-progress-model.ts';

/** How far a job is, in its row: one box a stage, and of the one that goes on how much, and how long still. */
export function RowProgress({ job }: { readonly job: JobView }) {
  const { percent, words, told } = rowProgressOf(job);
  return (
    <span className="row-progress" title={told}>
      <span className="row-steps" role="img" aria-label={told}>
        {job.status.stages.map(({ stage, state }) => (
          <span key={stage} data-state={state}>
            {['active', 'stopped', 'interrupted'].includes(state) && percent !== null && (
              <i style={{ width: `${percent}%` }} />
            )}
          </span>
        ))}
      </span>
      <span className="dimmed">{words}</span>
    </span>
  );
}
