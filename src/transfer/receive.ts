import type { FileHandle } from 'node:fs/promises';
import { problem } from '../shared/problem.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import type { Attempt } from '../google/retry.ts';
import { crc32cCombine } from './crc32c.ts';
import { crc32c } from './native-crc32c.ts';
import { DiskFault, onDisk, type DiskContext } from './disk.ts';
import { addressOf, type WireRequest, type Wire } from './wire.ts';

/** So much is gathered before it is written. */
const WRITE_SIZE = 256 * 1024;

/** The request for an object's stored bytes, of exactly the generation that was listed. `from`..`to` inclusive. */
export function mediaRequest(
  wire: Wire,
  object: ObjectInfo,
  range?: { readonly from: number; readonly to: number },
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
      ...(range === undefined ? {} : { range: `bytes=${range.from}-${range.to}` }),
    },
  };
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
 * Writes a stream into a file, checksum on the way, a quarter of a mebibyte in memory.
 * Throws a {@link DiskFault} for the disk, anything else for the stream.
 */
export async function receive(
  body: AsyncIterable<Uint8Array>,
  options: ReceiveOptions,
): Promise<Received | 'too-long'> {
  let parts: Uint8Array[] = [];
  let gathered = 0;
  let written = 0;
  let sum = 0;
  let partSum = 0;

  const flush = async () => {
    const position = options.position + written;
    const batch = parts;
    const length = gathered;
    const checksum = partSum;
    parts = [];
    gathered = 0;
    partSum = 0;
    sum = crc32cCombine(sum, checksum, length);
    await onDisk(options.disk, async () => {
      let left = length;
      let buffers = batch;
      // A write may take less than it was given, most of all when the disk is nearly full.
      while (left > 0) {
        const { bytesWritten } = await options.handle.writev(buffers, position + length - left);
        left -= bytesWritten;
        if (left > 0) buffers = [Buffer.concat(batch).subarray(length - left)];
      }
      written += length;
      await options.onWritten?.({ position, length, checksum });
    });
  };

  for await (const part of body) {
    options.onBytes(part.length);
    if (written + gathered + part.length > options.limit) return 'too-long';
    partSum = crc32c(part, partSum);
    parts.push(part);
    gathered += part.length;
    if (gathered >= WRITE_SIZE) await flush();
  }
  if (gathered > 0) await flush();
  return { length: written, checksum: sum };
}

/** A fault of the disk as the end of an attempt; other errors go on to where they are explained. */
export function diskAttempt<T>(error: unknown): Attempt<T> {
  if (error instanceof DiskFault) return { ok: false, problem: error.problem };
  throw error;
}
