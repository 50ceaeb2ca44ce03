import { rm } from 'node:fs/promises';
import { ok, type Result } from '../shared/problem.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import type { Attempt } from '../google/retry.ts';
import { decodeCrc32c } from './crc32c.ts';
import { onDisk } from './disk.ts';
import { openFresh, putInPlace } from './partial-file.ts';
import type { ProgressMeter } from './progress.ts';
import { diskAttempt, mediaRequest, receive, refusedRead, wrongBytes } from './receive.ts';
import { unlessTrickling } from './trickle.ts';
import { addressOf, ask, type Wire, type WireAnswer, type WireRequest } from './wire.ts';

/** How often bytes may arrive wrong before it is no accident. */
export const CHECKSUM_ATTEMPTS = 3;

/** One object and where its file goes. The folder it lies in is there. */
export interface FetchTask {
  readonly object: ObjectInfo;
  /** Absolute. */
  readonly path: string;
  /** Where it is while it is incomplete: partialPath(). */
  readonly partial: string;
  /** A file in its place is an older one of ours, and may be replaced. */
  readonly replaces: boolean;
}

/** What does not match between what arrived and what was listed; null where all does. An object may come without a checksum. */
export function mismatch(
  object: ObjectInfo,
  received: { readonly length: number; readonly checksum: number } | 'too-long',
): string | null {
  if (received === 'too-long') return `more than its ${object.size} bytes`;
  if (received.length !== object.size) return `${received.length} bytes in place of ${object.size}`;
  return object.crc32c !== '' && decodeCrc32c(object.crc32c) !== received.checksum
    ? 'its checksum (CRC32C) is another'
    : null;
}

async function receiveWhole(
  wire: Wire,
  task: FetchTask,
  answer: WireAnswer,
  request: WireRequest,
  counted: { bytes: number; wrong: number },
  meter: ProgressMeter,
): Promise<Attempt<void>> {
  const { object, path, partial } = task;
  if (answer.statusCode !== 200) return refusedRead(wire, request, answer);
  const disk = { op: 'write', subject: path };
  try {
    const handle = await onDisk(disk, () => openFresh(partial));
    try {
      const received = await receive(unlessTrickling(wire, answer), {
        handle,
        position: 0,
        limit: object.size,
        disk,
        onBytes: (count) => {
          counted.bytes += count;
          meter.bytes(count);
        },
      });
      const wrong = mismatch(object, received);
      if (wrong !== null) {
        counted.wrong += 1;
        return wrongBytes(request.subject, wrong, counted.wrong < CHECKSUM_ATTEMPTS);
      }
      await onDisk(disk, () => putInPlace(handle, partial, path, task.replaces));
    } finally {
      await onDisk(disk, () => handle.close());
    }
    return { ok: true, value: undefined };
  } catch (error) {
    return diskAttempt(error);
  }
}

/** Fetches one object in one request: partial name, checksum on the way, rename. A failed attempt begins again. */
export async function downloadWhole(
  wire: Wire,
  task: FetchTask,
  meter: ProgressMeter,
): Promise<Result<void>> {
  const counted = { bytes: 0, wrong: 0 };
  const done = await ask<undefined>(
    wire,
    'download',
    addressOf(wire.bucket, task.object.name),
    () => {
      meter.bytes(-counted.bytes);
      counted.bytes = 0;
      return mediaRequest(wire, task.object);
    },
    (answer, request) =>
      receiveWhole(wire, task, answer, request, counted, meter) as Promise<Attempt<undefined>>,
    { bytes: task.object.size },
  );
  if (done.ok) {
    meter.object();
    return ok();
  }
  meter.bytes(-counted.bytes);
  await rm(task.partial, { force: true }).catch(() => undefined);
  return done;
}
