import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { problem, type Problem } from '../shared/problem.ts';
import { DiskFault, errorCodeOf, formatBytes, roomToUse } from './disk.ts';
import { receive } from './receive.ts';
import type { Form } from './unpacked-forms.ts';
import { RATIO_FROM } from './unpack-target.ts';

/** An object may become so many times larger, as an archive may. */
const RATIO = 1_000;
const READ_SIZE = 256 * 1024;
/** How often the room that is left is looked at, in bytes written. */
const LOOK_AT_ROOM = 32 * 1024 * 1024;

export interface PackedFile {
  /** With the stored bytes, verified. */
  readonly handle: FileHandle;
  /** Of the stored bytes. */
  readonly size: number;
  /** How many times it is packed. */
  readonly layers: number;
  /** The object's address, for problems. */
  readonly subject: string;
  /** The final path: whose disk must have room. */
  readonly path: string;
}

function stopped(file: PackedFile, code: Problem['code'], message: string): DiskFault {
  const hint =
    code === 'transfer.no-room'
      ? 'Free some space, or use a folder on another disk.'
      : 'Where that is right, take it as it is stored: `trainyard cp --keep-compressed`, or keepCompressed: true in the input of a job.';
  return new DiskFault(problem({ code, op: 'unpack', subject: file.subject, message, hint }));
}

type Stage = (source: AsyncIterable<Uint8Array>) => AsyncGenerator<Uint8Array>;

/** The system's pipeline for as many stages as there are, which its types do not have. */
const pipelineOf = pipeline as unknown as (
  stages: readonly unknown[],
  options: { readonly signal: AbortSignal },
) => Promise<void>;

async function* storedBytes({ handle, size }: PackedFile): AsyncGenerator<Uint8Array> {
  for (let position = 0; position < size;) {
    const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, size - position));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Whether a file begins as gzip does. */
export async function beginsAsGzip(handle: FileHandle): Promise<boolean> {
  const mark = Buffer.alloc(2);
  const { bytesRead } = await handle.read(mark, 0, 2, 0);
  return bytesRead === 2 && mark[0] === 0x1f && mark[1] === 0x8b;
}

/** Ends of a stream that say nothing but that it is no gzip, or not to its end. */
const isNoGzip = (error: unknown): boolean =>
  /^(Z_|ERR_STREAM_PREMATURE_CLOSE$)/.test(errorCodeOf(error) ?? '');

/**
 * Writes what a file holds without its layers of gzip into another, empty one. `not-gzip`: it is none, is damaged, or goes on after its end; what was
 * written then is of no use. No more is written than the disk has room for, and no more than 1,000 times the stored size once that is 64 MiB.
 * Throws a {@link DiskFault}, also for what is too large (`transfer.unpacked-too-large`, `transfer.no-room`), and the reason of `signal`.
 */
export async function unpackInto(
  file: PackedFile,
  target: FileHandle,
  signal: AbortSignal,
): Promise<Form | 'not-gzip'> {
  if (!(await beginsAsGzip(file.handle))) return 'not-gzip';
  const most = Math.max(RATIO_FROM, file.size * RATIO);
  const folder = dirname(file.path);
  /** Of each layer: what one of them swells to, another may hide. */
  const bounded = (): Stage =>
    async function* (source: AsyncIterable<Uint8Array>) {
      let passed = 0;
      for await (const part of source) {
        passed += part.length;
        if (passed > most)
          throw stopped(
            file,
            'transfer.unpacked-too-large',
            `${file.subject} is stored packed (Content-Encoding: gzip), and unpacked it is more than ${RATIO} times its size.`,
          );
        yield part;
      }
    };
  const roomed = async function* (source: AsyncIterable<Uint8Array>) {
    let written = 0;
    let looked = -LOOK_AT_ROOM;
    for await (const part of source) {
      written += part.length;
      if (written - looked > LOOK_AT_ROOM) {
        looked = written;
        if ((await roomToUse(folder)) <= part.length)
          throw stopped(
            file,
            'transfer.no-room',
            `${file.subject} is stored packed (Content-Encoding: gzip), and the disk of ${file.path} has no room for more than ${formatBytes(written - part.length)} of what it is unpacked.`,
          );
      }
      yield part;
    }
  };
  const done: { form: Form | null } = { form: null };
  try {
    const stages: (NodeJS.ReadWriteStream | Stage)[] = Array.from({ length: file.layers }, () => [
      createGunzip({ chunkSize: READ_SIZE }),
      bounded(),
    ]).flat();
    const write = async (source: AsyncIterable<Uint8Array>) => {
      const received = await receive(roomed(source), {
        handle: target,
        position: 0,
        limit: Number.POSITIVE_INFINITY,
        disk: { op: 'write', subject: file.path },
        onBytes: () => undefined,
      });
      if (received !== 'too-long') done.form = { size: received.length, crc32c: received.checksum };
    };
    const stored = Readable.from(storedBytes(file), { objectMode: false });
    await pipelineOf([stored, ...stages, write], { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (isNoGzip(error)) return 'not-gzip';
    throw error;
  }
  return done.form ?? 'not-gzip';
}
