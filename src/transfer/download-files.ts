import { lstat, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { getObject } from '../google/listing.ts';
import type { Progress } from '../shared/events.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import { fail, ok, type Problem, type Result } from '../shared/problem.ts';
import { layersOf, type PackedAs, type PackedObject } from '../shared/codings.ts';
import { diskProblem, DiskFault, errorCodeOf, roomFor } from './disk.ts';
import type { DownloadJournal } from './download-journal.ts';
import {
  bytesLeftBehind,
  downloadLarge,
  LARGE,
  partialJournalPath,
  type LargeContext,
} from './download-large.ts';
import {
  refusalReason,
  type DownloadPlan,
  type PlannedDownload,
  type PlannedFolder,
  type RefusedObject,
} from './download-plan.ts';
import { stateOf } from './download-state.ts';
import { downloadWhole, type FetchTask } from './download-whole.ts';
import { folderOf, type FolderTree } from './folder-tree.ts';
import { forEachOf, limiter } from './limiter.ts';
import { networkWatch, notTried } from './network-watch.ts';
import { partialPath, removePartial } from './partial-file.ts';
import { progressMeter } from './progress.ts';
import type { UnpackedForms } from './unpacked-forms.ts';
import { addressOf, type Wire } from './wire.ts';

/** Whole large objects under way at once; each has several requests. */
const LARGE_AT_ONCE = 4;

/** How often an object that is replaced while it is fetched is asked for anew. */
const REPLACED_ATTEMPTS = 3;

/** What the download of files needs. */
export interface DownloadContext {
  readonly wire: Wire;
  readonly destination: string;
  /** The destination, open. */
  readonly tree: FolderTree;
  readonly journals: string;
  /** Of this copy, in the names of incomplete files: partial-file.ts. */
  readonly partialId: string;
  readonly journal: DownloadJournal;
  readonly boot: string | null;
  /** What is stored packed stays so. */
  readonly keepCompressed: boolean;
  readonly forms: UnpackedForms;
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

/** An object and where it is: below the destination, with `/`; with one at the end for a folder. */
export interface PlacedObject {
  readonly object: string;
  readonly path: string;
}

/** What became of each object: {@link DownloadReport}. */
export interface Placed {
  readonly objects: number;
  readonly bytes: number;
  readonly skipped: number;
  readonly written: readonly PlacedObject[];
  readonly mapped: readonly PlacedObject[];
  readonly refused: readonly RefusedObject[];
  readonly failed: readonly FailedObject[];
  /** Of the objects that were fetched, those that are stored packed, or say so. */
  readonly packed: readonly PackedObject[];
}

interface FailedObject {
  readonly object: string;
  readonly problem: Problem;
}

/** A file to fetch; `replaces`: one of our own that is in its place. */
interface Wanted extends PlannedDownload {
  readonly replaces: boolean;
}

interface Sorted {
  readonly have: readonly PlannedDownload[];
  /** Bytes of the files of `have`, by name, where they are not those of the object. */
  readonly sizes: ReadonlyMap<string, number>;
  readonly fetch: readonly Wanted[];
  readonly failed: readonly FailedObject[];
}

/** Which files are in place from earlier attempts, and which names somebody else's files hold. */
async function sortFiles(context: DownloadContext, plan: DownloadPlan): Promise<Sorted> {
  const have: PlannedDownload[] = [];
  const fetch: Wanted[] = [];
  const failed: FailedObject[] = [];
  const sizes = new Map<string, number>();
  await forEachOf(plan.files, context.wire.concurrency, async (file) => {
    const state = await stateOf(context, file);
    if (state.kind === 'have') {
      have.push(file);
      if (state.bytes !== file.object.size) sizes.set(file.object.name, state.bytes);
    } else if (state.kind === 'blocked')
      failed.push({ object: file.object.name, problem: state.problem });
    else fetch.push({ ...file, replaces: state.kind === 'replace' });
  });
  return { have, sizes, fetch, failed };
}

async function checkSpace(
  context: DownloadContext,
  plan: DownloadPlan,
  fetch: readonly PlannedDownload[],
): Promise<Result<void>> {
  let bytes = 0;
  // How large what is packed becomes nobody tells: no smaller, as a rule, and both forms of one are there at once.
  let bothForms = 0;
  for (const { object, path } of fetch) {
    if (layersOf(object, context.keepCompressed) > 0) bothForms = Math.max(bothForms, object.size);
    const partial = partialPath(join(context.destination, path), context.partialId);
    const task = { object, partial };
    bytes += object.size - (object.size >= LARGE ? await bytesLeftBehind(task) : 0);
  }
  const folders = new Set(fetch.map(({ path }) => dirname(path)));
  const files = fetch.length + folders.size + plan.folders.length;
  return roomFor(await existingFolder(context.destination), { bytes: bytes + bothForms, files });
}

/** Whether an object that went away midway is there anew: then it is fetched whole, by its new generation. */
async function replacementOf(
  wire: Wire,
  object: ObjectInfo,
): Promise<Result<ObjectInfo | 'not-replaced'>> {
  const { endpoints, tokens, bucket, signal } = wire;
  const now = await getObject({ endpoints, tokens, bucket, name: object.name, signal });
  if (!now.ok) return now.problem.code === 'storage.object-not-found' ? ok('not-replaced') : now;
  const same = now.value.generation === object.generation;
  return ok(same || refusalReason(now.value) !== null ? 'not-replaced' : now.value);
}

/** An object whose file is in place. */
interface Arrived {
  readonly object: ObjectInfo;
  /** Of the file. */
  readonly bytes: number;
  readonly packed: PackedAs | null;
}

/** Fetches the bytes of one object, those of its next generation where it was replaced midway. */
async function fetchCurrent(
  context: LargeContext & { readonly journal: DownloadJournal },
  file: Wanted,
  task: FetchTask,
): Promise<Result<Arrived>> {
  const { wire, journals, requests, meter } = context;
  let bytes = 0;
  const note = async (object: ObjectInfo) => {
    const { mtimeMs, size } = await lstat(task.folder.at(basename(task.path)));
    bytes = size;
    const { name, generation } = object;
    await context.journal.done({ object: name, generation, path: file.path, size, mtimeMs });
  };
  let { object } = task;
  for (let attempt = 1; ; attempt += 1) {
    const current = { ...task, object };
    let done: Result<PackedAs | null>;
    if (object.size >= LARGE) done = await downloadLarge(context, current, () => note(object));
    else {
      done = await requests.run(1, () => downloadWhole(wire, current, meter));
      if (done.ok) await note(object);
    }
    if (done.ok) return ok({ object, bytes, packed: done.value });
    if (done.problem.code !== 'storage.changed' || attempt >= REPLACED_ATTEMPTS) return done;
    const next = await replacementOf(wire, object);
    if (!next.ok) return next;
    if (next.value === 'not-replaced') return done;
    // Nothing of the old generation is gone on with.
    await rm(partialJournalPath(journals, wire.bucket, object, task.path), { force: true });
    await removePartial(task);
    const room = await roomFor(dirname(task.path), { bytes: next.value.size, files: 1 });
    if (!room.ok) return room;
    object = next.value;
  }
}

interface Fetched {
  readonly failed: readonly FailedObject[];
  /** Bytes of files that are not those of the object that was listed, by name: it was replaced, or unpacked. */
  readonly sizes: ReadonlyMap<string, number>;
  readonly packed: readonly PackedObject[];
}

/** Fetches what is missing; one failure does not stop the others, but where the network is gone nothing more is tried, and the rest is told so. */
async function fetchAll(context: DownloadContext, files: readonly Wanted[]): Promise<Fetched> {
  const { wire, destination, tree } = context;
  const meter = progressMeter(
    { bytes: files.reduce((sum, { object }) => sum + object.size, 0), objects: files.length },
    context.onProgress,
  );
  const requests = limiter(wire.concurrency);
  const inner = { ...context, requests, meter };
  const failed: FailedObject[] = [];
  const sizes = new Map<string, number>();
  const packed: PackedObject[] = [];
  const network = networkWatch(wire.concurrency, () => wire.signal.aborted);

  const fetchOne = async (file: Wanted): Promise<Result<Arrived>> => {
    const { object, path, replaces } = file;
    const target = join(destination, path);
    const partial = partialPath(target, context.partialId);
    const { keepCompressed, forms } = context;
    const task = { object, path: target, partial, replaces, keepCompressed, forms };
    try {
      await tree.make(folderOf(path));
      return await tree.in(folderOf(path), (folder) =>
        fetchCurrent(inner, file, { ...task, folder }),
      );
    } catch (error) {
      if (error instanceof DiskFault) return fail(error.problem);
      if (errorCodeOf(error) === null) throw error;
      return fail(diskProblem(error, { op: 'write', subject: target }));
    }
  };
  const work = async (file: Wanted) => {
    const { name } = file.object;
    const gone = network.gone();
    if (gone !== null) {
      failed.push({ object: name, problem: notTried(gone, addressOf(wire.bucket, name)) });
      return;
    }
    const done = await fetchOne(file);
    if (done.ok) {
      network.arrived();
      const { bytes, object, packed: as } = done.value;
      if (bytes !== file.object.size) sizes.set(name, bytes);
      if (as !== null)
        packed.push({ object: name, contentEncoding: object.contentEncoding ?? '', as });
      return;
    }
    failed.push({ object: name, problem: done.problem });
    network.failed(done.problem);
  };
  const isLarge = ({ object }: Wanted) => object.size >= LARGE;
  await Promise.all([
    forEachOf(
      files.filter((file) => !isLarge(file)),
      wire.concurrency,
      work,
    ),
    forEachOf(files.filter(isLarge), LARGE_AT_ONCE, work),
  ]);
  meter.end();
  return { failed, sizes, packed };
}

/** Makes the folders that markers ask for. */
async function makeFolders(
  context: DownloadContext,
  folders: readonly PlannedFolder[],
): Promise<readonly FailedObject[]> {
  const failed: FailedObject[] = [];
  for (const { object, path } of folders) {
    try {
      await context.tree.make(path);
    } catch (error) {
      const subject = join(context.destination, path);
      failed.push({ object, problem: diskProblem(error, { op: 'make the folder', subject }) });
    }
  }
  return failed;
}

/** Puts planned objects in place below the destination, and tells what became of each. */
export async function downloadFiles(
  context: DownloadContext,
  plan: DownloadPlan,
): Promise<Result<Placed>> {
  const sorted = await sortFiles(context, plan);
  const room = await checkSpace(context, plan, sorted.fetch);
  if (!room.ok) return room;
  const folders = await makeFolders(context, plan.folders);
  const fetched = await fetchAll(context, sorted.fetch);
  const failed = [...sorted.failed, ...folders, ...fetched.failed];
  const missing = new Set(failed.map(({ object }) => object));
  const there = plan.files.filter(({ object }) => !missing.has(object.name));
  const all = [
    ...there.map(({ object, path, mapped }) => ({ object: object.name, path, mapped })),
    ...plan.folders
      .filter(({ object }) => !missing.has(object))
      .map(({ object, path, mapped }) => ({ object, path: `${path}/`, mapped })),
  ];
  const told = (mapped: boolean) =>
    all
      .filter((one) => one.mapped === mapped)
      .map(({ object, path }): PlacedObject => ({ object, path }));
  return ok({
    objects: there.length,
    bytes: there.reduce(
      (sum, { object: { name, size } }) =>
        sum + (fetched.sizes.get(name) ?? sorted.sizes.get(name) ?? size),
      0,
    ),
    skipped: sorted.have.length,
    written: told(false),
    mapped: told(true),
    refused: plan.refused,
    failed,
    packed: fetched.packed,
  });
}
