import { jobSpecSchema, type JobSpec } from '../../shared/job-spec.ts';
import type { JobPlan } from '../../shared/plan.ts';

/** What a job was started with, for a new one: relative paths of its job file as they were understood. Pure. */
export function specToRunAgain(plan: JobPlan): JobSpec {
  const { code, input } = plan;
  return jobSpecSchema.parse({
    ...plan.spec,
    ...(code.kind === 'dir' ? { code: { dir: code.path } } : {}),
    ...(input?.kind === 'dir' ? { input: { dir: input.path } } : {}),
  });
}
