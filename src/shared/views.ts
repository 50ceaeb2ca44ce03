import type { JobStatus } from './job-status.ts';
import type { JobPlan, TransferPlan } from './plan.ts';

/** A run as every front end shows it. */
export interface JobView {
  readonly id: string;
  readonly name: string;
  readonly kind: JobPlan['kind'] | TransferPlan['kind'];
  readonly host: string;
  readonly createdAt: string;
  readonly state: JobStatus['state'];
  /** The agent's process, or null where none carries the run. */
  readonly agent: { readonly pid: number } | null;
  readonly workers: JobStatus['workers'];
  /** Absolute, on the host. */
  readonly runDirectory: string;
  /** The full output address, `gs://bucket/prefix/`, or null. */
  readonly output: string | null;
  /** The number of workers, also where a transfer has none. */
  readonly status: JobStatus;
}
