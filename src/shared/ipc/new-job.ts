import * as z from 'zod';
import { ACCESS_USES, accessReportSchema } from '../access-check.ts';
import { codeStateSchema } from '../events.ts';
import { jobNameSchema, jobSpecSchema, OUTPUT_LAYOUTS } from '../job-spec.ts';
import { call } from './contract.ts';

/** What the window asks of new jobs: checks while the form is filled, the job file behind it, the start. */

const nothing = z.undefined();
const keyName = z.string().min(1).max(256);
const gcs = z.string().min(1).max(2_048);
const path = z.string().min(1).max(4_096);
const remark = z.object({ message: z.string(), hint: z.string() });
/** Names a question, so that `new-job-cancel` can take it back. */
const question = z.string().min(1).max(64);

/** The most characters of a job file. */
export const MAX_JOB_FILE = 262_144;
/** The most characters of a half-filled form. */
export const MAX_DRAFT = 1_048_576;
/** The most templates. */
export const MAX_TEMPLATES = 200;

const jobFile = z.string().max(MAX_JOB_FILE);
const spec = jobSpecSchema.refine(
  (value) => JSON.stringify(value).length <= MAX_DRAFT,
  'a job file of ordinary size',
);

const measureSchema = z.object({
  kind: z.enum(['folder', 'object', 'archive']),
  objects: z.int(),
  /** Bytes, as stored. */
  bytes: z.number(),
  /** Of how many objects the size is not told. */
  untold: z.int().exactOptional(),
  /** How many of the bytes are of objects that are stored packed, and take more once they are fetched. */
  packed: z.number().exactOptional(),
  /** Counting was stopped: there are more. */
  more: z.boolean(),
});
/** What lies at an address. */
export type Measure = Readonly<z.infer<typeof measureSchema>>;

const hostCheckSchema = z.object({
  hostname: z.string(),
  /** Empty where there are none, or none can be seen. */
  gpus: z.array(z.object({ name: z.string(), busy: z.boolean() })),
  /** The disk that holds the runs, bytes. */
  disk: z.object({ free: z.number(), total: z.number() }),
  /** Why the machine has not the cards that the job asks for. */
  refusal: remark.nullable(),
});
export type HostCheck = Readonly<z.infer<typeof hostCheckSchema>>;

const mistakeSchema = z.object({ line: z.int(), column: z.int(), message: z.string() });
/** A mistake in a job file; line and column count from 1. */
export type JobFileMistake = Readonly<z.infer<typeof mistakeSchema>>;

export const NEW_JOB_CALLS = {
  /** Takes a question back; its answer then is a problem that nobody reads. */
  'new-job-cancel': call(z.strictObject({ question }), nothing),
  'new-job-keys': call(
    z.strictObject({}),
    // `admin`: it was found that the key can administer its project.
    z.array(z.object({ name: z.string(), email: z.string(), admin: z.boolean() })),
  ),
  /** Asks the user for a folder; null: none was chosen. */
  'new-job-pick-folder': call(
    z.strictObject({ purpose: z.enum(['code', 'input']) }),
    z.string().nullable(),
  ),
  /** Whether a key still gets access. */
  'new-job-check-key': call(
    z.strictObject({ question, key: keyName }),
    z.object({ email: z.string(), admin: z.boolean() }),
  ),
  /** What lies at an address, counted up to a bound. */
  'new-job-check-objects': call(
    z.strictObject({ question, gcs, key: keyName.nullable() }),
    measureSchema,
  ),
  /** Step by step, whether a key can do at an address what the job needs there. Leaves nothing in the bucket. */
  'new-job-check-access': call(
    z.strictObject({ question, gcs, key: keyName, for: z.enum(ACCESS_USES) }),
    accessReportSchema,
  ),
  /** Whether the job's access can be narrowed to an address; what its start will say where it cannot. */
  'new-job-check-narrowing': call(
    z.strictObject({ question, gcs, key: keyName, for: z.enum(ACCESS_USES) }),
    z.object({ refused: remark.nullable() }),
  ),
  /** Whether a folder of this machine is there; the state of the git checkout that it is, or nulls. */
  'new-job-check-folder': call(
    z.strictObject({ question, path, purpose: z.enum(['code', 'input']) }),
    codeStateSchema,
  ),
  /** The first file below a folder of this machine that mentions a key file, and the word; nulls where there is none. */
  'new-job-check-key-file': call(
    z.strictObject({ question, path }),
    z.object({ where: z.string().nullable(), word: z.string().nullable() }),
  ),
  /** Whether a git repository answers, and has the reference; null where only a clone can tell. */
  'new-job-check-git': call(
    z.strictObject({ question, url: path, ref: path.nullable() }),
    z.object({ hasRef: z.boolean().nullable() }),
  ),
  /** Whether the output's key gets access, and what stands in the way with the layout exact. */
  'new-job-check-output': call(
    z.strictObject({
      question,
      gcs,
      key: keyName.nullable(),
      archive: z.boolean(),
      layout: z.enum(OUTPUT_LAYOUTS),
      workers: z.int().min(1).max(1_000),
    }),
    z.object({ email: z.string().nullable(), taken: remark.nullable() }),
  ),
  'new-job-check-host': call(
    z.strictObject({
      question,
      gpus: z.int().min(0).max(64),
      workers: z.int().min(1).max(1_000),
    }),
    hostCheckSchema,
  ),
  /** Reads a job file: what it says, or every mistake and where. */
  'new-job-parse': call(
    z.strictObject({ text: jobFile }),
    z.object({ spec: jobSpecSchema.nullable(), mistakes: z.array(mistakeSchema) }),
  ),
  'new-job-start': call(
    /** `acceptWhole`: also where access cannot be narrowed to the job, which else is a refusal once for each key and bucket. */
    z.strictObject({ spec, acceptWhole: z.boolean().optional() }),
    z.object({ id: z.string(), warnings: z.array(remark) }),
  ),
  /** A half-filled form, kept in the main process's memory alone: it may hold what nobody should find on a disk. */
  'new-job-draft': call(z.strictObject({}), z.string().nullable()),
  'new-job-keep-draft': call(
    z.strictObject({ draft: z.string().max(MAX_DRAFT).nullable() }),
    nothing,
  ),
  /** Job files under names: `<home>/templates/<name>.yaml`. */
  'new-job-templates': call(z.strictObject({}), z.array(z.string())),
  'new-job-template': call(z.strictObject({ name: jobNameSchema }), z.string()),
  'new-job-save-template': call(z.strictObject({ name: jobNameSchema, text: jobFile }), nothing),
  'new-job-remove-template': call(z.strictObject({ name: jobNameSchema }), nothing),
} as const;

export const NEW_JOB_EVENTS = {} as const;
