import * as z from 'zod';
import { jobNameSchema, jobSpecSchema, WORKER_KEY_MODES, type JobSpec } from './job-spec.ts';

/** What a user asks of a notebook: a run with one worker, their own Jupyter. */
export const notebookRequestSchema = z.strictObject({
  name: jobNameSchema,
  host: z.string().min(1).max(256),
  /** A key's name: for input and output, and handed to the kernels as `mode` says. Null: no credential is sent. */
  key: z.string().min(1).max(256).nullable(),
  mode: z.enum(WORKER_KEY_MODES),
  /** `gs://bucket/path`, or a folder of the host. */
  input: z.string().min(1).max(4_096).nullable(),
  /** `gs://bucket/path`. */
  output: z.string().min(1).max(2_048).nullable(),
  /** A folder of the host, of which the notebook works in a copy; null: an empty one. */
  code: z.string().min(1).max(4_096).nullable(),
  gpus: z.int().min(0).max(64),
  /** Also cards that others use. */
  useBusyGpus: z.boolean().exactOptional(),
});
export type NotebookRequest = Readonly<z.infer<typeof notebookRequestSchema>>;

/** `private/notebook/server.json`: where the Jupyter of the run listens, and the token that it wants. Made anew at each of its starts. */
export const notebookServerSchema = z.strictObject({
  port: z.int().min(1).max(65_535),
  token: z.string().min(32),
  program: z.string(),
  version: z.string(),
});
export type NotebookServer = Readonly<z.infer<typeof notebookServerSchema>>;

export const notebookOrigin = (port: number): string => `http://127.0.0.1:${port}`;
/** Its first page: one that takes the token itself, a redirection would write it into Jupyter's log. */
export const notebookStart = ({ port, program }: NotebookServer): string =>
  `${notebookOrigin(port)}/${program === 'jupyter-lab' ? 'lab' : 'tree'}`;
/** A secret: whoever has it may do what the user may on the host. */
export const notebookAddress = (server: NotebookServer): string =>
  `${notebookStart(server)}?token=${server.token}`;

/** What stands for the command of a notebook: the agent finds the user's Jupyter. */
export const NOTEBOOK_COMMAND = 'jupyter';

/** A notebook as a job file would have it; errors as its schema tells them. Pure. */
export function notebookSpec(request: NotebookRequest): z.ZodSafeParseResult<JobSpec> {
  const { name, host, key, mode, input, output, code, gpus } = request;
  const withKey = key === null ? {} : { key };
  return jobSpecSchema.safeParse({
    name,
    kind: 'notebook',
    host,
    resources: { gpus, ...(request.useBusyGpus === true ? { useBusy: true } : {}) },
    code: { dir: code ?? '.' },
    workers: [NOTEBOOK_COMMAND],
    ...(input === null
      ? {}
      : { input: input.startsWith('gs://') ? { gcs: input, ...withKey } : { dir: input } }),
    ...(output === null ? {} : { output: { gcs: output, ...withKey } }),
    workerKeys: key === null ? [] : [{ key, mode }],
  });
}

/** A text as one word of a shell. Pure. */
const word = (text: string): string =>
  /^[A-Za-z0-9._/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/**
 * The command that runs one file of a notebook's folder to its end; null where nobody can tell how. What a notebook shows is kept in a copy in
 * the output. Pure.
 */
export function commandFor(file: string): string | null {
  const path = file.startsWith('-') ? `./${file}` : file;
  if (/\.ipynb$/i.test(file))
    return `jupyter nbconvert --to notebook --execute --ExecutePreprocessor.timeout=-1 --output-dir "$TRAINYARD_OUTPUT_PATH" ${word(path)}`;
  if (/\.py$/i.test(file)) return `python3 ${word(path)}`;
  if (/\.sh$/i.test(file)) return `bash ${word(path)}`;
  return null;
}
