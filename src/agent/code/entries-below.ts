import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';

/**
 * What lies below a folder, links not followed, at most so many entries. Folders that cannot be read, and those whose names are no text, are passed over: for
 * looking, not for copying.
 */
export async function entriesBelow(
  folder: string,
  most = Number.POSITIVE_INFINITY,
): Promise<readonly Dirent[]> {
  const found: Dirent[] = [];
  const waiting = [folder];
  for (let at = waiting.pop(); at !== undefined && found.length < most; at = waiting.pop()) {
    const entries = await readdir(at, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      found.push(entry);
      if (entry.isDirectory()) waiting.push(path.join(at, entry.name));
    }
  }
  return found;
}
