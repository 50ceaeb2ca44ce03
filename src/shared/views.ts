import type { WorkerKeyMode } from './job-spec.ts';
import type { JobStatus } from './job-status.ts';
import type { JobPlan, TransferPlan } from './plan.ts';

export interface TransferPlaces {
  readonly direction: TransferPlan['direction'];
  /** In the bucket, `gs://...`. */
  readonly address: string;
  /** On the host's disk: a folder, one entry of it, or `/folder (3 entries)`. */
  readonly local: string;
}

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
  /**
   * The run cannot be read, for the reason in `status.problem`: its plan or an event is of a later format, or damaged. Then `state` tells alone
   * whether something carries it (`running`), nothing does (`interrupted`), or it can never go on (`failed`).
   */
  readonly unreadable?: true;
  readonly workers: JobStatus['workers'];
  /** Absolute, on the host. */
  readonly runDirectory: string;
  /** The full output address, `gs://bucket/prefix/`, or null. */
  readonly output: string | null;
  /** Of a transfer: between which places; left out for other kinds. */
  readonly transfer?: TransferPlaces;
  /** The keys that the workers are handed, by name, and how; left out where there are none. */
  readonly workerKeys?: readonly { readonly name: string; readonly mode: WorkerKeyMode }[];
  /** The number of workers, also where a transfer has none. */
  readonly status: JobStatus;
}

/** Whether a job has something that could be uploaded: an address, and workers that wrote. Pure. */
export const hasOutputToUpload = (job: JobView): boolean =>
  job.kind !== 'transfer' && job.output !== null && job.workers.some(({ starts }) => starts > 0);

/** Whether some of a job's output is not in its bucket, though all of it was tried. Pure. */
export const lacksOutput = (job: JobView): boolean =>
  hasOutputToUpload(job) && job.status.leftOut.some(({ what }) => what === 'output');
