import type { FileHandle } from 'node:fs/promises';
import { fail, ok, type Result } from '../shared/problem.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import type { Attempt } from '../google/retry.ts';
import type { PackedAs } from '../shared/codings.ts';
import { crc32cCombine, decodeCrc32c } from './crc32c.ts';
import { DiskFault, onDisk } from './disk.ts';
import { finishFile, type Stored } from './finish-file.ts';
import { openFresh, removePartial, type FilePlace } from './partial-file.ts';
import type { ProgressMeter } from './progress.ts';
import {
  beginsAt,
  changedMidway,
  diskAttempt,
  mediaRequest,
  receive,
  wrongBytes,
} from './receive.ts';
import { isTooSlow, unlessTrickling } from './trickle.ts';
import type { UnpackedForms } from './unpacked-forms.ts';
import { addressOf, ask, brokenOff, refusalOf, type Wire } from './wire.ts';

/** How often bytes may arrive wrong before it is no accident. */
export const CHECKSUM_ATTEMPTS = 3;

/** One object and where its file goes. The folder it lies in is there. */
export interface FetchTask extends FilePlace {
  readonly object: ObjectInfo;
  /** A file in its place is an older one of ours, and may be replaced. */
  readonly replaces: boolean;
  /** What is stored packed stays so. */
  readonly keepCompressed: boolean;
  readonly forms: UnpackedForms;
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

/** Fetches an object's bytes into an empty file. Each request begins where the last one broke; where bytes are wrong, or ranges are not served, at the beginning. */
async function fetchWhole(
  wire: Wire,
  task: FetchTask,
  handle: FileHandle,
  meter: ProgressMeter,
): Promise<Result<Stored>> {
  const { object, path } = task;
  const disk = { op: 'write', subject: path };
  const subject = addressOf(wire.bucket, object.name);
  let position = 0;
  let checksum = 0;
  /** Told to the meter, not yet written. */
  let counted = 0;
  let wrong = 0;
  const startAgain = () => {
    meter.bytes(-position - counted);
    position = 0;
    checksum = 0;
    counted = 0;
  };
  const disbelieve = (what: string): Attempt<'more' | 'done'> => {
    startAgain();
    wrong += 1;
    return wrongBytes(subject, what, wrong < CHECKSUM_ATTEMPTS);
  };
  for (;;) {
    const part = await ask<'more' | 'done'>(
      wire,
      'download',
      subject,
      () => mediaRequest(wire, object, position === 0 ? undefined : { from: position }),
      async (answer, request): Promise<Attempt<'more' | 'done'>> => {
        if (answer.statusCode === 404) {
          await answer.body.dump();
          return changedMidway(request.subject);
        }
        if (answer.statusCode === 200) startAgain();
        else if (answer.statusCode !== 206) return refusalOf(wire, request, answer);
        else if (!beginsAt(answer, position)) return disbelieve('another part than was asked for');
        const from = position;
        try {
          const received = await receive(unlessTrickling(wire, answer), {
            handle,
            position,
            limit: object.size - position,
            disk,
            onBytes: (count) => {
              counted += count;
              meter.bytes(count);
            },
            onWritten: (segment) => {
              checksum = crc32cCombine(checksum, segment.checksum, segment.length);
              position += segment.length;
              counted -= segment.length;
              return Promise.resolve();
            },
          });
          // Where no length was told, a break looks like the end.
          if (received !== 'too-long' && position < object.size && position > from)
            return { ok: true, value: 'more' };
          const what = mismatch(
            object,
            received === 'too-long' ? received : { length: position, checksum },
          );
          return what === null ? { ok: true, value: 'done' } : disbelieve(what);
        } catch (error) {
          meter.bytes(-counted);
          counted = 0;
          if (error instanceof DiskFault) return diskAttempt(error);
          if (position > from && !wire.signal.aborted && !isTooSlow(error))
            return { ok: true, value: 'more' };
          return brokenOff(wire, request, error);
        }
      },
      { bytes: object.size },
    );
    if (!part.ok) {
      startAgain();
      return part;
    }
    if (part.value === 'done') return ok({ length: position, checksum });
  }
}

/** Fetches one object as one stream: partial name, checksum on the way, then its final name. What is incomplete at the end is removed. */
export async function downloadWhole(
  wire: Wire,
  task: FetchTask,
  meter: ProgressMeter,
): Promise<Result<PackedAs | null>> {
  const disk = { op: 'write', subject: task.path };
  let done: Result<PackedAs | null>;
  try {
    const handle = await onDisk(disk, () => openFresh(task));
    try {
      const fetched = await fetchWhole(wire, task, handle, meter);
      done = fetched.ok ? await finishFile(wire, task, handle, fetched.value) : fetched;
      if (fetched.ok && !done.ok) meter.bytes(-fetched.value.length);
    } finally {
      await onDisk(disk, () => handle.close());
    }
  } catch (error) {
    if (!(error instanceof DiskFault)) throw error;
    done = fail(error.problem);
  }
  if (done.ok) meter.object();
  else await removePartial(task).catch(() => undefined);
  return done;
}
