import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskFault, onDisk } from './disk.ts';
import type { FolderTree } from './folder-tree.ts';
import { isPartialOf } from './partial-file.ts';

/**
 * Removes incomplete files that earlier attempts of a copy left below its folder and that it has no use for any more, because their objects are
 * gone or go elsewhere. Known by the copy's own id in their names; links are not followed. `keep`: paths that it may go on with.
 * Throws a DiskFault.
 */
export async function removeLeftovers(
  tree: FolderTree,
  id: string,
  keep: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  const folders = [''];
  for (let at = folders.pop(); at !== undefined && !signal.aborted; at = folders.pop()) {
    const here = at;
    const below = await tree
      .in(here, async (folder) => {
        const found: string[] = [];
        for (const entry of await readdir(folder.at('.'), { withFileTypes: true })) {
          const path = join(folder.path, entry.name);
          if (entry.isDirectory()) found.push(here === '' ? entry.name : `${here}/${entry.name}`);
          else if (entry.isFile() && isPartialOf(entry.name, id) && !keep.has(path))
            await onDisk({ op: 'remove', subject: path }, () => unlink(folder.at(entry.name)));
        }
        return found;
      })
      .catch((error: unknown) => {
        if (error instanceof DiskFault) throw error;
        // In a folder that may not be read the copy has written nothing.
        return [];
      });
    folders.push(...below);
  }
}
