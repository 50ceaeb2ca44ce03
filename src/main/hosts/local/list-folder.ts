import { lstat, readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { FolderEntry, FolderListing } from '../types.ts';

/**
 * The first entries of a folder inside `root`: folders first, then by name. A worker writes its output as it likes, links out of the run
 * included: links are told as such, and a folder that lies elsewhere is not there. Throws what the system says.
 */
export async function listFolder(
  root: string,
  folder: string,
  limit: number,
): Promise<FolderListing | null> {
  const [realRoot, real] = await Promise.all([realpath(root), realpath(folder)]);
  if (real !== realRoot && !real.startsWith(realRoot + sep)) return null;
  const found = await readdir(real, { withFileTypes: true });
  const sorted = found.toSorted(
    (a, b) => Number(b.isDirectory()) - Number(a.isDirectory()) || (a.name < b.name ? -1 : 1),
  );
  const entries: FolderEntry[] = [];
  for (const entry of sorted.slice(0, limit)) {
    // One that went away since is no entry any more.
    const status = await lstat(join(real, entry.name)).catch(() => null);
    if (status === null) continue;
    const kind = status.isDirectory() ? 'folder' : status.isFile() ? 'file' : 'other';
    const size = kind === 'file' ? status.size : 0;
    entries.push({ name: entry.name, kind, size, changedAt: Math.trunc(status.mtimeMs) });
  }
  return { entries, total: found.length };
}
