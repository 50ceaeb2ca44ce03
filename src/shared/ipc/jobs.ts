import * as z from 'zod';
import {
  activatedSchema,
  codeStateSchema,
  progressSchema,
  runEventSchema,
  STAGES,
} from '../events.ts';
import { gpuSchema, sampleSchema } from '../gpu.ts';
import { gpusAwaitedSchema } from '../gpus-awaited.ts';
import { leftOutSchema } from '../left-out.ts';
import { workerKeysSchema } from '../job-spec.ts';
import { JOB_STATES, STAGE_STATES, WORKER_STATES } from '../job-status.ts';
import { manifestSchema } from '../manifest.ts';
import { problemSchema } from '../problem-schema.ts';
import type { JobView } from '../views.ts';
import { call } from './contract.ts';
import { MAX_SEARCH } from './limits.ts';

/** What the window asks of jobs. */

const time = z.string().nullable();
const integer = z.int().nullable();
const remark = z.object({ message: z.string(), hint: z.string() });

export const environmentSchema = z
  .object({ python: z.string().nullable(), activated: activatedSchema.nullable() })
  .exactOptional();

const jobStatusSchema = z.object({
  state: z.enum(JOB_STATES),
  attempt: z.int(),
  stages: z.array(
    z.object({
      stage: z.enum(STAGES),
      state: z.enum(STAGE_STATES),
      startedAt: time,
      endedAt: time,
      progress: progressSchema.nullable(),
    }),
  ),
  workers: z.array(
    z.object({
      index: z.int(),
      state: z.enum(WORKER_STATES),
      pid: integer,
      exitCode: integer,
      signal: z.string().nullable(),
      gpus: z.array(gpuSchema.pick({ uuid: true, index: true, name: true })),
      startedAt: time,
      endedAt: time,
      starts: z.int(),
    }),
  ),
  code: codeStateSchema.nullable(),
  problem: problemSchema.nullable(),
  failedStage: z.enum(STAGES).nullable(),
  accessAwaited: remark.extend({ account: z.string() }).nullable(),
  gpusAwaited: gpusAwaitedSchema.nullable(),
  stopRequested: z.boolean(),
  warnings: z.array(remark),
  leftOut: z.array(leftOutSchema),
  notebook: z.object({ program: z.string(), version: z.string() }).nullable(),
  environment: environmentSchema,
  startedAt: time,
  attemptStartedAt: time,
  endedAt: time,
  staged: z.object({ objects: z.int(), bytes: z.int(), skipped: z.int() }).nullable(),
  uploaded: z.object({ objects: z.int(), bytes: z.int() }).nullable(),
  seq: z.int(),
});

export const transferPlacesSchema = z.strictObject({
  direction: z.enum(['download', 'upload']),
  address: z.string(),
  local: z.string(),
});

/** A {@link JobView} as it crosses to the window. */
export const jobViewSchema: z.ZodType<JobView> = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(['training', 'notebook', 'transfer']),
  host: z.string(),
  createdAt: z.string(),
  state: z.enum(JOB_STATES),
  agent: z.object({ pid: z.int() }).nullable(),
  unreadable: z.literal(true).exactOptional(),
  workers: jobStatusSchema.shape.workers,
  runDirectory: z.string(),
  output: z.string().nullable(),
  transfer: transferPlacesSchema.exactOptional(),
  workerKeys: workerKeysSchema,
  status: jobStatusSchema,
});

/** The most jobs of one page. */
export const MAX_JOBS = 1_000;

const jobPageSchema = z.object({
  jobs: z.array(jobViewSchema),
  /** How many there are. */
  total: z.int(),
  /** There are older ones. */
  more: z.boolean(),
});

/** The most bytes of a log that one call answers with. */
export const MAX_LOG_BYTES = 1_048_576;

const logSourceSchema = z.union([z.int().min(0), z.literal('stage')]);
/** A worker's number, or the log of the stages. */
export type LogSource = z.infer<typeof logSourceSchema>;

/** The most entries of a folder, objects of a manifest, that one call answers with. */
export const MAX_FILES = 1_000;

const fileEntrySchema = z.object({
  name: z.string(),
  kind: z.enum(['file', 'folder', 'other']),
  /** Bytes; of a folder 0. */
  size: z.number(),
  /** ISO 8601. */
  changedAt: z.string(),
});
/** One entry of a folder of a run's output. */
export type FileEntry = Readonly<z.infer<typeof fileEntrySchema>>;

const outputFolderSchema = z.object({
  entries: z.array(fileEntrySchema),
  /** How many there are: more than the entries where there are too many. */
  total: z.int(),
});
export type OutputFolder = Readonly<z.infer<typeof outputFolderSchema>>;

const manifestPageSchema = z.object({
  bucket: z.string(),
  /** The id of the key that serves the output's account; its name in the plan where it is not there any more; null: no key. */
  key: z.string().nullable(),
  objects: manifestSchema.shape.objects,
  total: z.int(),
  bytes: z.number(),
});
export type ManifestPage = Readonly<z.infer<typeof manifestPageSchema>>;

const offset = z.int().min(0);
const jobId = z.string().min(1).max(128);
const nothing = z.undefined();
const oneJob = z.strictObject({ id: jobId });

export const JOB_CALLS = {
  'jobs-list': call(z.strictObject({}), z.array(jobViewSchema)),
  /**
   * Some jobs, newest first, those older than `before`; null begins with the newest. Answered at once from what is known: `jobs-changed` tells
   * what was out of date.
   */
  'jobs-page': call(
    z.strictObject({ before: jobId.nullable(), limit: z.int().min(1).max(MAX_JOBS) }),
    jobPageSchema,
  ),
  'jobs-stop': call(oneJob, nothing),
  'jobs-retry': call(oneJob, nothing),
  /** Uploads what the bucket lacks of the output of a job that has ended. */
  'jobs-upload-again': call(oneJob, nothing),
  /** Bytes of a log from a byte offset: perhaps fewer than asked, none at its end. `size` is the log's size now. */
  'jobs-read-log': call(
    z.strictObject({
      id: jobId,
      source: logSourceSchema,
      offset: z.int().min(0),
      maxBytes: z.int().min(1).max(MAX_LOG_BYTES),
    }),
    z.object({ bytes: z.instanceof(Uint8Array), offset: z.int(), size: z.int() }),
  ),
  /**
   * The nearest line of a log that has a text in it, whatever its case: the byte where that line begins, or null. `next`: of the lines that
   * begin at `from` or later; `previous`: before `from`.
   */
  'jobs-find-in-log': call(
    z.strictObject({
      id: jobId,
      source: logSourceSchema,
      text: z.string().min(1).max(MAX_SEARCH),
      from: offset,
      direction: z.enum(['next', 'previous']),
    }),
    z.object({ line: z.int().nullable() }),
  ),
  /** Copies a log to where the user says; null: they changed their mind. */
  'jobs-save-log': call(
    z.strictObject({ id: jobId, source: logSourceSchema }),
    z.string().nullable(),
  ),
  /** Samples from a byte offset of their file; `restart`: the file was made anew, what was read before is out of date. */
  'jobs-samples': call(
    z.strictObject({ id: jobId, offset }),
    z.object({
      samples: z.array(sampleSchema),
      next: z.int(),
      restart: z.boolean(),
      more: z.boolean(),
    }),
  ),
  /** Events from a byte offset of their file. Of progress in a row only the last. */
  'jobs-events': call(
    z.strictObject({ id: jobId, offset }),
    z.object({
      events: z.array(runEventSchema),
      next: z.int(),
      restart: z.boolean(),
      more: z.boolean(),
    }),
  ),
  /** A folder below the run's output on its host, by its path with `/`; null: it is not there. */
  'jobs-output-folder': call(
    z.strictObject({ id: jobId, path: z.string().max(4_096) }),
    outputFolderSchema.nullable(),
  ),
  /** Objects that the run uploaded, by its manifest; null: there is none yet. */
  'jobs-manifest': call(z.strictObject({ id: jobId, offset }), manifestPageSchema.nullable()),
  /** What the job was started with, as a job file. */
  'jobs-spec': call(oneJob, z.string()),
} as const;

export const JOB_EVENTS = {
  /** These jobs are new or look different now. Sent in batches. */
  'jobs-changed': z.object({ jobs: z.array(jobViewSchema) }),
  /** Jobs went away: ask for the list again. */
  'jobs-gone': z.object({}),
} as const;
