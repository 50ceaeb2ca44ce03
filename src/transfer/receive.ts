import type { FileHandle } from 'node:fs/promises';
import { problem } from '../shared/problem.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import type { Attempt } from '../google/retry.ts';
import { crc32cCombine } from './crc32c.ts';
import { crc32c } from './native-crc32c.ts';
import { DiskFault, onDisk, type DiskContext } from './disk.ts';
import { addressOf, headerOf, type Wire, type WireAnswer, type WireRequest } from './wire.ts';

/** So much is gathered before it is written. */
const WRITE_SIZE = 1024 * 1024;

/** The request for an object's stored bytes, of exactly the generation that was listed. `from`..`to` inclusive; to its end without `to`. */
export function mediaRequest(
  wire: Wire,
  object: ObjectInfo,
  range?: { readonly from: number; readonly to?: number },
): WireRequest {
  const name = encodeURIComponent(object.name);
  return {
    op: 'download',
    subject: addressOf(wire.bucket, object.name),
    object: object.name,
    method: 'GET',
    path: `/storage/v1/b/${wire.bucket}/o/${name}?alt=media&generation=${object.generation}`,
    permission: 'storage.objects.get',
    headers: {
      // Stored bytes: without it the service would unpack objects that are kept compressed, and size and checksum would not match.
      'accept-encoding': 'gzip',
      ...(range === undefined ? {} : { range: `bytes=${range.from}-${range.to ?? ''}` }),
    },
  };
}

/** Whether an answer 206 begins where it was asked to. One that does not say is taken at its word: the checksum tells in the end. */
export function beginsAt(answer: WireAnswer, position: number): boolean {
  const range = headerOf(answer, 'content-range');
  return range === null || range.startsWith(`bytes ${position}-`);
}

/** The failure of an object that is not there any more as it was listed. */
export function changedMidway<T>(subject: string): Attempt<T> {
  return {
    ok: false,
    problem: problem({
      code: 'storage.changed',
      op: 'download',
      subject,
      message: 'The object was replaced or removed after the listing.',
      hint: 'Start again to get what is there now.',
    }),
  };
}

export function wrongBytes<T>(subject: string, what: string, retryable: boolean): Attempt<T> {
  return {
    ok: false,
    problem: problem({
      code: 'transfer.checksum',
      op: 'download',
      subject,
      message: `What arrived is not what the bucket has: ${what}.`,
      hint: 'Start again; if it goes on, a proxy or the disk may change the bytes.',
      retryable,
    }),
  };
}

export interface Received {
  readonly length: number;
  /** Of these bytes alone. */
  readonly checksum: number;
}

export interface ReceiveOptions {
  readonly handle: FileHandle;
  readonly position: number;
  /** More than so many bytes are an error: `too-long`. */
  readonly limit: number;
  readonly disk: DiskContext;
  readonly onBytes: (count: number) => void;
  /** Called after each write, in order, with what was written since the last call. */
  readonly onWritten?: (part: Received & { readonly position: number }) => Promise<void>;
}

/**
 * Writes a stream into a file, checksum on the way, a mebibyte in memory.
 * Throws a {@link DiskFault} for the disk, anything else for the stream.
 */
export async function receive(
  body: AsyncIterable<Uint8Array>,
  options: ReceiveOptions,
): Promise<Received | 'too-long'> {
  // The stream's own buffers are let go at once: held until a write, they would grow old and be collected late.
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(WRITE_SIZE, options.limit)));
  let gathered = 0;
  let written = 0;
  let sum = 0;

  const flush = async () => {
    const position = options.position + written;
    const length = gathered;
    gathered = 0;
    const checksum = crc32c(buffer.subarray(0, length), 0);
    sum = crc32cCombine(sum, checksum, length);
    await onDisk(options.disk, async () => {
      // A write may take less than it was given, most of all when the disk is nearly full.
      for (let done = 0; done < length;) {
        const { bytesWritten } = await options.handle.write(
          buffer,
          done,
          length - done,
          position + done,
        );
        done += bytesWritten;
      }
      written += length;
      await options.onWritten?.({ position, length, checksum });
    });
  };

  try {
    for await (const part of body) {
      options.onBytes(part.length);
      if (written + gathered + part.length > options.limit) return 'too-long';
      for (let taken = 0; taken < part.length;) {
        const some = part.subarray(taken, taken + buffer.length - gathered);
        buffer.set(some, gathered);
        gathered += some.length;
        taken += some.length;
        if (gathered === buffer.length) await flush();
      }
    }
  } catch (error) {
    // What arrived before the break is kept where somebody goes on from there: else short breaks would bring a transfer to no end.
    if (!(error instanceof DiskFault) && options.onWritten !== undefined && gathered > 0)
      await flush();
    throw error;
  }
  if (gathered > 0) await flush();
  return { length: written, checksum: sum };
}

/** A fault of the disk as the end of an attempt; other errors go on to where they are explained. */
export function diskAttempt<T>(error: unknown): Attempt<T> {
  if (error instanceof DiskFault) return { ok: false, problem: error.problem };
  throw error;
}
