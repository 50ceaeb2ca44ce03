import { constants } from 'node:fs';
import {
  copyFile,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  utimes,
} from 'node:fs/promises';
import { openTree, type FolderTree } from '../../transfer/folder-tree.ts';
import { makeFolders } from '../../transfer/make-folders.ts';
import { CAN_HOLD, READ_FLAGS, sameEntry } from '../../transfer/open-folder.ts';
import { byteName, byteNameOf, bytesOf, joined, shown, type ByteName } from './byte-name.ts';

const AT_ONCE = 16;

/** One thing to put into a copy; paths are relative to its root. */
export type CopyEntry =
  | { readonly kind: 'folder'; readonly path: ByteName }
  | { readonly kind: 'file'; readonly path: ByteName; readonly size: number }
  | { readonly kind: 'link'; readonly path: ByteName; readonly target: ByteName };

/** The folder of an entry and its name there, as `FolderTree` has them. */
export function placeOf(entry: ByteName): { readonly folder: string; readonly base: string } {
  const slash = entry.lastIndexOf('/');
  return { folder: slash < 0 ? '' : entry.slice(0, slash), base: entry.slice(slash + 1) };
}

/** Copies one file with mode and time, by reflink where the disk can. What came into its place since it was listed, a link above all, is not copied. */
async function copyOne(from: FolderTree, entry: ByteName, to: Buffer): Promise<void> {
  const { folder, base } = placeOf(entry);
  await from.in(folder, async (opened) => {
    const handle = await open(opened.at(base), READ_FLAGS);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new Error(`${shown(entry)} is no file any more`);
      const source = CAN_HOLD ? `/proc/self/fd/${handle.fd}` : opened.at(base);
      await copyFile(source, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      if (!CAN_HOLD && !sameEntry(stats, await lstat(opened.at(base))))
        throw new Error(`${shown(entry)} was exchanged meanwhile`);
      await utimes(to, stats.atime, stats.mtime);
    } finally {
      await handle.close();
    }
  });
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
  await makeFolders(partial, 0o700);
  const copy = byteName(partial);
  const files = entries.filter((entry) => entry.kind === 'file');
  for (const entry of entries) {
    const place = bytesOf(joined(copy, entry.path));
    if (entry.kind === 'folder') await mkdir(place);
    if (entry.kind === 'link') await symlink(bytesOf(entry.target), place);
  }
  const tree = await openTree(from, { bytes: true });
  try {
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let file = files[next++]; file !== undefined; file = files[next++]) {
        signal?.throwIfAborted();
        await copyOne(tree, file.path, bytesOf(joined(copy, file.path)));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  } finally {
    await tree.close();
  }
  await rm(to, { recursive: true, force: true });
  await rename(partial, to);
}

/** Copies a whole folder: files, folders, links as they are, under the very bytes of their names. What is none of these is left out. */
export async function copyTree(from: string, to: string): Promise<void> {
  const entries: CopyEntry[] = [];
  const root = byteName(from);
  const walk = async (folder: ByteName): Promise<void> => {
    const here = bytesOf(joined(root, folder));
    for (const entry of await readdir(here, { withFileTypes: true, encoding: 'buffer' })) {
      const name = joined(folder, byteNameOf(entry.name));
      if (entry.isDirectory()) {
        entries.push({ kind: 'folder', path: name });
        await walk(name);
      } else if (entry.isSymbolicLink()) {
        const target = await readlink(bytesOf(joined(root, name)), { encoding: 'buffer' });
        entries.push({ kind: 'link', path: name, target: byteNameOf(target) });
      } else if (entry.isFile()) {
        entries.push({ kind: 'file', path: name, size: 0 });
      }
    }
  };
  await walk(byteName(''));
  await copyEntries(entries, from, to);
}
