import { createHash } from 'node:crypto';
import { rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { fail, ok, type Problem, type Result } from '../shared/problem.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import type { Attempt } from '../google/retry.ts';
import { crc32cCombine } from './crc32c.ts';
import { checksumOf, diskProblem, DiskFault, onDisk } from './disk.ts';
import { mismatch, type FetchTask } from './download-whole.ts';
import { openJournal, readJournal, type Journal } from './journal.ts';
import type { Limiter } from './limiter.ts';
import { openKept, putInPlace } from './partial-file.ts';
import type { ProgressMeter } from './progress.ts';
import { diskAttempt, mediaRequest, receive, refusedRead, wrongBytes } from './receive.ts';
import { gapsOf, orderly, type Gap, type Segment } from './segments.ts';
import { isTooSlow, unlessTrickling } from './trickle.ts';
import { ask, brokenOff, headerOf, type Wire } from './wire.ts';

/** Objects of this size and more are fetched in stretches that a journal remembers. */
export const LARGE = 8 * 1024 * 1024;
/** The longest stretch of one request; several of a large object are under way at once. */
const STRETCH = 32 * 1024 * 1024;

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
    const { blocks, size } = await stat(task.partial);
    return Math.min(blocks * 512, size, task.object.size);
  } catch {
    return 0;
  }
}

/** Fetches one stretch, each attempt from where the last one ended. */
async function fetchStretch(
  context: LargeContext,
  task: FetchTask,
  handle: FileHandle,
  gap: Gap,
  stop: { problem: Problem | null },
  written: (segment: Segment) => Promise<void>,
): Promise<void> {
  const { wire, meter } = context;
  let position = gap.from;
  while (position < gap.to) {
    if (stop.problem !== null) return;
    const from = position;
    let counted = 0;
    const part = await ask<'more' | 'done'>(
      wire,
      'download',
      mediaRequest(wire, task.object).subject,
      () => mediaRequest(wire, task.object, { from: position, to: gap.to - 1 }),
      async (answer, request): Promise<Attempt<'more' | 'done'>> => {
        if (answer.statusCode !== 206 && answer.statusCode !== 200)
          return refusedRead(wire, request, answer);
        const whole = position === 0 && gap.to === task.object.size;
        const range = headerOf(answer, 'content-range') ?? '';
        if (answer.statusCode === 200 ? !whole : !range.startsWith(`bytes ${position}-`))
          return wrongBytes(request.subject, 'another part than was asked for', true);
        const disk = { op: 'write', subject: task.path };
        counted = 0;
        try {
          const received = await receive(unlessTrickling(wire, answer), {
            handle,
            position,
            limit: gap.to - position,
            disk,
            onBytes: (count) => {
              counted += count;
              meter.bytes(count);
            },
            onWritten: async (segment) => {
              await written(segment);
              position = segment.position + segment.length;
              counted -= segment.length;
            },
          });
          if (received === 'too-long')
            return wrongBytes(request.subject, 'more bytes than were asked for', true);
          return { ok: true, value: position < gap.to ? 'more' : 'done' };
        } catch (error) {
          meter.bytes(-counted);
          counted = 0;
          if (error instanceof DiskFault) return diskAttempt(error);
          // Whatever arrived before the break is kept: with progress that deserves the name the attempts begin anew.
          if (position > from && !wire.signal.aborted && !isTooSlow(error))
            return { ok: true, value: 'more' };
          return brokenOff(wire, request, error);
        }
      },
    );
    if (!part.ok) {
      stop.problem ??= part.problem;
      return;
    }
  }
}

async function fetchGaps(
  context: LargeContext,
  task: FetchTask,
  handle: FileHandle,
  journal: Journal,
  have: readonly Segment[],
): Promise<Result<readonly Segment[]>> {
  const segments = [...have];
  const stop: { problem: Problem | null } = { problem: null };
  const written = async (segment: Segment) => {
    await journal.append(segment);
    segments.push(segment);
  };
  await Promise.all(
    gapsOf(have, task.object.size, STRETCH).map((gap) =>
      context.requests.run(1, () => fetchStretch(context, task, handle, gap, stop, written)),
    ),
  );
  return stop.problem === null ? ok(orderly(segments, task.object.size)) : fail(stop.problem);
}

async function complete(
  context: LargeContext,
  task: FetchTask,
  handle: FileHandle,
  journalPath: string,
): Promise<Result<void>> {
  const { object, path, partial } = task;
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
    await rm(partial, { force: true });
    const attempt = wrongBytes<undefined>(mediaRequest(context.wire, object).subject, wrong, true);
    return attempt.ok ? ok() : fail(attempt.problem);
  }
  try {
    await putInPlace(handle, partial, path, task.replaces);
  } catch (error) {
    // Its place is somebody else's: nothing is left to go on with.
    if (error instanceof DiskFault && error.problem.code === 'transfer.exists') {
      await rm(partial, { force: true });
      await rm(journalPath, { force: true });
    }
    throw error;
  }
  return ok();
}

/**
 * Fetches one large object: stretches in parallel into the partial file, each piece with its checksum noted in a journal, so that a later
 * attempt, also of another process, goes on where this one ends. The partial file and its journal stay after a failure.
 * `finished` is called when the file has its final name, before the journal goes.
 */
export async function downloadLarge(
  context: LargeContext,
  task: FetchTask,
  finished: () => Promise<void>,
): Promise<Result<void>> {
  const journal = partialJournalPath(context.journals, context.wire.bucket, task.object, task.path);
  const disk = { op: 'write', subject: task.path };
  try {
    for (let attempt = 1; ; attempt += 1) {
      const handle = await onDisk(disk, () => openKept(task.partial));
      let done: Result<void>;
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
    return ok();
  } catch (error) {
    if (error instanceof DiskFault) return fail(error.problem);
    if (error instanceof Error && 'syscall' in error) return fail(diskProblem(error, disk));
    throw error;
  }
}
