import type { Stats } from 'node:fs';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import tar from 'tar-stream';
import { fail, ok, problem, type Result } from '../shared/problem.ts';
import { encodeCrc32c } from './crc32c.ts';
import { diskProblem, DiskFault, errorCodeOf } from './disk.ts';
import { crc32c } from './native-crc32c.ts';
import {
  changedProblem,
  openSeen,
  openSource,
  type LinkOptions,
  type OpenedSource,
  type OpenSource,
} from './source-file.ts';
import {
  attemptedEarlier,
  attemptedOtherwise,
  contradicts,
  damaged,
  existsProblem,
  fingerprintOf,
  type UploadContext,
  type UploadItem,
} from './upload-object.ts';
import type { RefusedFile } from './upload-plan.ts';
import {
  cancelSession,
  feedSession,
  sessionOffset,
  startSession,
  type SessionEnd,
  type SessionSource,
} from './upload-session.ts';
import { singleMeter, uploadedObject, withUpload } from './upload.ts';
import type { UploadedObject, UploadOneOptions } from './upload.ts';
import { walkFolder, type Walk, type WalkedFile } from './walk.ts';
import type { UploadJournal } from './upload-journal.ts';
import { addressOf, type Wire } from './wire.ts';

export interface ArchiveOptions extends UploadOneOptions {
  /** The folder that is packed; names in the archive are relative to it. */
  readonly source: string;
  readonly exclude?: (relativePath: string, kind: 'file' | 'folder') => boolean;
  /** What becomes of links. */
  readonly links?: LinkOptions;
}

export interface ArchiveReport {
  readonly object: UploadedObject;
  /** Files in it. */
  readonly files: number;
  readonly refused: readonly RefusedFile[];
  /** Links to folders that are in it under another name. */
  readonly sameFolders: Walk['sameFolders'];
}

/** What a session's request carries, and so what is held in memory: a multiple of 256 KiB. */
const STRETCH = 8 * 1024 * 1024;
const PIECE = 256 * 1024;

/** Whether a file was written, or put in order by hand, between two looks at it. */
const isChanged = (before: Stats, after: Stats): boolean =>
  before.size !== after.size ||
  before.mtimeMs !== after.mtimeMs ||
  before.ctimeMs !== after.ctimeMs;

async function packFile(
  pack: tar.Pack,
  file: WalkedFile,
  onBytes: (count: number) => void,
  refused: RefusedFile[],
): Promise<void> {
  let source: OpenSource;
  try {
    source = await openSeen(file.tree, file, file.file);
  } catch (error) {
    if (error instanceof DiskFault) throw error;
    // One that may not be read ends it: an object that was made without it could not be made again.
    if (errorCodeOf(error) !== 'ENOENT')
      throw new DiskFault(diskProblem(error, { op: 'read', subject: file.file }));
    refused.push({ path: file.relativePath, reason: 'it went away' });
    return;
  }
  const { handle, stats: before } = source;
  try {
    const { size, mtimeMs } = before;
    const entry = pack.entry({
      name: file.relativePath,
      size,
      mode: file.mode,
      mtime: new Date(mtimeMs),
    });
    const bytes = async function* () {
      for (let at = 0; at < size;) {
        const buffer = Buffer.allocUnsafe(Math.min(PIECE, size - at));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
        // Its length stands in the archive already.
        if (bytesRead === 0) throw new DiskFault(changedProblem(file.file));
        at += bytesRead;
        onBytes(bytesRead);
        yield buffer.subarray(0, bytesRead);
      }
    };
    await pipeline(bytes, entry as unknown as NodeJS.WritableStream);
    if (isChanged(before, await handle.stat())) throw new DiskFault(changedProblem(file.file));
  } finally {
    await handle.close();
  }
}

/** The bytes of a `.tar.gz` of files, made while they are asked for. The same files give the same bytes. */
function packed(
  files: readonly WalkedFile[],
  onBytes: (count: number) => void,
  refused: RefusedFile[],
  signal: AbortSignal,
): PassThrough {
  const pack = tar.pack();
  const out = new PassThrough({ highWaterMark: 1 << 20 });
  const flow = pipeline(pack, createGzip({ level: 6 }), out, { signal });
  flow.catch((error: unknown) => out.destroy(error instanceof Error ? error : undefined));
  void (async () => {
    try {
      for (const file of files) await packFile(pack, file, onBytes, refused);
      pack.finalize();
    } catch (error) {
      const reason =
        error instanceof DiskFault || !(error instanceof Error) || !('syscall' in error)
          ? error
          : new DiskFault(diskProblem(error, { op: 'pack', subject: 'the folder' }));
      pack.destroy(reason instanceof Error ? reason : undefined);
    }
  })();
  return out;
}

interface StreamSource extends SessionSource {
  /** What is left of the stream is read and counted. */
  drain(): Promise<{ readonly size: number; readonly checksum: string }>;
}

/** A stream as the source of a session: one stretch of it is held, to send it again. */
function streamSource(stream: AsyncIterable<Buffer>): StreamSource {
  const iterator = stream[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  let start = 0;
  let ended = false;
  let size = 0;
  let sum = 0;
  const pull = async (): Promise<Buffer | null> => {
    const next = await iterator.next();
    if (next.done === true) {
      ended = true;
      return null;
    }
    size += next.value.length;
    sum = crc32c(next.value, sum);
    return next.value;
  };
  return {
    async next(offset) {
      if (offset < start)
        throw new DiskFault(
          problem({
            code: 'storage.answer',
            op: 'upload',
            subject: 'an archive',
            message: 'The bucket lost bytes that it had confirmed.',
            hint: 'Start again.',
            retryable: true,
          }),
        );
      const parts = [held.subarray(offset - start)];
      let length = parts[0]?.length ?? 0;
      // One byte more than a stretch: only then is it known that it is not the last.
      while (!ended && length <= STRETCH) {
        const part = await pull();
        if (part === null) break;
        parts.push(part);
        length += part.length;
      }
      held = Buffer.concat(parts);
      start = offset;
      const last = ended && held.length <= STRETCH;
      return { end: start + Math.min(held.length, STRETCH), last };
    },
    async *read(from, to) {
      for (let at = from; at < to; at += PIECE)
        yield held.subarray(at - start, Math.min(at + PIECE, to) - start);
    },
    veto: async () => null,
    onOffset: () => undefined,
    async drain() {
      while (!ended) await pull();
      return { size, checksum: encodeCrc32c(sum) };
    },
  };
}

/** One number for what the files are: their paths, sizes and times. */
function listingSum(files: readonly WalkedFile[]): number {
  const text = JSON.stringify(
    files.map(({ relativePath, size, mtimeMs }) => [relativePath, size, mtimeMs]),
  );
  return crc32c(Buffer.from(text), 0);
}

/** What the session of an earlier attempt came to; one that was not completed is given up. */
async function earlierEnd(
  context: UploadContext,
  item: UploadItem,
): Promise<Result<SessionEnd | null>> {
  const { session } = context.journal.of(item.name);
  if (session?.mtimeMs !== item.mtimeMs) return ok(null);
  const there = await sessionOffset(context.wire, item.name, session.address, null);
  if (!there.ok) return there;
  if (there.value.kind !== 'offset') return ok(there.value.kind === 'created' ? there.value : null);
  await cancelSession(context.wire, item.name, session.address);
  return ok(null);
}

/** Sends the archive through a session of its own; what the bucket made of it. */
async function feed(
  { wire, journal }: UploadContext,
  item: UploadItem,
  source: StreamSource,
): Promise<Result<SessionEnd>> {
  await journal.intent(fingerprintOf(item));
  const started = await startSession(wire, item, null);
  if (!started.ok) return started;
  if (started.value === 'clash') return ok({ kind: 'clash' });
  const { address } = started.value;
  await journal.session(fingerprintOf(item), address);
  const fed = await feedSession(wire, item, address, source, 0);
  if (!fed.ok && !wire.signal.aborted) await cancelSession(wire, item.name, address);
  return fed;
}

/**
 * Sends the archive, or hears what became of it in an earlier attempt. The same files are packed to the same bytes, so whatever the bucket
 * made, now or then, is compared with what is packed now.
 */
async function send(
  context: UploadContext,
  item: UploadItem,
  source: StreamSource,
): Promise<Result<UploadedObject>> {
  const { wire, journal } = context;
  const { name } = item;
  const attempted = attemptedEarlier(context, item);
  const earlier = await earlierEnd(context, item);
  if (!earlier.ok) return earlier;
  const ended = earlier.value === null ? await feed(context, item, source) : ok(earlier.value);
  if (!ended.ok) return ended;
  const end = ended.value;
  if (end.kind === 'vetoed') return fail(end.problem);
  if (end.kind === 'gone')
    return fail(
      problem({
        code: 'storage.session-gone',
        op: 'upload',
        subject: addressOf(wire.bucket, name),
        message: 'The bucket forgot the upload.',
        hint: 'Start again.',
        retryable: true,
      }),
    );
  const mayBeOurs = context.onlyOurs && attempted && !attemptedOtherwise(context, item);
  if (end.kind === 'clash' && !mayBeOurs) return fail(existsProblem(wire, name, journal.of(name)));
  const made = await source.drain();
  const created = end.kind === 'created' ? end.created : null;
  if (created !== null && contradicts(created, made)) return damaged(context, name, 'was packed');
  const completed = {
    ...fingerprintOf(item),
    size: made.size,
    crc32c: made.checksum,
    generation: created?.generation ?? null,
    assumed: created === null,
  };
  await journal.done(completed);
  return ok(uploadedObject(completed));
}

/**
 * Packs a folder as one `.tar.gz` object, streamed: no file of it lies on the disk, and a stretch of it in memory. An archive is not gone on
 * with after a restart, but made again; one that was completed by the same files is not. Errors: those of upload, for the whole.
 */
export function uploadArchive(options: ArchiveOptions): Promise<Result<ArchiveReport>> {
  return withUpload(options, options.source, async (wire, journal) => {
    const source = await openSource(options.source, options.onWarning, options.links);
    try {
      return await archiveTree(wire, journal, source, options);
    } finally {
      await source.close();
    }
  });
}

async function archiveTree(
  wire: Wire,
  journal: UploadJournal,
  { tree, links }: OpenedSource,
  options: ArchiveOptions,
): Promise<Result<ArchiveReport>> {
  const { object: name, exclude, signal } = options;
  const walk = await walkFolder(tree, {
    ...(exclude === undefined ? {} : { exclude }),
    ...links,
    signal,
  });
  // An archive is one object: made without them it could not be made again with them.
  const unread = walk.failed[0];
  if (unread !== undefined) return fail(unread.problem);
  const size = walk.files.reduce((sum, file) => sum + file.size, 0);
  const mtimeMs = listingSum(walk.files);
  const report = (object: UploadedObject, refused: readonly RefusedFile[]): ArchiveReport => ({
    object,
    files: walk.files.length - (refused.length - walk.refused.length),
    refused,
    sameFolders: walk.sameFolders,
  });
  const earlier = journal.of(name).done;
  if (earlier !== null)
    return earlier.mtimeMs === mtimeMs
      ? ok(report(uploadedObject(earlier), walk.refused))
      : fail(existsProblem(wire, name, journal.of(name)));
  const meter = singleMeter(options, size);
  const refused = [...walk.refused];
  const stream = packed(walk.files, (count) => meter.bytes(count), refused, wire.signal);
  try {
    const item = { name, path: '', size, mtimeMs, contentType: 'application/gzip' };
    const context: UploadContext = { wire, journal, onlyOurs: options.onlyOurs, meter };
    const sent = await send(context, item, streamSource(stream));
    if (sent.ok) meter.object();
    meter.end();
    return sent.ok ? ok(report(sent.value, refused)) : sent;
  } finally {
    stream.destroy();
  }
}
