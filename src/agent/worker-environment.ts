import { realpathSync } from 'node:fs';
import path from 'node:path';
import { formatGcsAddress } from '../shared/address.ts';
import { AGENT_VARIABLES } from '../shared/job-spec.ts';
import { visibleTo } from '../shared/gpu-choice.ts';
import type { Gpu } from '../shared/gpu.ts';
import type { InputPlan, JobPlan } from '../shared/plan.ts';
import { RUN, workerCode, workerOutput } from '../shared/run-directory.ts';
import { withOwnVariables } from './own-variables.ts';

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
  /** The cards it was granted. */
  readonly gpus: readonly Pick<Gpu, 'uuid' | 'index'>[];
  readonly cloudSdkConfig: string;
  /** In `key-file` mode. */
  readonly keyFile: string | null;
  /** The port at which the worker gets its tokens: in the modes `token` and `account-token`. */
  readonly tokenPort: number | null;
}

/** What a worker's process finds in its environment. The plan's `env` wins over the login shell; what the agent decides wins over both. */
export function workerEnvironment(options: WorkerEnvironmentOptions): Record<string, string> {
  const { plan, directory, worker } = options;
  const code = worker === null ? RUN.code : workerCode(worker);
  const visible = visibleTo(options.gpus, plan.gpuIds ?? 'uuid');
  const paths = {
    DATA_PATH: dataPath(directory, plan.input),
    OUTPUT_PATH: path.join(directory, worker === null ? RUN.output : workerOutput(worker)),
    MODEL_PATH: path.join(directory, code),
    CHECKPOINT_PATH: path.join(
      directory,
      worker === null ? RUN.checkpoints : workerCheckpoints(worker),
    ),
  };
  const inherited = {
    // A worker's output is a pipe: without this, Python would show its lines late.
    PYTHONUNBUFFERED: '1',
    ...(options.keyFile === null && options.tokenPort === null
      ? options.inherited
      : withoutCredentials(options.inherited)),
    ...(plan.endpoints.emulated ? { STORAGE_EMULATOR_HOST: plan.endpoints.storage } : {}),
  };
  // The job file refuses these; a plan that has them all the same changes nothing.
  const own = Object.entries(plan.env).filter(([name]) => !AGENT_VARIABLES.includes(name));
  return {
    ...withOwnVariables(inherited, Object.fromEntries(own)),
    CLOUDSDK_CONFIG: options.cloudSdkConfig,
    ...Object.fromEntries(
      Object.entries(paths).flatMap(([name, value]) => [
        [`TRAINYARD_${name}`, value],
        [`TRAINML_${name}`, value],
        // What a run of an earlier version says itself stays.
        ...(`ML_${name}` in plan.env ? [] : [[`ML_${name}`, value] as const]),
      ]),
    ),
    TRAINYARD_JOB_ID: plan.id,
    TRAINYARD_JOB_NAME: plan.name,
    ...(worker === null ? {} : { TRAINYARD_WORKER: String(worker) }),
    TRAINYARD_WORKERS: String(plan.workers.length),
    ...addresses(plan),
    ...(options.keyFile === null ? {} : { GOOGLE_APPLICATION_CREDENTIALS: options.keyFile }),
    ...(options.tokenPort === null
      ? {}
      : metadataServer(options.tokenPort, { ...options.inherited, ...plan.env })),
    // Where numbers stand they are nvidia-smi's, which CUDA counts so only where it is told to.
    ...(visible.isNumbered ? { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' } : {}),
    CUDA_VISIBLE_DEVICES: visible.value,
    TRAINYARD_GPU_INDEXES: options.gpus.map(({ index }) => index).join(','),
    PWD: path.join(directory, code),
  };
}

/** Where the input is. A folder of the host is named itself, without links: programs such as `find` do not follow the one in the run directory. */
function dataPath(directory: string, input: InputPlan | null): string {
  const data = path.join(directory, RUN.data);
  if (input?.kind !== 'dir') return data;
  try {
    return realpathSync(data);
  } catch {
    return data;
  }
}

/** Where the job's input and output lie in Cloud Storage, for workers that read and write there themselves. */
function addresses({ input, output }: JobPlan): Record<string, string> {
  return {
    ...(input?.kind === 'gcs' ? { TRAINYARD_INPUT_ADDRESS: inputAddress(input) } : {}),
    ...(output === null
      ? {}
      : {
          TRAINYARD_OUTPUT_ADDRESS: formatGcsAddress({
            bucket: output.bucket,
            path: output.prefix,
          }),
        }),
  };
}

function inputAddress({ bucket, target }: Extract<InputPlan, { readonly kind: 'gcs' }>): string {
  const path = target.kind === 'folder' ? target.prefix : target.object;
  return formatGcsAddress({ bucket, path });
}

/** What in a login shell would lead clients to another credential than the job's. */
const OTHER_CREDENTIALS =
  /^(GOOGLE_APPLICATION_CREDENTIALS|GOOGLE_OAUTH_ACCESS_TOKEN|GOOGLE_CREDENTIALS|CLOUDSDK_AUTH_[A-Z_]+|CLOUDSDK_CORE_ACCOUNT|NO_GCE_CHECK|GCE_METADATA_[A-Z_]+|METADATA_SERVER_DETECTION)$/;

function withoutCredentials(inherited: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(inherited).filter(([name]) => !OTHER_CREDENTIALS.test(name)),
  );
}

/**
 * Leads clients to the metadata server on loopback: Python reads the first two, Node.js one of them and the detection, Go and Java the first,
 * gcloud the third. A proxy is not asked for loopback.
 */
function metadataServer(
  port: number,
  before: Readonly<Record<string, string>>,
): Record<string, string> {
  const address = `127.0.0.1:${port}`;
  const around = [before['NO_PROXY'], before['no_proxy'], '127.0.0.1', 'localhost']
    .flatMap((list) => list?.split(',') ?? [])
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const list = [...new Set(around)].join(',');
  return {
    GCE_METADATA_HOST: address,
    GCE_METADATA_IP: address,
    GCE_METADATA_ROOT: address,
    METADATA_SERVER_DETECTION: 'assume-present',
    NO_PROXY: list,
    no_proxy: list,
  };
}
