import * as z from 'zod';
import { STOP_SIGNALS } from './stop-signals.ts';
import { utf8Length } from './address.ts';
import { writtenAddressSchema, type AddressUse } from './read-address.ts';

/**
 * The job file: what a user writes, in YAML or in the form. `docs/job-file.md` explains each field;
 * paths are as written, relative ones are taken from the job file's folder when the plan is made.
 *
 * `docs/job-file.schema.json` is made from these schemas for editors (`npm run schema`). What a schema checks in code, `meta` says again
 * in the words of JSON Schema; it also leaves out what is in the format but cannot be run yet, as `refusals` of the job file does.
 */

export const JOB_KINDS = ['training', 'notebook', 'transfer'] as const;
export const ARCHIVE_FORMATS = ['zip', 'tar', 'tar.gz', 'tgz', 'tar.bz2'] as const;
export const OUTPUT_LAYOUTS = ['per-run', 'exact'] as const;
export const WORKER_KEY_MODES = ['token', 'account-token', 'key-file'] as const;

/** Names of keys and their modes, as views of jobs have them. */
export const workerKeysSchema = z
  .array(z.object({ name: z.string(), mode: z.enum(WORKER_KEY_MODES) }))
  .readonly()
  .exactOptional();

export const GPU_IDS = ['uuid', 'index'] as const;

export const MAX_WORKERS = 1_000;

const keyName = z
  .string()
  .min(1, 'the name of a key, see `trainyard keys list`')
  .describe('The name of a key in the vault (`trainyard keys list`).');

const bucketKey = keyName
  .optional()
  .describe(
    'The name of a key in the vault (`trainyard keys list`). Without it no credential is sent, which serves public buckets.',
  );

export const jobNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'letters, digits, ".", "_" and "-", beginning with a letter or digit, at most 63 characters',
  );

/** What the system takes as one argument or one variable of a program: 128 KiB with the NUL at its end (execve(2), Linux). Bytes. */
const LONGEST = 131_071;

/** A text that a program can be given: a NUL would end it, and half a character has no bytes. */
const given = z
  .string()
  .refine((value) => !value.includes('\0'), 'It holds a NUL character.')
  .refine((value) => !/\p{Cs}/u.test(value), 'It holds half of a character (a surrogate).');

const command = given
  .refine((value) => value.trim() !== '', 'a command')
  .refine(
    (value) => utf8Length(value) <= LONGEST,
    'It holds more than the 131,071 bytes that the system takes. Put it into a script of the code.',
  )
  .meta({ pattern: '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$' });

const folder = given
  .min(1)
  .meta({ pattern: '^[^\\u0000]+$' })
  .describe("Relative paths are taken from the job file's folder.");

/** Variables that the agent alone decides: which cards and which credential a worker has, and that `gcloud` leaves the user's own configuration alone. */
export const AGENT_VARIABLES: readonly string[] = [
  'CUDA_VISIBLE_DEVICES',
  'CLOUDSDK_CONFIG',
  'GOOGLE_APPLICATION_CREDENTIALS',
];

const environmentName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'letters, digits and "_", not beginning with a digit')
  .refine(
    (name) => !AGENT_VARIABLES.includes(name),
    'another name. Trainyard sets CUDA_VISIBLE_DEVICES to the cards that the worker was given (resources), GOOGLE_APPLICATION_CREDENTIALS to the key file of workerKeys, and CLOUDSDK_CONFIG to a private folder of the job',
  )
  .refine(
    (name) => !/^(TRAINYARD|TRAINML)_/.test(name),
    'a name that does not begin with TRAINYARD_ or TRAINML_, which are set for the worker',
  )
  .refine(
    (name) => !/^ML_(DATA|OUTPUT|MODEL|CHECKPOINT)_PATH$/.test(name),
    'another name. ML_DATA_PATH, ML_OUTPUT_PATH, ML_MODEL_PATH and ML_CHECKPOINT_PATH are set for the worker',
  )
  .meta({
    pattern:
      '^(?!(TRAINYARD|TRAINML)_)(?!ML_(DATA|OUTPUT|MODEL|CHECKPOINT)_PATH$)(?!(CUDA_VISIBLE_DEVICES|CLOUDSDK_CONFIG|GOOGLE_APPLICATION_CREDENTIALS)$)[A-Za-z_][A-Za-z0-9_]*$',
  });

const environment = z
  .record(environmentName, given.meta({ pattern: '^[^\\u0000]*$' }))
  .superRefine((variables, context) => {
    for (const [name, value] of Object.entries(variables))
      if (utf8Length(name) + 1 + utf8Length(value) > LONGEST)
        context.addIssue({
          code: 'custom',
          path: [name],
          input: value,
          message:
            'It holds more than the 131,071 bytes that the system takes, with its name. Put it into a file of the code.',
        });
  });

const address = (description: string, use: AddressUse = 'read') =>
  writtenAddressSchema(use).meta({
    description,
    pattern: '^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/[^\\r\\n]*)?$',
    examples: ['gs://bucket/path'],
  });

const MEANING =
  'A name that ends with .zip, .tar, .tar.gz, .tgz or .tar.bz2 is one object, unpacked; one that ends with "/" is everything below it; otherwise everything below PATH/ where there is something, else the one object PATH.';

export const inputSpecSchema = z.union([
  z
    .strictObject({
      gcs: address(`Where the input lies in Cloud Storage. ${MEANING}`),
      key: bucketKey,
      keepCompressed: z
        .boolean()
        .optional()
        .describe(
          'true: objects that are stored packed (Content-Encoding: gzip) stay packed. Without it their files hold what was packed. An archive is unpacked in any case.',
        ),
    })
    .describe('Objects of a bucket, fetched before the workers start.'),
  z
    .strictObject({
      dir: folder,
    })
    .describe('A folder of this machine, used in place and never written.'),
]);

const MAX_EXCLUDES = 1_000;

const excludePattern = z
  .string()
  .refine((pattern) => /^[^\0\r\n]*[^\s\0][^\0\r\n]*$/.test(pattern), 'a pattern in one line')
  .meta({ pattern: '^[^\\u0000\\r\\n]*[^\\s\\u0000][^\\u0000\\r\\n]*$' });

export const outputSpecSchema = z.strictObject({
  gcs: address('Where results go in Cloud Storage: always a prefix.', 'write'),
  key: bucketKey,
  archive: z
    .boolean()
    .default(false)
    .describe('true: one worker-<n>.tar.gz for each worker instead of single files.'),
  layout: z
    .enum(OUTPUT_LAYOUTS)
    .default('per-run')
    .describe(
      'per-run: <output>/<job name>/<job id>/worker-<n>/...; exact: <output>/... for one worker, <output>/worker-<n>/... for several. Nothing is ever overwritten.',
    ),
  exclude: z
    .array(excludePattern)
    .max(MAX_EXCLUDES)
    .exactOptional()
    .describe(
      'What is not uploaded: patterns as .gitignore has them, below the output folder of each worker.',
    ),
});

export const codeSpecSchema = z.union([
  z
    .strictObject({
      dir: folder,
    })
    .describe('A folder of this machine: a snapshot that follows .gitignore.'),
  z
    .strictObject({
      git: given.min(1).meta({
        description: 'The address of a git repository.',
        pattern: '^[^-\\u0000][^\\u0000]*$',
      }),
      ref: given
        .min(1)
        .meta({ description: 'A branch, a tag or a commit.', pattern: '^[^-\\u0000][^\\u0000]*$' })
        .optional(),
    })
    .describe('A git repository.'),
  z
    .strictObject({
      gcs: address(`Where the code lies in Cloud Storage. ${MEANING}`),
      key: bucketKey,
    })
    .describe('An archive of a bucket, unpacked, or a folder of it.'),
]);

export const workerKeySpecSchema = z.strictObject({
  key: keyName,
  mode: z
    .enum(WORKER_KEY_MODES)
    .default('token')
    .describe(
      "token: client libraries and gcloud get short-lived tokens that can read the job's input and create below its output, and nothing else. account-token: tokens for everything that the account may do. key-file: a key file through GOOGLE_APPLICATION_CREDENTIALS, removed at the end.",
    ),
});

/** Seconds: what workers have to end once they are asked to. */
export const STOP_GRACE = { least: 1, most: 3_600, default: 20 } as const;

/** `60s`, `60`, `5m`, `1h`: at most an hour. */
const GRACE = /^(([1-9]\d{0,2}|[12]\d{3}|3[0-5]\d{2}|3600)s?|([1-9]|[1-5]\d|60)m|1h)$/;

const isGrace = (grace: string | number): boolean =>
  typeof grace === 'string'
    ? GRACE.test(grace)
    : grace >= STOP_GRACE.least && grace <= STOP_GRACE.most;

export const stopSpecSchema = z.strictObject({
  signal: z.enum(STOP_SIGNALS).default('SIGTERM').describe('What asks the workers to end.'),
  grace: z
    .union([
      z.string().meta({ pattern: GRACE.source }),
      z.int().meta({ minimum: STOP_GRACE.least, maximum: STOP_GRACE.most }),
    ])
    .refine(isGrace, 'a time from 1s to 1h, such as 60s or 5m')
    .default(`${STOP_GRACE.default}s`)
    .meta({
      description: 'How long they have before they are ended by SIGKILL: 60s, 5m, at most 1h.',
      examples: ['60s', '5m'],
    }),
});

/** The seconds that a job's workers have to end. Pure. */
export function graceSecondsOf(stop: z.infer<typeof stopSpecSchema> | undefined): number {
  const grace = stop?.grace ?? STOP_GRACE.default;
  if (typeof grace === 'number') return grace;
  return Number.parseInt(grace, 10) * (grace.endsWith('h') ? 3_600 : grace.endsWith('m') ? 60 : 1);
}

export const jobSpecSchema = z
  .strictObject({
    name: jobNameSchema.describe(
      'The job\'s name, part of the output\'s address: letters, digits, ".", "_" and "-", beginning with a letter or digit, at most 63.',
    ),
    kind: z
      .enum(JOB_KINDS)
      .default('training')
      .meta({ description: 'What kind of job it is.', enum: ['training'] }),
    host: z
      .string()
      .min(1)
      .meta({ description: 'The machine that runs it: local, this one.', enum: ['local'] }),
    resources: z
      .strictObject({
        gpus: z
          .int()
          .min(0)
          .max(64)
          .default(0)
          .describe('Whole cards for each worker; 0 hides the cards from it.'),
        useBusy: z
          .boolean()
          .exactOptional()
          .describe('true: also cards that others compute on, once no other is free.'),
        gpuIds: z
          .enum(GPU_IDS)
          .exactOptional()
          .describe(
            'How CUDA_VISIBLE_DEVICES names the cards of a worker: uuid (the default), or index, for programs that want numbers. TRAINYARD_GPU_INDEXES has the numbers in any case.',
          ),
      })
      .default({ gpus: 0 })
      .describe('What each worker needs.'),
    code: codeSpecSchema.describe('What the workers run. Each runs in a copy of its own.'),
    setup: command
      .optional()
      .describe(
        'A command that runs once per job, in the code folder, once the input is there and before the workers, with the key that they get.',
      ),
    workers: z
      .array(command)
      .min(1, 'at least one command')
      .max(MAX_WORKERS)
      .describe('One command for each worker, run by `bash -c`.'),
    env: environment
      .default({})
      .describe(
        'Variables for setup and workers. Values are texts: quote numbers and true. A value may name its own variable, PATH: "/x:$PATH"; nothing else is replaced.',
      ),
    input: inputSpecSchema.optional().describe('What lies in TRAINYARD_DATA_PATH.'),
    output: outputSpecSchema
      .optional()
      .describe('Where results go. Without it they stay in the run directory.'),
    workerKeys: z
      .array(workerKeySpecSchema)
      .max(1, 'at most one key')
      .default([])
      .describe('Hands a key to the workers.'),
    stop: stopSpecSchema
      .exactOptional()
      .describe(
        'How workers are ended: when the job is stopped, and what they left running when their command ended.',
      ),
    unattended: z
      .boolean()
      .default(false)
      .describe(
        'true: the agent is handed the keys of code, input, output and workers themselves, keeps them in memory alone, and never waits for fresh access.',
      ),
  })
  .meta({ title: 'Trainyard job file', description: 'See docs/job-file.md.' });

/** A job file after defaults. */
export type JobSpec = Readonly<z.infer<typeof jobSpecSchema>>;
/** A job file as written. */
export type JobSpecInput = z.input<typeof jobSpecSchema>;
export type ArchiveFormat = (typeof ARCHIVE_FORMATS)[number];
export type OutputLayout = (typeof OUTPUT_LAYOUTS)[number];
export type WorkerKeyMode = (typeof WORKER_KEY_MODES)[number];
