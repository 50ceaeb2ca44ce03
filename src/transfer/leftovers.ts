import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { onDisk } from './disk.ts';
import { isPartialOf } from './partial-file.ts';

/**
 * Removes incomplete files that earlier attempts of a copy left below its folder and that it has no use for any more, because their objects are
 * gone or go elsewhere. Known by the copy's own id in their names; links are not followed. `keep`: paths that it may go on with.
 * Throws a DiskFault.
 */
export async function removeLeftovers(
  folder: string,
  id: string,
  keep: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined && !signal.aborted; at = folders.pop()) {
    // In a folder that may not be read the copy has written nothing.
    const entries = await readdir(at, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile() && isPartialOf(entry.name, id) && !keep.has(path))
        await onDisk({ op: 'remove', subject: path }, () => unlink(path));
    }
  }
}
