import { z } from 'zod';
import { gcsAddressSchema } from './address.ts';

/**
 * The job file: what a user writes, in YAML or in the form. `docs/job-file.md` explains each field;
 * paths are as written, relative ones are taken from the job file's folder when the plan is made.
 */

export const JOB_KINDS = ['training', 'notebook', 'transfer'] as const;
export const ARCHIVE_FORMATS = ['zip', 'tar', 'tar.gz', 'tgz', 'tar.bz2'] as const;
export const OUTPUT_LAYOUTS = ['per-run', 'exact'] as const;
export const WORKER_KEY_MODES = ['token', 'account-token', 'key-file'] as const;

export const MAX_WORKERS = 1_000;

const keyName = z.string().min(1, 'the name of a key, see `trainyard keys list`');

export const jobNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'letters, digits, ".", "_" and "-", beginning with a letter or digit, at most 63 characters',
  );

const command = z
  .string()
  .refine((value) => value.trim() !== '', 'a command')
  .refine((value) => !value.includes('\0'), 'no NUL character');

const environmentName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'letters, digits and "_", not beginning with a digit')
  .refine(
    (name) => !/^(TRAINYARD|TRAINML)_/.test(name),
    'a name that does not begin with TRAINYARD_ or TRAINML_, which are set for the worker',
  );

export const inputSpecSchema = z.union([
  z.strictObject({ gcs: gcsAddressSchema, key: keyName.optional() }),
  z.strictObject({ dir: z.string().min(1) }),
]);

export const outputSpecSchema = z.strictObject({
  gcs: gcsAddressSchema,
  key: keyName.optional(),
  archive: z.boolean().default(false),
  layout: z.enum(OUTPUT_LAYOUTS).default('per-run'),
});

export const codeSpecSchema = z.union([
  z.strictObject({ dir: z.string().min(1) }),
  z.strictObject({ git: z.string().min(1), ref: z.string().min(1).optional() }),
]);

export const workerKeySpecSchema = z.strictObject({
  key: keyName,
  mode: z.enum(WORKER_KEY_MODES),
});

export const jobSpecSchema = z.strictObject({
  name: jobNameSchema,
  kind: z.enum(JOB_KINDS).default('training'),
  host: z.string().min(1),
  resources: z.strictObject({ gpus: z.int().min(0).max(64).default(0) }).default({ gpus: 0 }),
  code: codeSpecSchema,
  setup: command.optional(),
  workers: z.array(command).min(1, 'at least one command').max(MAX_WORKERS),
  env: z.record(environmentName, z.string()).default({}),
  input: inputSpecSchema.optional(),
  output: outputSpecSchema.optional(),
  workerKeys: z.array(workerKeySpecSchema).max(1, 'at most one key').default([]),
  unattended: z.boolean().default(false),
});

/** A job file after defaults. */
export type JobSpec = Readonly<z.infer<typeof jobSpecSchema>>;
/** A job file as written. */
export type JobSpecInput = z.input<typeof jobSpecSchema>;
export type ArchiveFormat = (typeof ARCHIVE_FORMATS)[number];
export type OutputLayout = (typeof OUTPUT_LAYOUTS)[number];
export type WorkerKeyMode = (typeof WORKER_KEY_MODES)[number];
