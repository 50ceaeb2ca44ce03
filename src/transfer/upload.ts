import { dirname } from 'node:path';
import type { TokenSource } from '../google/access-token.ts';
import { cancelledProblem } from '../google/http.ts';
import type { GoogleEndpoints } from '../shared/endpoints.ts';
import type { Progress } from '../shared/events.ts';
import { fail, ok, problem, type Problem, type Result } from '../shared/problem.ts';
import { diskProblem, DiskFault } from './disk.ts';
import { crc32c } from './native-crc32c.ts';
import { forEachOf, limiter, type Limiter } from './limiter.ts';
import { networkWatch, notTried } from './network-watch.ts';
import { progressMeter, type ProgressMeter } from './progress.ts';
import { newestByPath, settleName, type Task } from './settle-name.ts';
import {
  changedProblem,
  openNamed,
  openSeen,
  openSource,
  type LinkOptions,
  type OpenedSource,
  type SourceOpener,
} from './source-file.ts';
import { openUploadJournal, type CompletedUpload, type UploadJournal } from './upload-journal.ts';
import { uploadLarge } from './upload-large.ts';
import {
  existsProblem,
  type Uploaded,
  type UploadContext,
  type UploadItem,
} from './upload-object.ts';
import { contentTypeOf, objectSizeReason, planUpload, type RefusedFile } from './upload-plan.ts';
import { uploadWhole, WHOLE_LIMIT } from './upload-whole.ts';
import { walkFolder, type Walk, type WalkedFile } from './walk.ts';
import { addressOf, openWire, type Wire } from './wire.ts';

/** What every upload needs. */
export interface UploadAccess {
  readonly endpoints: GoogleEndpoints;
  /** Null: no credential is sent. */
  readonly tokens: TokenSource | null;
  readonly bucket: string;
  /** What a grant that a problem asks for is narrowed to; default what the upload's names begin with. */
  readonly grantPrefix?: string | undefined;
  /** Path of a `.jsonl` file that remembers what was attempted. One upload at a time uses it. */
  readonly journal: string;
  /** Nobody else writes these names: see `settle` in upload-object.ts. */
  readonly onlyOurs: boolean;
  /** An object that has the bytes of the file already counts as uploaded where the key may read it. Default: it is `storage.exists`. */
  readonly equalCounts?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Requests at once. Default 16. */
  readonly concurrency?: number | undefined;
  /** How long each request is tried again, milliseconds. Default two minutes. */
  readonly patienceMs?: number | undefined;
  /** How long the answer to a request is waited for, and longer with its length, milliseconds. Default 30,000. */
  readonly answerMs?: number | undefined;
  /** Told of a folder that other users may write to: a sentence, and what helps. */
  readonly onWarning?: ((message: string, hint: string) => void) | undefined;
}

export interface UploadOptions extends UploadAccess {
  /** What names of objects begin with: ends with `/`, or is empty. */
  readonly prefix: string;
  /** A folder. */
  readonly source: string;
  /** Told at once, before anything is sent, of files that are too large for an object; they are in the report's `refused`, too. */
  readonly onTooLarge?: ((files: readonly RefusedFile[]) => void) | undefined;
  /** Paths below the source, with `/`, that are left out. */
  readonly exclude?: (relativePath: string, kind: 'file' | 'folder') => boolean;
  /** What becomes of links. */
  readonly links?: LinkOptions;
  /**
   * Another relative path for a file that changed after it was uploaded under its own: an object is never overwritten.
   * Without it, and where that one is taken too, such a file is a failure, `storage.exists`.
   */
  readonly onTaken?: (relativePath: string) => string | null;
}

/** A file whose object is in the bucket, and whether this upload sent it. */
export type UploadedFile = UploadedObject & { readonly sent: boolean };

/** An object that is in the bucket. */
export interface UploadedObject {
  readonly name: string;
  /** Of its file, below the source. */
  readonly relativePath: string;
  readonly size: number;
  /** Base64 of the big-endian CRC32C. */
  readonly crc32c: string;
  /** Decimal; null where `assumed`. */
  readonly generation: string | null;
  /** The bucket was not heard to confirm it. */
  readonly assumed: boolean;
}

export interface UploadReport {
  /** All that are in the bucket now by this journal, those of earlier attempts included. */
  readonly objects: readonly UploadedObject[];
  /** The files that are below the source now and in the bucket: each of those is in `files`, `refused` or `failed`. */
  readonly files: readonly UploadedFile[];
  /** Of `objects`. */
  readonly bytes: number;
  readonly seconds: number;
  readonly refused: readonly RefusedFile[];
  /** Links to folders that are uploaded under another name. */
  readonly sameFolders: Walk['sameFolders'];
  readonly failed: readonly { readonly path: string; readonly problem: Problem }[];
  /** Folders without anything in them: a bucket has none. */
  readonly emptyFolders: number;
}

/** Bytes of small files in memory at once. */
const MEMORY = 48 * 1024 * 1024;
/** Large files under way at once. */
const LARGE_AT_ONCE = 4;

export const uploadedObject = (done: CompletedUpload): UploadedObject => ({
  name: done.name,
  relativePath: done.path,
  size: done.size,
  crc32c: done.crc32c,
  generation: done.generation,
  assumed: done.assumed,
});

const uploadedFile = (done: CompletedUpload, sent: boolean): UploadedFile => ({
  ...uploadedObject(done),
  sent,
});

interface Context extends UploadContext {
  readonly memory: Limiter;
  readonly requests: Limiter;
}

const READ_ATTEMPTS = 3;

/** A small file's bytes, and what it was: the same before and after it was read. */
async function readStable(
  open: SourceOpener,
): Promise<{ readonly bytes: Buffer; readonly mtimeMs: number } | 'grew' | 'changing'> {
  const { handle, stats } = await open();
  try {
    let before = stats;
    for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt += 1) {
      if (before.size >= WHOLE_LIMIT) return 'grew';
      const bytes = Buffer.allocUnsafe(before.size);
      let length = 0;
      while (length < bytes.length) {
        const { bytesRead } = await handle.read(bytes, length, bytes.length - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      const after = await handle.stat();
      if (length === after.size && before.size === after.size && before.mtimeMs === after.mtimeMs)
        return { bytes, mtimeMs: after.mtimeMs };
      before = after;
    }
    return 'changing';
  } finally {
    await handle.close();
  }
}

async function uploadOne(context: Context, task: Task): Promise<Result<Uploaded>> {
  const { name, relativePath: path, file } = task;
  const item = (size: number, mtimeMs: number): UploadItem => ({
    name,
    path,
    size,
    mtimeMs,
    contentType: contentTypeOf(path),
  });
  try {
    if (task.size < WHOLE_LIMIT) {
      const small = await context.memory.run(task.size + 64 * 1024, async () => {
        const read = await readStable(task.open);
        if (typeof read === 'string') return read;
        const { bytes, mtimeMs } = read;
        return context.requests.run(1, () =>
          uploadWhole(context, item(bytes.length, mtimeMs), bytes),
        );
      });
      if (small === 'changing') return fail(changedProblem(file));
      if (small !== 'grew') return small;
    }
    return await context.requests.run(1, async () => {
      const source = await task.open();
      try {
        const { size, mtimeMs } = source.stats;
        return await uploadLarge(context, item(size, mtimeMs), file, source, task.open);
      } finally {
        await source.handle.close();
      }
    });
  } catch (error) {
    if (error instanceof DiskFault) return fail(error.problem);
    if (error instanceof Error && 'syscall' in error)
      return fail(diskProblem(error, { op: 'read', subject: file }));
    throw error;
  }
}

async function uploadAll(
  context: Context,
  tasks: readonly Task[],
): Promise<Pick<UploadReport, 'files' | 'failed'>> {
  const files: UploadedFile[] = [];
  const failed: { path: string; problem: Problem }[] = [];
  const { concurrency, signal } = context.wire;
  const network = networkWatch(concurrency, () => signal.aborted);
  const work = async (task: Task) => {
    const { relativePath: path } = task;
    const gone = network.gone();
    if (gone !== null) {
      failed.push({ path, problem: notTried(gone, task.file) });
      return;
    }
    const done = await uploadOne(context, task);
    if (done.ok) {
      network.arrived();
      files.push(uploadedFile(done.value, done.value.sent));
    } else {
      failed.push({ path, problem: done.problem });
      network.failed(done.problem);
    }
  };
  await Promise.all([
    forEachOf(
      tasks.filter(({ size }) => size < WHOLE_LIMIT),
      concurrency,
      work,
    ),
    forEachOf(
      tasks.filter(({ size }) => size >= WHOLE_LIMIT),
      LARGE_AT_ONCE,
      work,
    ),
  ]);
  return { files, failed };
}

async function uploadFolder(
  wire: Wire,
  journal: UploadJournal,
  options: UploadOptions,
): Promise<Result<Omit<UploadReport, 'seconds'>>> {
  const source = await openSource(options.source, options.onWarning, options.links);
  try {
    return await uploadTree(wire, journal, source, options);
  } finally {
    await source.close();
  }
}

async function uploadTree(
  wire: Wire,
  journal: UploadJournal,
  { tree, links }: OpenedSource,
  options: UploadOptions,
): Promise<Result<Omit<UploadReport, 'seconds'>>> {
  const walk = await walkFolder(tree, {
    ...(options.exclude === undefined ? {} : { exclude: options.exclude }),
    ...links,
    signal: options.signal,
  });
  const files = new Map<string, WalkedFile>(walk.files.map((file) => [file.relativePath, file]));
  const plan = planUpload(walk.files, options);
  if (plan.tooLarge.length > 0) options.onTooLarge?.(plan.tooLarge);
  const tasks: Task[] = [];
  const have: UploadedFile[] = [];
  const failed: { path: string; problem: Problem }[] = [...walk.failed];
  const newest = newestByPath(journal, options);
  for (const planned of plan.objects) {
    const walked = files.get(planned.relativePath);
    if (walked === undefined) continue;
    const { file } = walked;
    const open = () => openSeen(walked.tree, walked, file);
    const settled = await settleName(wire, journal, { ...planned, file, open }, newest, options);
    if (settled.kind === 'upload') tasks.push(settled.task);
    else if (settled.kind === 'failed') failed.push(settled);
    else have.push({ ...uploadedFile(settled.done, false), relativePath: planned.relativePath });
  }
  const bytes = tasks.reduce((sum, { size }) => sum + size, 0);
  const meter = progressMeter({ bytes, objects: tasks.length }, options.onProgress);
  const { onlyOurs, equalCounts } = options;
  const context: Context = {
    wire,
    journal,
    onlyOurs,
    equalCounts,
    meter,
    memory: limiter(MEMORY),
    requests: limiter(wire.concurrency),
  };
  const sent = await uploadAll(context, tasks);
  failed.push(...sent.failed);
  meter.end();
  if (wire.signal.aborted)
    return fail(
      cancelledProblem({ op: 'upload', subject: addressOf(wire.bucket, options.prefix) }),
    );
  const objects = journal.completed().map(uploadedObject);
  return ok({
    objects,
    files: [...have, ...sent.files].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    bytes: objects.reduce((sum, { size }) => sum + size, 0),
    refused: [...walk.refused, ...plan.refused],
    sameFolders: walk.sameFolders,
    failed: failed.map(({ path, problem }) => ({ path, problem })),
    emptyFolders: walk.emptyFolders,
  });
}

/** Opens connections and journal for an upload, explains what the disk does to it, and closes both. */
export async function withUpload<T>(
  options: UploadAccess & { readonly prefix?: string },
  subject: string,
  work: (wire: Wire, journal: UploadJournal) => Promise<Result<T>>,
): Promise<Result<T>> {
  const wire = await openWire({ ...options, prefix: options.grantPrefix ?? options.prefix });
  let journal: UploadJournal | null = null;
  try {
    journal = await openUploadJournal(options.journal, options.bucket);
    return await work(wire, journal);
  } catch (error) {
    if (wire.signal.aborted) return fail(cancelledProblem({ op: 'upload', subject }));
    if (error instanceof DiskFault) return fail(error.problem);
    if (error instanceof Error && 'syscall' in error)
      return fail(diskProblem(error, { op: 'upload', subject }));
    throw error;
  } finally {
    await journal?.close();
    await wire.close();
  }
}

/**
 * Uploads all files below a folder as new objects. Needs `storage.objects.create` and nothing else: it looks at nothing in the bucket, and
 * overwrites nothing. Small files go up in one request each, larger ones through sessions that a restart goes on with; a file that is in the
 * bucket by the journal, unchanged since, is not sent again.
 *
 * Fails as a whole when the folder cannot be read or the upload is cancelled (`job.cancelled`); what befalls single files is in the report.
 */
export async function upload(options: UploadOptions): Promise<Result<UploadReport>> {
  const started = performance.now();
  const done = await withUpload(options, options.source, (wire, journal) =>
    uploadFolder(wire, journal, options),
  );
  if (!done.ok) return done;
  return ok({ ...done.value, seconds: (performance.now() - started) / 1000 });
}

export interface UploadOneOptions extends UploadAccess {
  /** The object's name. */
  readonly object: string;
}

/** A meter for one object. */
export const singleMeter = (options: UploadAccess, bytes: number): ProgressMeter =>
  progressMeter({ bytes, objects: 1 }, options.onProgress);

/** Makes one object of bytes in memory, under the rules of {@link upload}. The same bytes are not sent again. */
export function uploadBytes(
  options: UploadOneOptions & { readonly bytes: Uint8Array; readonly contentType: string },
): Promise<Result<UploadedObject>> {
  const { bytes, object, contentType, bucket } = options;
  return withUpload(options, addressOf(bucket, object), async (wire, journal) => {
    // What stands for the time of a file is the checksum: other bytes are another file.
    const mtimeMs = crc32c(bytes, 0);
    const item = { name: object, path: '', size: bytes.length, mtimeMs, contentType };
    const earlier = journal.of(object).done;
    if (earlier !== null) {
      const same = earlier.size === item.size && earlier.mtimeMs === mtimeMs;
      return same
        ? ok(uploadedObject(earlier))
        : fail(existsProblem(wire, object, journal.of(object)));
    }
    const meter = singleMeter(options, bytes.length);
    const done = await uploadWhole({ ...options, wire, journal, meter }, item, bytes);
    meter.end();
    return done.ok ? ok(uploadedObject(done.value)) : done;
  });
}

/** Uploads one file as one object, under the rules of {@link upload}. An unchanged file is not sent again by the same journal. */
export function uploadFile(
  options: UploadOneOptions & { readonly file: string },
): Promise<Result<UploadedFile>> {
  const { file, object } = options;
  return withUpload(options, file, async (wire, journal) => {
    await (await openSource(dirname(file), options.onWarning)).close();
    const { handle, stats } = await openNamed(file);
    await handle.close();
    const { size, mtimeMs } = stats;
    const tooLarge = objectSizeReason(size);
    if (tooLarge !== null)
      return fail(
        problem({
          code: 'input.object-too-large',
          op: 'upload',
          subject: file,
          message: `${file} can be no object: ${tooLarge}.`,
        }),
      );
    const open = () => openNamed(file, stats);
    const task: Task = { name: object, relativePath: file, size, mtimeMs, file, open };
    const settled = await settleName(wire, journal, task, new Map(), { prefix: '' });
    if (settled.kind === 'failed') return fail(settled.problem);
    if (settled.kind === 'have') return ok(uploadedFile(settled.done, false));
    const meter = singleMeter(options, size);
    const context: Context = {
      wire,
      journal,
      onlyOurs: options.onlyOurs,
      equalCounts: options.equalCounts,
      meter,
      memory: limiter(MEMORY),
      requests: limiter(wire.concurrency),
    };
    const done = await uploadOne(context, task);
    meter.end();
    return done.ok ? ok(uploadedFile(done.value, done.value.sent)) : done;
  });
}
