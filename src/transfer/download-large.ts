import { createHash } from 'node:crypto';
import { lstat, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { fail, ok, type Result } from '../shared/problem.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import type { PackedAs } from '../shared/codings.ts';
import { crc32cCombine } from './crc32c.ts';
import { checksumOf, diskProblem, DiskFault, onDisk } from './disk.ts';
import { fetchGaps } from './download-stretches.ts';
import { mismatch, type FetchTask } from './download-whole.ts';
import { finishFile } from './finish-file.ts';
import { openJournal, readJournal, type Journal } from './journal.ts';
import type { Limiter } from './limiter.ts';
import { openKept, removePartial } from './partial-file.ts';
import type { ProgressMeter } from './progress.ts';
import { mediaRequest, wrongBytes } from './receive.ts';
import { orderly, type Segment } from './segments.ts';
import type { Wire } from './wire.ts';

/** Objects of this size and more are fetched in stretches that a journal remembers. */
export const LARGE = 8 * 1024 * 1024;

const headSchema = z.object({
  format: z.literal(1),
  object: z.string(),
  generation: z.string(),
  size: z.int(),
  path: z.string(),
  boot: z.string().nullable(),
});
const segmentSchema = z.object({
  position: z.int().min(0),
  length: z.int().min(1),
  checksum: z.int().min(0),
});

export interface LargeContext {
  readonly wire: Wire;
  /** Folder of the journals of incomplete files. */
  readonly journals: string;
  readonly boot: string | null;
  /** Of requests under way, shared by all files. */
  readonly requests: Limiter;
  readonly meter: ProgressMeter;
}

/** The journal of an incomplete file: of this object, this generation, at this path. */
export function partialJournalPath(
  journals: string,
  bucket: string,
  object: ObjectInfo,
  path: string,
): string {
  const identity = JSON.stringify([bucket, object.name, object.generation, path]);
  return join(
    journals,
    `${createHash('sha256').update(identity).digest('hex').slice(0, 32)}.jsonl`,
  );
}

/** What a journal says is on the disk, and whether all of it was written since the machine started. */
function readSegments(
  lines: readonly unknown[],
  task: FetchTask,
  boot: string | null,
): { readonly segments: readonly Segment[]; readonly sameBoot: boolean } {
  const segments: Segment[] = [];
  let sameBoot = boot !== null;
  let ours = false;
  for (const line of lines) {
    const head = headSchema.safeParse(line);
    if (head.success) {
      const { object, generation, size, path } = head.data;
      ours =
        object === task.object.name &&
        generation === task.object.generation &&
        size === task.object.size &&
        path === task.path;
      if (head.data.boot !== boot) sameBoot = false;
      continue;
    }
    const segment = segmentSchema.safeParse(line);
    if (ours && segment.success) segments.push(segment.data);
  }
  return { segments: orderly(segments, task.object.size), sameBoot };
}

/** The segments of earlier attempts that the partial file really holds. After a reboot they are read again. */
async function trustedSegments(
  context: LargeContext,
  task: FetchTask,
  journal: string,
  handle: FileHandle,
): Promise<readonly Segment[]> {
  const { segments, sameBoot } = readSegments(await readJournal(journal), task, context.boot);
  const { size } = await handle.stat();
  const there = segments.filter(({ position, length }) => position + length <= size);
  if (sameBoot) return there;
  const kept: Segment[] = [];
  for (const segment of there) {
    const sum = await checksumOf(handle, segment.position, segment.length, context.wire.signal);
    if (sum === segment.checksum) kept.push(segment);
  }
  return kept;
}

/** How many bytes of an object an earlier attempt left on the disk: for the room check. */
export async function bytesLeftBehind(
  task: Pick<FetchTask, 'object' | 'partial'>,
): Promise<number> {
  try {
    const { blocks, size } = await lstat(task.partial);
    return Math.min(blocks * 512, size, task.object.size);
  } catch {
    return 0;
  }
}

async function complete(
  context: LargeContext,
  task: FetchTask,
  handle: FileHandle,
  journalPath: string,
): Promise<Result<PackedAs | null>> {
  const { object, path } = task;
  const have = await trustedSegments(context, task, journalPath, handle);
  // A segment that is not trusted any more must not be believed next time: the journal is written anew.
  await rm(journalPath, { force: true });
  const disk = { op: 'write the journal of the download', subject: journalPath };
  const opened = await onDisk(disk, () => openJournal(journalPath, false));
  const journal: Journal = {
    append: (line) => onDisk(disk, () => opened.append(line)),
    close: () => opened.close(),
  };
  let fetched: Result<readonly Segment[]>;
  try {
    await handle.truncate(object.size);
    const head = { format: 1, object: object.name, generation: object.generation };
    await journal.append({ ...head, size: object.size, path, boot: context.boot });
    await Promise.all(have.map((segment) => journal.append(segment)));
    context.meter.bytes(have.reduce((sum, { length }) => sum + length, 0));
    fetched = await fetchGaps(context, task, handle, journal, have);
  } finally {
    await journal.close();
  }
  if (!fetched.ok) return fetched;
  const received = fetched.value.reduce(
    (sum, { checksum, length }) => ({
      checksum: crc32cCombine(sum.checksum, checksum, length),
      length: sum.length + length,
    }),
    { checksum: 0, length: 0 },
  );
  const wrong = mismatch(object, received);
  if (wrong !== null) {
    context.meter.bytes(-received.length);
    await rm(journalPath, { force: true });
    await removePartial(task);
    const attempt = wrongBytes<undefined>(mediaRequest(context.wire, object).subject, wrong, true);
    return attempt.ok ? ok(null) : fail(attempt.problem);
  }
  const done = await finishFile(context.wire, task, handle, received);
  // Its place is somebody else's, or it may not be unpacked: nothing is left to go on with.
  if (!done.ok && NO_USE.includes(done.problem.code)) {
    context.meter.bytes(-received.length);
    await removePartial(task);
    await rm(journalPath, { force: true });
  }
  return done;
}

const NO_USE: readonly string[] = ['transfer.exists', 'transfer.unpacked-too-large'];

/**
 * Fetches one large object: stretches in parallel into the partial file, each piece with its checksum noted in a journal, so that a later
 * attempt, also of another process, goes on where this one ends. The partial file and its journal stay after a failure.
 * `finished` is called when the file has its final name, before the journal goes.
 */
export async function downloadLarge(
  context: LargeContext,
  task: FetchTask,
  finished: () => Promise<void>,
): Promise<Result<PackedAs | null>> {
  const journal = partialJournalPath(context.journals, context.wire.bucket, task.object, task.path);
  const disk = { op: 'write', subject: task.path };
  try {
    let done: Result<PackedAs | null>;
    for (let attempt = 1; ; attempt += 1) {
      const handle = await onDisk(disk, () => openKept(task));
      try {
        done = await complete(context, task, handle, journal);
      } finally {
        await handle.close();
      }
      if (done.ok) break;
      if (done.problem.code !== 'transfer.checksum' || attempt >= 2) return done;
    }
    await finished();
    await rm(journal, { force: true });
    context.meter.object();
    return done;
  } catch (error) {
    if (error instanceof DiskFault) return fail(error.problem);
    if (error instanceof Error && 'syscall' in error) return fail(diskProblem(error, disk));
    throw error;
  }
}
