import path from 'node:path';
import { AGENT_VARIABLES } from '../shared/job-spec.ts';
import type { JobPlan } from '../shared/plan.ts';
import { RUN, workerCode, workerOutput } from '../shared/run-directory.ts';

/** A worker's own folder for what it may go on from after a retry. */
export const workerCheckpoints = (worker: number): string => `${RUN.checkpoints}/worker-${worker}`;

export interface WorkerEnvironmentOptions {
  readonly plan: JobPlan;
  /** The run directory. */
  readonly directory: string;
  /** Of the login shell. */
  readonly inherited: Readonly<Record<string, string>>;
  /** Null for `setup`, which runs before the workers, in `code/`. */
  readonly worker: number | null;
  /** UUIDs of the cards it was granted. */
  readonly gpus: readonly string[];
  readonly cloudSdkConfig: string;
  /** In `key-file` mode. */
  readonly keyFile: string | null;
}

/** What a worker's process finds in its environment. The plan's `env` wins over the login shell; what the agent decides wins over both. */
export function workerEnvironment(options: WorkerEnvironmentOptions): Record<string, string> {
  const { plan, directory, worker } = options;
  const code = worker === null ? RUN.code : workerCode(worker);
  const paths = {
    DATA_PATH: path.join(directory, RUN.data),
    OUTPUT_PATH: path.join(directory, worker === null ? RUN.output : workerOutput(worker)),
    MODEL_PATH: path.join(directory, code),
    CHECKPOINT_PATH: path.join(
      directory,
      worker === null ? RUN.checkpoints : workerCheckpoints(worker),
    ),
  };
  return {
    // A worker's output is a pipe: without this, Python would show its lines late.
    PYTHONUNBUFFERED: '1',
    ...options.inherited,
    ...(plan.endpoints.emulated ? { STORAGE_EMULATOR_HOST: plan.endpoints.storage } : {}),
    // The job file refuses these; a plan that has them all the same changes nothing.
    ...Object.fromEntries(
      Object.entries(plan.env).filter(([name]) => !AGENT_VARIABLES.includes(name)),
    ),
    CLOUDSDK_CONFIG: options.cloudSdkConfig,
    ...Object.fromEntries(
      Object.entries(paths).flatMap(([name, value]) => [
        [`TRAINYARD_${name}`, value],
        [`TRAINML_${name}`, value],
      ]),
    ),
    TRAINYARD_JOB_ID: plan.id,
    TRAINYARD_JOB_NAME: plan.name,
    ...(worker === null ? {} : { TRAINYARD_WORKER: String(worker) }),
    TRAINYARD_WORKERS: String(plan.workers.length),
    ...(options.keyFile === null ? {} : { GOOGLE_APPLICATION_CREDENTIALS: options.keyFile }),
    CUDA_VISIBLE_DEVICES: options.gpus.join(','),
    PWD: path.join(directory, code),
  };
}
