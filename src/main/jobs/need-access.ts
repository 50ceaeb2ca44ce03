import { hasEnded } from '../../shared/job-status.ts';
import type { RunPlan } from '../../shared/plan.ts';
import type { JobView } from '../../shared/views.ts';
import { tokensNeeded } from './make-plan.ts';

/** Whether a run goes on with tokens that somebody must renew: its agent holds no key, and something is still to be done with them. Pure. */
export function needsAccess(job: JobView, plan: RunPlan): boolean {
  if (hasEnded(job.state) || job.state === 'interrupted' || plan.unattended) return false;
  const isStaged = job.status.stages.some(
    ({ stage, state }) => stage === 'staging' && state === 'done',
  );
  return tokensNeeded(plan, isStaged).length > 0;
}
