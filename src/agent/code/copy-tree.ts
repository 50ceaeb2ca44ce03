import { constants } from 'node:fs';
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
import { makeFolders } from '../../transfer/make-folders.ts';
import { byteName, byteNameOf, bytesOf, joined, type ByteName } from './byte-name.ts';

const AT_ONCE = 16;

/** One thing to put into a copy; paths are relative to its root. */
export type CopyEntry =
  | { readonly kind: 'folder'; readonly path: ByteName }
  | { readonly kind: 'file'; readonly path: ByteName; readonly size: number }
  | { readonly kind: 'link'; readonly path: ByteName; readonly target: ByteName };

/** Copies one file with mode and time, by reflink where the disk can. */
async function copyOne(from: Buffer, to: Buffer): Promise<void> {
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
  await makeFolders(partial, 0o700);
  const source = byteName(from);
  const copy = byteName(partial);
  const files = entries.filter((entry) => entry.kind === 'file');
  for (const entry of entries) {
    const place = bytesOf(joined(copy, entry.path));
    if (entry.kind === 'folder') await mkdir(place);
    if (entry.kind === 'link') await symlink(bytesOf(entry.target), place);
  }
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let file = files[next++]; file !== undefined; file = files[next++]) {
      signal?.throwIfAborted();
      await copyOne(bytesOf(joined(source, file.path)), bytesOf(joined(copy, file.path)));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
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
