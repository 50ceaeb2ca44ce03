import { fail, ok, type Problem, type Result } from '../shared/problem.ts';
import type { Attempt } from '../google/retry.ts';
import { DiskFault } from './disk.ts';
import type { FileHandle } from 'node:fs/promises';
import type { LargeContext } from './download-large.ts';
import { CHECKSUM_ATTEMPTS, type FetchTask } from './download-whole.ts';
import type { Journal } from './journal.ts';
import {
  beginsAt,
  changedMidway,
  diskAttempt,
  mediaRequest,
  receive,
  wrongBytes,
} from './receive.ts';
import { gapsOf, orderly, type Gap, type Segment } from './segments.ts';
import { isTooSlow, unlessTrickling } from './trickle.ts';
import { addressOf, ask, brokenOff, refusalOf } from './wire.ts';

/** The longest stretch of one request; several of a large object are under way at once. */
const STRETCH = 32 * 1024 * 1024;

/** Why the stretches of an object end before their time. */
interface Stop {
  problem: Problem | null;
  /** The server answers a request for a part with all of it. */
  noRanges: boolean;
}

/** Fetches one stretch, each attempt from where the last one ended. */
async function fetchStretch(
  context: LargeContext,
  task: FetchTask,
  handle: FileHandle,
  gap: Gap,
  stop: Stop,
  written: (segment: Segment) => Promise<void>,
): Promise<void> {
  const { wire, meter } = context;
  let position = gap.from;
  let wrong = 0;
  const disbelieve = (what: string): Attempt<'more' | 'done'> => {
    wrong += 1;
    return wrongBytes(addressOf(wire.bucket, task.object.name), what, wrong < CHECKSUM_ATTEMPTS);
  };
  while (position < gap.to) {
    if (stop.problem !== null || stop.noRanges) return;
    const from = position;
    let counted = 0;
    const part = await ask<'more' | 'done' | 'no-ranges'>(
      wire,
      'download',
      mediaRequest(wire, task.object).subject,
      () => mediaRequest(wire, task.object, { from: position, to: gap.to - 1 }),
      async (answer, request): Promise<Attempt<'more' | 'done' | 'no-ranges'>> => {
        if (answer.statusCode === 404) return changedMidway(request.subject);
        if (answer.statusCode !== 206 && answer.statusCode !== 200)
          return refusalOf(wire, request, answer);
        const whole = position === 0 && gap.to === task.object.size;
        if (answer.statusCode === 200 && !whole) return { ok: true, value: 'no-ranges' };
        if (answer.statusCode === 206 && !beginsAt(answer, position))
          return disbelieve('another part than was asked for');
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
          if (received === 'too-long') return disbelieve('more bytes than were asked for');
          if (position === from) return disbelieve('no bytes in place of those asked for');
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
    if (part.value === 'no-ranges') stop.noRanges = true;
  }
}

/**
 * Fetches an object from a server that answers a request for a part with all of it: in one stream, of which what is there already is passed
 * over. Each attempt begins at the beginning.
 */
async function fetchInOneStream(
  context: LargeContext,
  task: FetchTask,
  handle: FileHandle,
  lead: readonly Segment[],
  written: (segment: Segment) => Promise<void>,
): Promise<Problem | null> {
  const { wire, meter } = context;
  const { size } = task.object;
  const disk = { op: 'write', subject: task.path };
  let position = lead.reduce((sum, { length }) => sum + length, 0);
  let wrong = 0;
  const disbelieve = (what: string): Attempt<'more' | 'done'> => {
    wrong += 1;
    return wrongBytes(addressOf(wire.bucket, task.object.name), what, wrong < CHECKSUM_ATTEMPTS);
  };
  for (;;) {
    const from = position;
    let counted = 0;
    const part = await ask<'more' | 'done'>(
      wire,
      'download',
      mediaRequest(wire, task.object).subject,
      () => mediaRequest(wire, task.object),
      async (answer, request): Promise<Attempt<'more' | 'done'>> => {
        if (answer.statusCode === 404) return changedMidway(request.subject);
        if (answer.statusCode !== 200) return refusalOf(wire, request, answer);
        counted = 0;
        try {
          const received = await receive(after(position, unlessTrickling(wire, answer)), {
            handle,
            position,
            limit: size - position,
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
          if (received === 'too-long') return disbelieve(`more than its ${size} bytes`);
          if (position === size) return { ok: true, value: 'done' };
          return position > from
            ? { ok: true, value: 'more' }
            : disbelieve(`no more than ${position} of its ${size} bytes`);
        } catch (error) {
          meter.bytes(-counted);
          counted = 0;
          if (error instanceof DiskFault) return diskAttempt(error);
          if (position > from && !wire.signal.aborted && !isTooSlow(error))
            return { ok: true, value: 'more' };
          return brokenOff(wire, request, error);
        }
      },
      { bytes: size },
    );
    if (!part.ok) return part.problem;
    if (part.value === 'done') return null;
  }
}

/** A stream without its first bytes. */
async function* after(
  bytes: number,
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const part of stream) {
    if (left >= part.length) left -= part.length;
    else {
      yield left === 0 ? part : part.subarray(left);
      left = 0;
    }
  }
}

/** The segments from the beginning up to the first gap. */
function leadOf(segments: readonly Segment[]): readonly Segment[] {
  let end = 0;
  const gap = segments.findIndex(({ position, length }) => {
    if (position !== end) return true;
    end += length;
    return false;
  });
  return gap < 0 ? segments : segments.slice(0, gap);
}

/**
 * Fetches what is missing of an object, several stretches at once; in one stream where the server serves no parts. `have`: what is there, orderly.
 * `journal` notes each piece that is written. Answers with all that is there.
 */
export async function fetchGaps(
  context: LargeContext,
  task: FetchTask,
  handle: FileHandle,
  journal: Journal,
  have: readonly Segment[],
): Promise<Result<readonly Segment[]>> {
  const segments = [...have];
  const stop: Stop = { problem: null, noRanges: false };
  const written = async (segment: Segment) => {
    await journal.append(segment);
    segments.push(segment);
  };
  await Promise.all(
    gapsOf(have, task.object.size, STRETCH).map((gap) =>
      context.requests.run(1, () => fetchStretch(context, task, handle, gap, stop, written)),
    ),
  );
  const { size } = task.object;
  if (stop.problem === null && stop.noRanges) {
    const begun = orderly(segments, size);
    // What is behind a gap comes again: only what lies without one from the beginning is kept.
    const lead = leadOf(begun);
    context.meter.bytes(-begun.slice(lead.length).reduce((sum, { length }) => sum + length, 0));
    segments.splice(0, segments.length, ...lead);
    stop.problem = await context.requests.run(1, () =>
      fetchInOneStream(context, task, handle, lead, written),
    );
  }
  return stop.problem === null ? ok(orderly(segments, size)) : fail(stop.problem);
}
