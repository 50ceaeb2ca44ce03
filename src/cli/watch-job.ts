import type { Services } from '../main/services.ts';
import type { JobView } from '../shared/views.ts';
import { hasEnded } from '../shared/job-status.ts';

/** Milliseconds that the agent of a job that has ended is given to leave. */
const LEAVE_TIME = 3_000;

/**
 * Calls back with the job as it is now and after each change, until it has ended, nothing carries it any more, or the signal is aborted.
 * Returns it as it was seen last; null where it was never seen. `before`: what the first callback compares with.
 */
export async function watchJob(
  services: Services,
  id: string,
  onChange: (job: JobView, before: JobView | null) => void,
  signal: AbortSignal,
  before: JobView | null = null,
): Promise<JobView | null> {
  const seen: { job: JobView | null } = { job: null };
  const over = new AbortController();
  let leave: NodeJS.Timeout | undefined;
  await services.jobs.follow(
    id,
    (job) => {
      if (over.signal.aborted) return;
      onChange(job, seen.job ?? before);
      seen.job = job;
      // The agent leaves a moment after its last event; until then a retry would find the run taken.
      if (hasEnded(job.state)) leave ??= setTimeout(() => over.abort(), LEAVE_TIME);
    },
    AbortSignal.any([signal, over.signal]),
  );
  clearTimeout(leave);
  return seen.job;
}
