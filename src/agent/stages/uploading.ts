import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { asPrefix, parseGcsAddress } from '../../shared/address.ts';
import type { Account } from '../../shared/key.ts';
import { manifestSchema, type Manifest } from '../../shared/manifest.ts';
import type { OutputPlan } from '../../shared/plan.ts';
import { fail, ok, type Problem, type Result } from '../../shared/problem.ts';
import { RUN, workerOutput } from '../../shared/run-directory.ts';
import { uploadArchive } from '../../transfer/upload-archive.ts';
import {
  amendUploads,
  readCompletedUploads,
  type CompletedUpload,
} from '../../transfer/upload-journal.ts';
import type { RefusedFile } from '../../transfer/upload-plan.ts';
import {
  upload,
  uploadedObject,
  type UploadAccess,
  type UploadedObject,
  type UploadOptions,
} from '../../transfer/upload.ts';
import { readJson, writeJsonAtomic } from '../files.ts';
import type { JobRun, Run } from '../run.ts';
import { readWorker } from '../workers.ts';
import { progressTeller, summaryOf, warningsOf } from './fetch.ts';
import { chooseOutput } from './output-choice.ts';
import { tellLeftOut } from './left-out.ts';
import type { LookAccess } from './missing.ts';
import { lookForOutput, markFinished, NOT_LOOKED, tellLost, type Looked } from './upload-again.ts';

type State = Manifest['state'];

/**
 * The stage `uploading`: the output of every worker that ever started, then, when the run has finished, the manifest as the mark of completion.
 * After a stop, only a second request to stop ends it.
 * Errors: those of upload(); the first failure when files failed.
 */
export async function uploadOutput(
  run: JobRun,
  state: State,
  /** `again`: what earlier attempts uploaded is looked for, and sent once more where it is gone. */
  { again = false }: { readonly again?: boolean } = {},
): Promise<Result<void>> {
  const { output } = run.plan;
  run.events.append({ kind: 'stage-started', stage: 'uploading' });
  if (output !== null) {
    const began = performance.now();
    const access = accessFor(run, output);
    const looked = again ? await lookForOutput(run, output, access) : ok(NOT_LOOKED);
    if (!looked.ok) return looked;
    const sent = await sendAll(run, output, access, state, looked.value);
    if (!sent.ok) return sent;
    tellLost(run, output, looked.value, sent.value.objects);
    const { objects, manifest } = sent.value;
    run.events.append({
      kind: 'output-uploaded',
      objects: objects.length,
      bytes: objects.reduce((sum, object) => sum + object.size, 0),
      seconds: (performance.now() - began) / 1_000,
    });
    if (state === 'finished') {
      const marked = await markFinished(run, output, access, manifest, again);
      if (!marked.ok) return marked;
      run.events.append({ kind: 'manifest-uploaded', object: marked.value });
    }
  }
  run.events.append({ kind: 'stage-ended', stage: 'uploading' });
  return ok();
}

interface Uploaded {
  readonly objects: readonly UploadedObject[];
  /** The bytes of `manifest.json`, which lists them. */
  readonly manifest: Buffer;
}

async function sendAll(
  run: JobRun,
  output: OutputPlan,
  access: UploadAccess,
  state: State,
  looked: Looked,
): Promise<Result<Uploaded>> {
  const sent = output.archive
    ? await sendArchives(run, output, access)
    : await sendFiles(run, output, access, looked);
  if (!sent.ok) return sent;
  const { objects, refused, failed } = sent.value;
  tellLeftOut(run, 'output', {
    refused: refused.map(({ path: name, reason }) => ({ name, reason })),
    failed,
  });
  const manifest = keepManifest(run, output, state, sent.value);
  const failure = summaryOf('upload the output', failed, objects.length + failed.length);
  return failure === null ? ok({ objects, manifest }) : fail(failure);
}

function accessFor(run: JobRun, output: OutputPlan): UploadAccess & LookAccess {
  const signal = run.stop.asked.aborted ? run.stop.askedAgain : run.stop.asked;
  const address = parseGcsAddress(output.address);
  return {
    endpoints: run.plan.endpoints,
    tokens: run.access.source(output.account, 'write', signal),
    bucket: output.bucket,
    // One grant on the user's own prefix serves all jobs; the run's serves this one.
    ...(address.ok ? { grantPrefix: asPrefix(address.value.path) } : {}),
    journal: run.at(`${RUN.journals}/upload.jsonl`),
    onlyOurs: output.layout === 'per-run',
    signal,
    onProgress: progressTeller(run, 'uploading', 'output'),
  };
}

interface Sent {
  /** All that are in the bucket, earlier attempts included. */
  readonly objects: readonly UploadedObject[];
  /** By their paths below `output/`. */
  readonly refused: readonly RefusedFile[];
  readonly failed: readonly { readonly name: string; readonly problem: Problem }[];
}

/** Where a file goes that changed after it was uploaded: beside its worker's others, under the number of this attempt. */
export function attemptPath(relativePath: string, attempt: number, ofWorkers: boolean): string {
  const slash = ofWorkers ? relativePath.indexOf('/') + 1 : 0;
  return `${relativePath.slice(0, slash)}attempt-${attempt}/${relativePath.slice(slash)}`;
}

/** Whether an object of this name can come into being no more: one is there, the file's damaged bytes maybe. */
const isNameTaken = ({ code }: Problem): boolean =>
  code === 'storage.exists' || code === 'transfer.checksum';

/** Uploads the files: `<prefix>worker-<n>/...`, with layout exact and one worker `<prefix>...`. */
async function sendFiles(
  run: JobRun,
  output: OutputPlan,
  access: UploadAccess,
  looked: Looked,
): Promise<Result<Sent>> {
  const alone = output.layout === 'exact' && run.plan.workers.length === 1;
  const source = run.at(alone ? workerOutput(0) : RUN.output);
  const above = (relativePath: string): string =>
    alone ? `worker-0/${relativePath}` : relativePath;
  if (!existsSync(source)) return ok({ objects: [], refused: [], failed: [] });
  const completed = await readCompletedUploads(access.journal, output.bucket);
  const taken = (relativePath: string): string =>
    sameUpload(completed, output.prefix, source, relativePath) ??
    attemptPath(relativePath, run.attempt, !alone);
  const choice = chooseOutput(run, output.exclude ?? [], !alone);
  const { exclude, links } = choice;
  const how = { ...access, source, links };
  const first = await upload({
    ...how,
    exclude,
    prefix: output.prefix,
    onTaken: taken,
    onTooLarge: (files) => tellTooLarge(run, files),
  });
  if (!first.ok) return first;
  const refused = choice.told(first.value.refused);
  choice.note(first.value.sameFolders);
  let report = first.value;
  // An earlier attempt may have uploaded a file, and died before it heard so, before the file changed; or it arrived damaged.
  const clashed = new Set(
    report.failed.flatMap((file) => (isNameTaken(file.problem) ? [file.path] : [])),
  );
  if (clashed.size > 0 && access.onlyOurs) {
    const others = report.failed.filter((file) => !clashed.has(file.path));
    const again = await upload({
      ...how,
      prefix: `${output.prefix}attempt-${run.attempt}/`,
      exclude: (relativePath, kind) =>
        exclude(relativePath, kind) || (kind === 'file' && !clashed.has(relativePath)),
    });
    if (!again.ok) return again;
    report = { ...again.value, failed: [...others, ...again.value.failed] };
  }
  // Nobody could tell whether it is there; the bucket said so when asked to make it.
  const there = looked.untold.filter(({ path: file }) => clashed.has(file) && !access.onlyOurs);
  await amendUploads(
    access.journal,
    access.bucket,
    there.map((done) => ({ kind: 'done', ...done })),
  );
  const known = new Set(there.map(({ path: file }) => file));
  const failed = report.failed
    .filter((file) => !known.has(file.path))
    .map((file) => ({ name: above(file.path), problem: file.problem }));
  return ok({
    objects: [...report.objects, ...there.map(uploadedObject)],
    refused: refused.map((file) => ({ ...file, path: above(file.path) })),
    failed,
  });
}

/** Tells at once, not after the hours that the others take. */
function tellTooLarge(run: Run, files: readonly RefusedFile[]): void {
  for (const { path: file, reason } of files.slice(0, TOO_LARGE_TOLD))
    run.events.append({
      kind: 'warning',
      message: `${JSON.stringify(file)} is not uploaded: ${reason}.`,
      hint: 'It stays where it is. Everything else is uploaded.',
    });
}

/** So many are told one by one; the list of what was left out has all. */
const TOO_LARGE_TOLD = 10;

/** The path below the prefix under which exactly this file is in the bucket already. */
function sameUpload(
  completed: readonly CompletedUpload[],
  prefix: string,
  source: string,
  relativePath: string,
): string | null {
  const file = statSync(path.join(source, relativePath), { throwIfNoEntry: false });
  const same = completed.find(
    (done) =>
      done.path === relativePath && done.size === file?.size && done.mtimeMs === file.mtimeMs,
  );
  return same?.name.startsWith(prefix) === true ? same.name.slice(prefix.length) : null;
}

/** Uploads one `worker-<n>.tar.gz` a worker; one that changed since goes to `worker-<n>/attempt-<k>.tar.gz`. */
async function sendArchives(
  run: JobRun,
  output: OutputPlan,
  access: UploadAccess,
): Promise<Result<Sent>> {
  const refused: RefusedFile[] = [];
  const failed: { name: string; problem: Problem }[] = [];
  for (const worker of run.plan.workers.keys()) {
    const source = run.at(workerOutput(worker));
    if (!existsSync(source)) continue;
    const name = `${output.prefix}worker-${worker}`;
    const known = await readCompletedUploads(access.journal, output.bucket);
    const names = [
      ...known.flatMap((done) => (isOf(name, done.name) ? [done.name] : [])),
      ...(known.some((done) => done.name === `${name}.tar.gz`) ? [] : [`${name}.tar.gz`]),
      `${name}/attempt-${run.attempt}.tar.gz`,
    ];
    const choice = chooseOutput(run, output.exclude ?? [], false);
    const { exclude, links } = choice;
    const sent = await firstFree(names, access, { source, exclude, links });
    if (sent.ok) {
      for (const file of choice.told(sent.value.refused))
        refused.push({ ...file, path: `worker-${worker}/${file.path}` });
      choice.note(sent.value.sameFolders);
    } else if (sent.problem.code === 'job.cancelled') return sent;
    else failed.push({ name: `worker-${worker}.tar.gz`, problem: sent.problem });
  }
  const objects = await readCompletedUploads(access.journal, output.bucket);
  return ok({
    objects: objects.map((done) => ({ ...done, relativePath: done.path })),
    refused,
    failed,
  });
}

const isOf = (name: string, object: string): boolean =>
  object === `${name}.tar.gz` || object.startsWith(`${name}/attempt-`);

/**
 * Tries names in order: one that holds exactly this archive is kept, one that holds another is passed over if it is this run's own. One that
 * arrived damaged is passed over below a prefix of the run's own.
 */
async function firstFree(
  names: readonly string[],
  access: UploadAccess,
  what: Pick<UploadOptions, 'source' | 'exclude' | 'links'>,
): ReturnType<typeof uploadArchive> {
  let answer = await uploadArchive({ ...access, ...what, object: names[0] ?? '' });
  for (const object of names.slice(1)) {
    if (answer.ok || !isNameTaken(answer.problem)) return answer;
    if (!access.onlyOurs && answer.problem.code === 'transfer.checksum') return answer;
    const ours = (await readCompletedUploads(access.journal, access.bucket)).length > 0;
    if (!access.onlyOurs && !ours) return answer;
    answer = await uploadArchive({ ...access, ...what, object });
  }
  return answer;
}

/**
 * Writes `manifest.json` into the run directory; its bytes. One that says the same already is kept as it is, so that a manifest whose upload
 * stayed without an answer is recognised.
 */
function keepManifest(
  run: JobRun,
  output: OutputPlan,
  state: State,
  { objects, refused }: Sent,
): Buffer {
  const manifest: Manifest = {
    format: 1,
    job: { id: run.plan.id, name: run.plan.name },
    createdAt: new Date().toISOString(),
    bucket: output.bucket,
    prefix: output.prefix,
    state,
    workers: run.plan.workers.map((_, index) => {
      const { exit } = readWorker(run, index);
      return { index, exitCode: exit?.exitCode ?? null, signal: exit?.signal ?? null };
    }),
    objects: objects
      .map(({ name, size, crc32c, generation, assumed }) => ({
        name,
        size,
        crc32c,
        generation,
        assumed,
      }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    refused: refused
      .map(({ path: file, reason }) => ({ path: file, reason }))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  };
  const file = run.at(RUN.manifest);
  const kept = readJson(file, manifestSchema);
  const same =
    kept !== null &&
    JSON.stringify({ ...kept, createdAt: '' }) === JSON.stringify({ ...manifest, createdAt: '' });
  if (!same) writeJsonAtomic(file, manifest);
  return readFileSync(file);
}

/** Uploads one folder outside a job. Errors: those of upload(); the first failure when files failed. */
export async function uploadFolder(
  run: Run,
  options: {
    readonly bucket: string;
    readonly prefix: string;
    readonly source: string;
    /** Of its entries; null for all. */
    readonly names: readonly string[] | null;
    /** A name in `journals/`. */
    readonly journal: string;
    readonly account: Account | null;
    readonly signal: AbortSignal;
  },
): Promise<Result<void>> {
  const { account, signal, bucket, prefix, source } = options;
  const names = options.names === null ? null : new Set(options.names);
  const isMeant = (relativePath: string): boolean =>
    names === null || names.has(relativePath.split('/', 1)[0] ?? '');
  const report = await upload({
    endpoints: run.plan.endpoints,
    tokens: run.access.source(account, 'write', signal),
    bucket,
    prefix,
    source,
    exclude: (relativePath) => !isMeant(relativePath),
    onTooLarge: (files) => tellTooLarge(run, files),
    journal: run.at(`${RUN.journals}/${options.journal}`),
    onlyOurs: false,
    signal,
    onProgress: progressTeller(run, 'uploading', 'output'),
    onWarning: warningsOf(run),
  });
  if (!report.ok) return report;
  const { objects, bytes, seconds } = report.value;
  const refused = report.value.refused.filter((file) => isMeant(file.path));
  const failed = report.value.failed.filter((file) => isMeant(file.path));
  const left = {
    refused: refused.map((file) => ({ name: file.path, reason: file.reason })),
    failed: failed.map((file) => ({ name: file.path, problem: file.problem })),
  };
  tellLeftOut(run, 'output', left);
  const failure = summaryOf('upload the folder', left.failed, objects.length + failed.length);
  if (failure !== null) return fail(failure);
  run.events.append({ kind: 'output-uploaded', objects: objects.length, bytes, seconds });
  return ok();
}
