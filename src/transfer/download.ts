import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { TokenSource } from '../google/access-token.ts';
import { cancelledProblem } from '../google/http.ts';
import type { GoogleEndpoints } from '../shared/endpoints.ts';
import type { Progress } from '../shared/events.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import type { InputTarget } from '../shared/plan.ts';
import { areaOf, fail, ok, type Problem, type Result } from '../shared/problem.ts';
import { bootId, diskProblem, DiskFault, errorCodeOf, folderMaker, roomFor } from './disk.ts';
import { downloadArchive } from './download-archive.ts';
import { openDownloadJournal, type DownloadJournal } from './download-journal.ts';
import { bytesLeftBehind, downloadLarge, LARGE, type LargeContext } from './download-large.ts';
import { planDownload, type DownloadPlan, type PlannedDownload } from './download-plan.ts';
import { stateOf } from './download-state.ts';
import { downloadWhole } from './download-whole.ts';
import { limiter, forEachOf } from './limiter.ts';
import { listTarget } from './list-target.ts';
import { progressMeter } from './progress.ts';
import { addressOf, openWire, type Wire } from './wire.ts';

export interface DownloadOptions {
  readonly endpoints: GoogleEndpoints;
  /** Null: no credential is sent. */
  readonly tokens: TokenSource | null;
  readonly bucket: string;
  readonly target: InputTarget;
  /** The folder that the files go to; made where it is missing. */
  readonly destination: string;
  /** A folder for the journals, so that a restart resumes. One download at a time uses it. */
  readonly journal: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Requests at once. Default 16. */
  readonly concurrency?: number;
  /** How long each request is tried again, milliseconds. Default two minutes. */
  readonly patienceMs?: number;
  /** A stream that brings no byte for so long is broken off and tried again, milliseconds. Default 30,000. */
  readonly stallMs?: number;
}

export interface DownloadReport {
  /** Files in place now, those of earlier attempts included. */
  readonly objects: number;
  /** Of these files. */
  readonly bytes: number;
  readonly seconds: number;
  /** How many of them were in place already. */
  readonly skipped: number;
  /** Objects whose names cannot be names of files; for an archive its entries. */
  readonly refused: readonly { readonly object: string; readonly reason: string }[];
  readonly failed: readonly { readonly object: string; readonly problem: Problem }[];
}

/** Whole large objects under way at once; each has several requests. */
const LARGE_AT_ONCE = 4;

interface Context {
  readonly wire: Wire;
  readonly destination: string;
  readonly journals: string;
  readonly journal: DownloadJournal;
  readonly boot: string | null;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

/** The nearest folder at or above a path that is there: whose disk will hold it. */
async function existingFolder(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      if ((await stat(at)).isDirectory()) return at;
    } catch (error) {
      if (errorCodeOf(error) !== 'ENOENT' && errorCodeOf(error) !== 'ENOTDIR') throw error;
    }
    if (at === dirname(at)) return at;
  }
}

interface Sorted {
  readonly have: readonly PlannedDownload[];
  readonly fetch: readonly PlannedDownload[];
  readonly failed: readonly { readonly object: string; readonly problem: Problem }[];
}

/** Which files are in place from earlier attempts, and which names somebody else's files hold. */
async function sortFiles(context: Context, plan: DownloadPlan): Promise<Sorted> {
  const have: PlannedDownload[] = [];
  const fetch: PlannedDownload[] = [];
  const failed: { object: string; problem: Problem }[] = [];
  await forEachOf(plan.files, context.wire.concurrency, async (file) => {
    const state = await stateOf(context, file);
    if (state === 'have') have.push(file);
    else if (state === 'fetch') fetch.push(file);
    else failed.push({ object: file.object.name, problem: state });
  });
  return { have, fetch, failed };
}

async function checkSpace(
  context: Context,
  plan: DownloadPlan,
  fetch: readonly PlannedDownload[],
): Promise<Result<void>> {
  let bytes = 0;
  for (const { object, path } of fetch) {
    const task = { object, path: join(context.destination, path) };
    bytes += object.size - (object.size >= LARGE ? await bytesLeftBehind(task) : 0);
  }
  const folders = new Set(fetch.map(({ path }) => dirname(path)));
  const files = fetch.length + folders.size + plan.folders.length;
  return roomFor(await existingFolder(context.destination), { bytes, files });
}

/** Fetches what is missing; one failure does not stop the others, but where the network is gone nothing more is tried. */
async function fetchAll(
  context: Context,
  files: readonly PlannedDownload[],
): Promise<readonly { readonly object: string; readonly problem: Problem }[]> {
  const { wire, destination } = context;
  const meter = progressMeter(
    { bytes: files.reduce((sum, { object }) => sum + object.size, 0), objects: files.length },
    context.onProgress,
  );
  const requests = limiter(wire.concurrency);
  const makeFolder = folderMaker(destination);
  const large: LargeContext = { ...context, requests, meter };
  const failed: { object: string; problem: Problem }[] = [];
  let gone: Problem | null = null;

  const fetchOne = async ({ object, path }: PlannedDownload): Promise<Result<void>> => {
    if (gone !== null) return fail(gone);
    const task = { object, path: join(destination, path) };
    try {
      await makeFolder(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');
    } catch (error) {
      return fail(diskProblem(error, { op: 'make the folder of', subject: task.path }));
    }
    const note = async () => {
      const { mtimeMs, size } = await stat(task.path);
      const { name, generation } = object;
      await context.journal.done({ object: name, generation, path, size, mtimeMs });
    };
    if (object.size >= LARGE) return downloadLarge(large, task, note);
    const done = await requests.run(1, () => downloadWhole(wire, task, meter));
    if (done.ok) await note();
    return done;
  };
  const work = async (file: PlannedDownload) => {
    const done = await fetchOne(file);
    if (done.ok) return;
    failed.push({ object: file.object.name, problem: done.problem });
    if (areaOf(done.problem) === 'network' || wire.signal.aborted) gone ??= done.problem;
  };
  await Promise.all([
    forEachOf(
      files.filter(({ object }) => object.size < LARGE),
      wire.concurrency,
      work,
    ),
    forEachOf(
      files.filter(({ object }) => object.size >= LARGE),
      LARGE_AT_ONCE,
      work,
    ),
  ]);
  meter.end();
  return failed;
}

/** Puts the listed objects in place below the destination. */
async function place(
  context: Context,
  objects: readonly ObjectInfo[],
  target: InputTarget,
): Promise<Result<Omit<DownloadReport, 'seconds'>>> {
  const plan = planDownload(objects, target, {
    foldsNames: process.platform === 'darwin' || process.platform === 'win32',
    windows: process.platform === 'win32',
  });
  const sorted = await sortFiles(context, plan);
  const room = await checkSpace(context, plan, sorted.fetch);
  if (!room.ok) return room;
  await mkdir(context.destination, { recursive: true });
  const makeFolder = folderMaker(context.destination);
  for (const folder of plan.folders) await makeFolder(folder);
  const failed = [...sorted.failed, ...(await fetchAll(context, sorted.fetch))];
  if (context.wire.signal.aborted)
    return fail(cancelledProblem({ op: 'download', subject: addressOf(context.wire.bucket, '') }));
  const missing = new Set(failed.map(({ object }) => object));
  const there = plan.files.filter(({ object }) => !missing.has(object.name));
  if (failed.length === 0) await rm(context.journals, { recursive: true, force: true });
  return ok({
    objects: there.length,
    bytes: there.reduce((sum, { object }) => sum + object.size, 0),
    skipped: sorted.have.length,
    refused: plan.refused,
    failed,
  });
}

async function downloadListed(
  wire: Wire,
  options: DownloadOptions,
): Promise<Result<Omit<DownloadReport, 'seconds'>>> {
  const listed = await listTarget(wire, options.target);
  if (!listed.ok) return listed;
  const boot = await bootId();
  const archive = options.target.kind === 'archive';
  const destination = archive ? join(options.journal, 'archive') : resolve(options.destination);
  const journal = await openDownloadJournal(join(options.journal, 'download.jsonl'), {
    bucket: options.bucket,
    destination,
    boot,
  });
  try {
    const context: Context = {
      wire,
      destination,
      journals: join(options.journal, 'partial'),
      journal,
      boot,
      onProgress: options.onProgress,
    };
    const { target } = options;
    if (target.kind !== 'archive') return await place(context, listed.value, target);
    const object = listed.value[0];
    if (object === undefined) return fail(cancelledProblem({ op: 'download', subject: '' }));
    return await downloadArchive(options, target.format, object, destination, () =>
      place(context, [object], { kind: 'object', object: object.name }),
    );
  } finally {
    await journal.close();
  }
}

/**
 * Downloads what an address turned out to be into a folder: lists, checks the room, fetches in parallel, pinned to the generations listed;
 * a file has its final name only when it is complete and its size and CRC32C are right. Files of earlier attempts with the same journal are
 * kept, large ones are gone on with. Nothing outside `destination` and `journal` is written, and no file of somebody else is replaced.
 *
 * Needs `storage.objects.get`, and `storage.objects.list` on the bucket for a folder.
 *
 * Fails as a whole when the listing fails, when there is no room (`transfer.no-room`), or when cancelled (`job.cancelled`); what befalls
 * single objects is in the report.
 */
export async function download(options: DownloadOptions): Promise<Result<DownloadReport>> {
  const started = performance.now();
  const prefix = options.target.kind === 'folder' ? options.target.prefix : undefined;
  const wire = openWire({ ...options, prefix });
  try {
    const done = await downloadListed(wire, options);
    if (!done.ok) return done;
    return ok({ ...done.value, seconds: (performance.now() - started) / 1000 });
  } catch (error) {
    if (wire.signal.aborted)
      return fail(cancelledProblem({ op: 'download', subject: addressOf(options.bucket, '') }));
    if (error instanceof DiskFault) return fail(error.problem);
    if (error instanceof Error && 'syscall' in error)
      return fail(diskProblem(error, { op: 'download to', subject: options.destination }));
    throw error;
  } finally {
    await wire.close();
  }
}
