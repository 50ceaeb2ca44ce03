import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { fail, problem, type Problem, type Result } from '../shared/problem.ts';
import { encodeCrc32c } from './crc32c.ts';
import { checksumOf, DiskFault, onDisk, diskProblem } from './disk.ts';
import { crc32c } from './native-crc32c.ts';
import { changedProblem, type OpenSource, type SourceOpener } from './source-file.ts';
import {
  attemptedEarlier,
  existsProblem,
  fingerprintOf,
  settle,
  type Attempted,
  type Outcome,
  type Uploaded,
  type UploadContext,
  type UploadItem,
} from './upload-object.ts';
import {
  feedSession,
  sessionOffset,
  startSession,
  type SessionEnd,
  type SessionSource,
} from './upload-session.ts';
import { sameFingerprint } from './upload-journal.ts';
import { addressOf, type Wire } from './wire.ts';

/** What one request of a session carries: a multiple of 256 KiB, streamed, so that its length costs no memory. */
const STRETCH = 16 * 1024 * 1024;
/** Files are read in pieces of this size; sessions keep whole multiples of it. */
const PIECE = 256 * 1024;

/** A file as the source of a session: read once, checksum on the way. */
interface FileSource extends SessionSource {
  /** The CRC32C of the whole file; what was not read on the way is read now. */
  checksum(): Promise<number>;
}

function fileSource(
  handle: FileHandle,
  file: string,
  again: SourceOpener,
  item: UploadItem,
  signal: AbortSignal,
  onOffset: (offset: number) => void,
): FileSource {
  const disk = { op: 'read', subject: file };
  /** Checksums of the file's beginning up to where a session may stop within the present stretch. */
  let sums = new Map<number, number>([[0, 0]]);
  const sumAt = async (offset: number): Promise<number> => {
    const known = sums.get(offset);
    if (known !== undefined) return known;
    const sum = await onDisk(disk, () => checksumOf(handle, 0, offset, signal));
    if (sum === null) throw new DiskFault(changedProblem(file));
    sums.set(offset, sum);
    return sum;
  };
  return {
    async next(offset) {
      const sum = await sumAt(offset);
      sums = new Map([[offset, sum]]);
      const end = Math.min(offset + STRETCH, item.size);
      return { end, last: end === item.size };
    },
    async *read(from, to) {
      let sum = await sumAt(from);
      for (let at = from; at < to;) {
        const size = Math.min(PIECE - (at % PIECE), to - at);
        const buffer = Buffer.allocUnsafe(size);
        const { bytesRead } = await onDisk(disk, () => handle.read(buffer, 0, size, at));
        // The file became shorter: the length that was announced cannot be kept.
        if (bytesRead === 0) throw new DiskFault(changedProblem(file));
        const piece = buffer.subarray(0, bytesRead);
        sum = crc32c(piece, sum);
        at += bytesRead;
        sums.set(at, sum);
        yield piece;
      }
    },
    async veto() {
      const now = await lookAgain(again, file);
      if (now === null) return changedProblem(file);
      return now.size === item.size && now.mtimeMs === item.mtimeMs ? null : changedProblem(file);
    },
    onOffset,
    checksum: () => sumAt(item.size),
  };
}

/** What has the file's name now; null where it is nothing that could be sent. */
async function lookAgain(again: SourceOpener, file: string): Promise<Stats | null> {
  try {
    const { handle, stats } = await onDisk({ op: 'read', subject: file }, again);
    await handle.close();
    return stats;
  } catch (error) {
    if (error instanceof DiskFault && error.problem.code === 'transfer.changed') return null;
    throw error;
  }
}

/** A session to go on with: of an earlier attempt where there is one for the same bytes, else a new one. */
async function session(
  context: UploadContext,
  item: UploadItem,
): Promise<Result<{ readonly address: string; readonly offset: number } | SessionEnd>> {
  const { wire, journal } = context;
  const earlier = journal.of(item.name).session;
  if (earlier !== null && sameFingerprint(earlier, fingerprintOf(item))) {
    const there = await sessionOffset(wire, item.name, earlier.address, item.size);
    if (!there.ok) return there;
    if (there.value.kind === 'offset')
      return { ok: true, value: { address: earlier.address, offset: there.value.offset } };
    if (there.value.kind !== 'gone') return { ok: true, value: there.value };
  }
  const started = await startSession(wire, item, item.size);
  if (!started.ok) return started;
  if (started.value === 'clash') return { ok: true, value: { kind: 'clash' } };
  await journal.session(fingerprintOf(item), started.value.address);
  return { ok: true, value: { address: started.value.address, offset: 0 } };
}

async function run(
  context: UploadContext,
  item: UploadItem,
  source: SessionSource,
  doubt: { attempted: Attempted },
): Promise<Result<SessionEnd>> {
  for (let attempt = 1; ; attempt += 1) {
    const opened = await session(context, item);
    if (!opened.ok) return opened;
    if ('kind' in opened.value) return { ok: true, value: opened.value };
    const { address, offset } = opened.value;
    const end = await feedSession(context.wire, item, address, source, offset);
    if (!end.ok || end.value.kind !== 'gone' || attempt >= 3) return end;
    // It may have been completed and forgotten.
    if (doubt.attempted === 'never') doubt.attempted = 'now';
  }
}

const gone = (wire: Wire, name: string): Problem =>
  problem({
    code: 'storage.session-gone',
    op: 'upload',
    subject: addressOf(wire.bucket, name),
    message: 'The bucket forgot the upload, three times.',
    hint: 'Try again later.',
    retryable: true,
  });

/**
 * Uploads one file through a session, in stretches, reading it once; goes on with the session of an earlier attempt. The object is completed
 * only if the file is still what it was: `file` is its path, for people, `again` opens what has its name then.
 * Errors: those of uploadWhole, and `transfer.changed`.
 */
export async function uploadLarge(
  context: UploadContext,
  item: UploadItem,
  file: string,
  { handle }: OpenSource,
  again: SourceOpener,
): Promise<Result<Uploaded>> {
  const { wire, journal, meter } = context;
  const doubt: { attempted: Attempted } = {
    attempted: attemptedEarlier(context, item) ? 'earlier' : 'never',
  };
  await journal.intent(fingerprintOf(item));
  let counted = 0;
  const onOffset = (offset: number) => {
    meter.bytes(offset - counted);
    counted = offset;
  };
  try {
    const source = fileSource(handle, file, again, item, wire.signal, onOffset);
    const end = await run(context, item, source, doubt);
    if (!end.ok) return end;
    if (end.value.kind === 'vetoed') return fail(end.value.problem);
    if (end.value.kind === 'gone') return fail(gone(wire, item.name));
    const outcome: Outcome =
      end.value.kind === 'created' ? { created: end.value.created } : { clash: true };
    if ('clash' in outcome && doubt.attempted === 'never' && context.equalCounts !== true)
      return fail(existsProblem(wire, item.name, journal.of(item.name)));
    const checksum = encodeCrc32c(await source.checksum());
    const done = await settle(context, item, outcome, checksum, doubt.attempted);
    if (done.ok) {
      onOffset(item.size);
      meter.object();
    }
    return done;
  } catch (error) {
    if (error instanceof DiskFault) return fail(error.problem);
    if (error instanceof Error && 'syscall' in error)
      return fail(diskProblem(error, { op: 'read', subject: file }));
    throw error;
  }
}
