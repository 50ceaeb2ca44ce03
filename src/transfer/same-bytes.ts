import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { encodeCrc32c } from './crc32c.ts';
import { crc32c } from './native-crc32c.ts';
import type { CompletedUpload } from './upload-journal.ts';

const PIECE = 1024 * 1024;

/**
 * Whether a file holds the bytes that were uploaded: it has not been written since, or what was written anew is the same.
 * A file that cannot be read, or changes meanwhile, does not.
 */
export async function holdsSameBytes(
  file: string,
  now: { readonly size: number; readonly mtimeMs: number },
  done: CompletedUpload,
): Promise<boolean> {
  if (done.size !== now.size) return false;
  if (done.mtimeMs === now.mtimeMs) return true;
  try {
    let checksum = 0;
    let size = 0;
    for await (const piece of createReadStream(file, { highWaterMark: PIECE })) {
      const bytes = piece as Buffer;
      checksum = crc32c(bytes, checksum);
      size += bytes.length;
    }
    const after = await stat(file);
    return (
      size === done.size && after.mtimeMs === now.mtimeMs && encodeCrc32c(checksum) === done.crc32c
    );
  } catch {
    return false;
  }
}
