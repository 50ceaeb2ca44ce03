import { posix } from 'node:path';
import {
  commandFor,
  notebookAddress,
  notebookOrigin,
  notebookServerSchema,
  notebookSpec,
  notebookStart,
  type NotebookRequest,
} from '../../shared/notebook.ts';
import { jobSpecSchema, type JobSpec } from '../../shared/job-spec.ts';
import type { JobPlan, RunPlan } from '../../shared/plan.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { RUN, workerCode } from '../../shared/run-directory.ts';
import type { JobView } from '../../shared/views.ts';
import type { Host } from '../hosts/types.ts';
import { specToRunAgain } from './run-again.ts';
import { prepareJob, type PreparedJob, type SubmitOptions, type SubmitParts } from './submit.ts';

/** Where the Jupyter of a run is to be found, by whoever asks for it. */
export interface OpenNotebook {
  /** With its token: a secret. */
  readonly url: string;
  /** The same without it, and the token by itself. */
  readonly start: string;
  readonly token: string;
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** A file (0600) that leads a browser there: a command line may name it. */
  readonly page: string;
}

/**
 * {@link prepareJob} for a notebook. Without a folder of code it begins with an empty one. Errors: those of prepareJob; `input.notebook`.
 */
export async function prepareNotebook(
  parts: SubmitParts,
  request: NotebookRequest,
  options: SubmitOptions,
): Promise<Result<PreparedJob>> {
  const spec = notebookSpec(request);
  if (!spec.success) {
    const [issue] = spec.error.issues;
    return fail(
      problem({
        code: 'input.notebook',
        op: 'start the notebook',
        subject: request.name,
        message: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as agreed'}.`,
        hint: 'See `trainyard help notebook`.',
      }),
    );
  }
  if (request.code !== null) return prepareJob(parts, spec.data, options);
  const prepared = await prepareJob(parts, spec.data, { ...options, emptyCode: true });
  if (!prepared.ok) return prepared;
  const { plan, host } = prepared.value;
  // What it begins with is nowhere but in the run.
  const code = { dir: folderOf(host, plan.id) };
  return ok({ ...prepared.value, plan: { ...plan, spec: { ...plan.spec, code } } });
}

/** The folder that a notebook works in. */
const folderOf = (host: Host, id: string): string =>
  posix.join(host.runDirectory(id), workerCode(0));

/** Errors: `input.not-a-notebook`, `input.notebook-not-there`. */
export async function findNotebook(
  host: Host,
  plan: RunPlan,
  view: JobView,
): Promise<Result<OpenNotebook>> {
  if (plan.kind !== 'notebook') return fail(noNotebook(plan));
  if (view.status.notebook === null) return fail(notThere(view));
  const file = await host.readFile(plan.id, RUN.notebookServer, 0, 4_096);
  if (!file.ok) return file;
  const server = notebookServerSchema.safeParse(
    parse(Buffer.from(file.value?.bytes ?? []).toString()),
  );
  if (!server.success) return fail(notThere(view));
  return ok({
    url: notebookAddress(server.data),
    start: notebookStart(server.data),
    token: server.data.token,
    origin: notebookOrigin(server.data.port),
    page: posix.join(host.runDirectory(plan.id), RUN.notebookPage),
  });
}

/** The most files among which the last one is looked for. */
const MAX_FILES = 10_000;

/**
 * A job that does what a notebook did: its folder as the code, its input, output and key, and a command that runs one of its files to the end.
 * Errors: `input.not-a-notebook`, `input.notebook-file`, those of reading.
 */
export async function jobOfNotebook(
  host: Host,
  plan: RunPlan,
  wanted: { readonly file?: string; readonly command?: string },
): Promise<Result<JobSpec>> {
  if (plan.kind !== 'notebook') return fail(noNotebook(plan));
  const command =
    wanted.command === undefined
      ? await chooseCommand(host, plan, wanted.file)
      : ok(wanted.command);
  if (!command.ok) return command;
  return ok(
    jobSpecSchema.parse({
      ...specToRunAgain(plan),
      kind: 'training',
      code: { dir: folderOf(host, plan.id) },
      workers: [command.value],
    }),
  );
}

/** The command for a file of the folder; without one for the notebook, else the script, that changed last. */
async function chooseCommand(
  host: Host,
  plan: JobPlan,
  file: string | undefined,
): Promise<Result<string>> {
  const refuse = (message: string) =>
    fail(
      problem({
        code: 'input.notebook-file',
        op: 'make a job of the notebook',
        subject: file ?? plan.name,
        message,
        hint: 'Name one of its files with --file, or what the job is to run with --command.',
      }),
    );
  if (file !== undefined) {
    const path = posix.normalize(file);
    if (path.startsWith('..') || posix.isAbsolute(path))
      return refuse(`${file} is not a file of the notebook's folder.`);
    const there = await host.statFile(plan.id, `${workerCode(0)}/${path}`);
    if (!there.ok) return there;
    if (there.value === null) return refuse(`There is no file ${file} in the notebook's folder.`);
    const command = commandFor(path);
    return command === null
      ? refuse(`It cannot be told how ${file} is run: it is no .ipynb, .py or .sh.`)
      : ok(command);
  }
  const listed = await host.listFolder(plan.id, workerCode(0), MAX_FILES);
  if (!listed.ok) return listed;
  const files = (listed.value?.entries ?? [])
    .filter(({ kind }) => kind === 'file')
    .toSorted((a, b) => b.changedAt - a.changedAt);
  const last =
    files.find(({ name }) => /\.ipynb$/i.test(name)) ??
    files.find(({ name }) => /\.py$/i.test(name));
  const command = last === undefined ? null : commandFor(last.name);
  return command === null
    ? refuse(`There is neither a notebook nor a script in ${folderOf(host, plan.id)}.`)
    : ok(command);
}

function noNotebook(plan: RunPlan): Problem {
  return problem({
    code: 'input.not-a-notebook',
    op: 'open the notebook',
    subject: plan.id,
    message: `${plan.id} (${plan.name}) is no notebook.`,
    hint: 'Start one with: trainyard notebook',
  });
}

function notThere(view: JobView): Problem {
  const goesOn = !['finished', 'failed', 'stopped', 'interrupted'].includes(view.state);
  return problem({
    code: 'input.notebook-not-there',
    op: 'open the notebook',
    subject: view.id,
    message: `The notebook ${view.id} cannot be opened: ${goesOn ? `it is ${view.state}, and Jupyter does not answer yet` : `it has ${view.state === 'interrupted' ? 'been interrupted' : view.state === 'stopped' ? 'been stopped' : view.state}`}.`,
    hint: goesOn
      ? `Its log: trainyard logs ${view.id}`
      : view.state === 'finished'
        ? `Go on in a new one with its files: trainyard notebook --code ${posix.join(view.runDirectory, workerCode(0))}`
        : `Take it up again with: trainyard retry ${view.id}`,
    retryable: goesOn,
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
