import { encodeCrc32c } from './crc32c.ts';
import { checksumOf } from './disk.ts';
import type { SourceOpener } from './source-file.ts';
import type { CompletedUpload } from './upload-journal.ts';

/**
 * Whether a file holds the bytes that were uploaded: it has not been written since, or what was written anew is the same.
 * A file that cannot be read, or changes meanwhile, does not.
 */
export async function holdsSameBytes(
  open: SourceOpener,
  now: { readonly size: number; readonly mtimeMs: number },
  done: CompletedUpload,
): Promise<boolean> {
  if (done.size !== now.size) return false;
  if (done.mtimeMs === now.mtimeMs) return true;
  try {
    const { handle } = await open();
    try {
      const checksum = await checksumOf(handle, 0, done.size);
      const after = await handle.stat();
      return (
        checksum !== null &&
        after.size === done.size &&
        after.mtimeMs === now.mtimeMs &&
        encodeCrc32c(checksum) === done.crc32c
      );
    } finally {
      await handle.close();
    }
  } catch {
    return false;
  }
}
