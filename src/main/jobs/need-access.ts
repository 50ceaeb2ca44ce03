import { goesOn, isStaged } from '../../shared/job-status.ts';
import type { RunPlan } from '../../shared/plan.ts';
import type { JobView } from '../../shared/views.ts';
import { tokensNeeded } from './make-plan.ts';

/** Whether a run goes on with tokens that somebody must renew: its agent holds no key, and something is still to be done with them. Pure. */
export function needsAccess(job: JobView, plan: RunPlan): boolean {
  return goesOn(job) && !plan.unattended && tokensNeeded(plan, isStaged(job.status)).length > 0;
}
