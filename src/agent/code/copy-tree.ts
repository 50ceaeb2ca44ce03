import { constants, lstatSync } from 'node:fs';
import {
  copyFile,
  lstat,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  utimes,
} from 'node:fs/promises';
import path from 'node:path';

const AT_ONCE = 16;

/** One thing to put into a copy; paths are relative to its root. */
export type CopyEntry =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly size: number }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

/** Copies one file with mode and time, by reflink where the disk can. */
async function copyOne(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  const { atime, mtime } = await lstat(from);
  await utimes(to, atime, mtime);
}

/** Copies the entries of `from` into a new folder `to`, which is there whole or not at all. Folders stand before what is in them. */
export async function copyEntries(
  entries: readonly CopyEntry[],
  from: string,
  to: string,
  signal?: AbortSignal,
): Promise<void> {
  const partial = `${to}.trainyard-partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o700 });
  const files = entries.filter((entry) => entry.kind === 'file');
  for (const entry of entries) {
    if (entry.kind === 'folder') await mkdir(path.join(partial, entry.path), { recursive: true });
    if (entry.kind === 'link') await symlink(entry.target, path.join(partial, entry.path));
  }
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let file = files[next++]; file !== undefined; file = files[next++]) {
      signal?.throwIfAborted();
      await copyOne(path.join(from, file.path), path.join(partial, file.path));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  await rm(to, { recursive: true, force: true });
  await rename(partial, to);
}

/** Whether a name that was listed cannot be asked for: bytes that are not UTF-8 come as U+FFFD, under which nothing is found. */
export function isUnnameable(file: string): boolean {
  return file.includes('\ufffd') && lstatSync(file, { throwIfNoEntry: false }) === undefined;
}

/** Copies a whole folder: files, folders, links as they are. What is none of these, or has a name that is not UTF-8, is left out. */
export async function copyTree(from: string, to: string): Promise<void> {
  const entries: CopyEntry[] = [];
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(path.join(from, folder), { withFileTypes: true })) {
      const name = path.join(folder, entry.name);
      if (isUnnameable(path.join(from, name))) continue;
      if (entry.isDirectory()) {
        entries.push({ kind: 'folder', path: name });
        await walk(name);
      } else if (entry.isSymbolicLink()) {
        entries.push({ kind: 'link', path: name, target: await readlink(path.join(from, name)) });
      } else if (entry.isFile()) {
        entries.push({ kind: 'file', path: name, size: 0 });
      }
    }
  };
  await walk('');
  await copyEntries(entries, from, to);
}
