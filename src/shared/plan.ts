import * as z from 'zod';
import { googleEndpointsSchema } from './endpoints.ts';
import {
  ARCHIVE_FORMATS,
  GPU_IDS,
  jobNameSchema,
  jobSpecSchema,
  OUTPUT_LAYOUTS,
  WORKER_KEY_MODES,
} from './job-spec.ts';
import { STOP_SIGNALS, type StopSignal } from './stop-signals.ts';
import { accountSchema } from './key.ts';

/** The format of plans and events. An unknown one is refused in words. */
export const RUN_FORMAT = 1;

/** `yyyymmdd-hhmmss-` and six letters or digits, the first two of them the milliseconds: sorts by time of submission, safe in paths and object names. */
export const jobIdSchema = z.string().regex(/^\d{8}-\d{6}-[a-z0-9]{6}$/);

/** What an input address turned out to be. */
export const inputTargetSchema = z.discriminatedUnion('kind', [
  /** Everything below `prefix`, which ends with `/` or is empty. */
  z.strictObject({ kind: z.literal('folder'), prefix: z.string() }),
  /** One object, put in place under the last segment of its name. */
  z.strictObject({ kind: z.literal('object'), object: z.string() }),
  /** One object, unpacked. */
  z.strictObject({
    kind: z.literal('archive'),
    object: z.string(),
    format: z.enum(ARCHIVE_FORMATS),
  }),
]);
export type InputTarget = Readonly<z.infer<typeof inputTargetSchema>>;

const account = accountSchema.nullable();

export const inputPlanSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('gcs'),
    /** As the user wrote it. */
    address: z.string(),
    bucket: z.string(),
    target: inputTargetSchema,
    account,
    /** Objects that are stored packed (`Content-Encoding: gzip`) stay packed. */
    keepCompressed: z.boolean().exactOptional(),
  }),
  /** A folder of the host, used in place, never copied or written: `data/` is a link to it. Absolute. */
  z.strictObject({ kind: z.literal('dir'), path: z.string() }),
]);

export const outputPlanSchema = z.strictObject({
  /** As the user wrote it. */
  address: z.string(),
  bucket: z.string(),
  /** Where the run's objects go, ends with `/`: per-run `<output>/<job name>/<job id>/`, exact `<output>/`. May be empty with exact. */
  prefix: z.string(),
  /** The object name of the manifest. */
  manifest: z.string(),
  layout: z.enum(OUTPUT_LAYOUTS),
  archive: z.boolean(),
  /** Patterns of what is not uploaded, below the output folder of each worker. */
  exclude: z.array(z.string()).exactOptional(),
  account,
});

export const codePlanSchema = z.discriminatedUnion('kind', [
  /** A notebook that begins with an empty folder. */
  z.strictObject({ kind: z.literal('empty') }),
  /** An absolute folder of the host. */
  z.strictObject({ kind: z.literal('dir'), path: z.string() }),
  z.strictObject({ kind: z.literal('git'), url: z.string(), ref: z.string().nullable() }),
  z.strictObject({
    kind: z.literal('gcs'),
    /** As the user wrote it. */
    address: z.string(),
    bucket: z.string(),
    target: inputTargetSchema,
    account,
  }),
]);

/** A job file as a run recorded it: an earlier version may have taken texts that are refused by now. */
const recordedSpecSchema = jobSpecSchema.extend({
  setup: z.string().optional(),
  workers: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()).default({}),
});

/** What one run is to do, frozen at submit. No secret in it. */
export const jobPlanSchema = z.strictObject({
  format: z.literal(RUN_FORMAT),
  kind: z.enum(['training', 'notebook']),
  id: jobIdSchema,
  name: jobNameSchema,
  host: z.string(),
  /** ISO 8601. */
  createdAt: z.string(),
  /** Version of the application that made the plan. */
  application: z.string(),
  endpoints: googleEndpointsSchema,
  /** Whole GPUs per worker. */
  gpusPerWorker: z.int().min(0),
  /** UUIDs of the cards that it may be given, the first ones first. Left out: any. */
  onlyGpus: z.array(z.string()).optional(),
  /** Also cards that others use. */
  useBusyGpus: z.boolean().optional(),
  /** How `CUDA_VISIBLE_DEVICES` names them; by UUID where it is left out. */
  gpuIds: z.enum(GPU_IDS).optional(),
  code: codePlanSchema,
  setup: z.string().nullable(),
  /** One command each; a worker's number is its index. */
  workers: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()),
  input: inputPlanSchema.nullable(),
  output: outputPlanSchema.nullable(),
  workerKeys: z.array(z.strictObject({ account: accountSchema, mode: z.enum(WORKER_KEY_MODES) })),
  unattended: z.boolean(),
  /** What asks the workers to end; SIGTERM where it is not told. */
  stopSignal: z.enum(STOP_SIGNALS).exactOptional(),
  /** Seconds between that and SIGKILL. */
  stopGraceSeconds: z.number().positive(),
  /** A worker's log stops growing at this many bytes, and says so. */
  logLimitBytes: z.int().positive(),
  /** The job file after defaults, to run again with changes. */
  spec: recordedSpecSchema,
});

/** A transfer asked for outside a job: carried by the same agent, no code, no workers. */
export const transferPlanSchema = z.strictObject({
  format: z.literal(RUN_FORMAT),
  kind: z.literal('transfer'),
  id: jobIdSchema,
  name: jobNameSchema,
  host: z.string(),
  createdAt: z.string(),
  application: z.string(),
  endpoints: googleEndpointsSchema,
  direction: z.enum(['download', 'upload']),
  bucket: z.string(),
  /** Download: what to fetch. Upload: null. */
  target: inputTargetSchema.nullable(),
  /** Upload: where to, ends with `/`. Download: null. */
  prefix: z.string().nullable(),
  /** The local folder, absolute. */
  path: z.string(),
  /** Upload: the entries of the folder that are meant; null for all. */
  names: z.array(z.string()).nullable().default(null),
  account,
  unattended: z.boolean(),
});

export const runPlanSchema = z.discriminatedUnion('kind', [jobPlanSchema, transferPlanSchema]);

export type JobPlan = Readonly<z.infer<typeof jobPlanSchema>>;
export type TransferPlan = Readonly<z.infer<typeof transferPlanSchema>>;
export type RunPlan = JobPlan | TransferPlan;
export type InputPlan = Readonly<z.infer<typeof inputPlanSchema>>;
export type OutputPlan = Readonly<z.infer<typeof outputPlanSchema>>;
export type CodePlan = Readonly<z.infer<typeof codePlanSchema>>;

/** What asks the workers of a job to end. */
export const stopSignalOf = (plan: JobPlan): StopSignal => plan.stopSignal ?? 'SIGTERM';
