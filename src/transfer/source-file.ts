import type { Stats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { problem, type Problem } from '../shared/problem.ts';
import { DiskFault, errorCodeOf } from './disk.ts';
import { folderOf, openTree, type FolderTree, type TreeOptions } from './folder-tree.ts';
import { openNamedFile, READ_FLAGS } from './open-folder.ts';

/** Files that were looked at, and are opened later to be sent: what came into their place meanwhile may be a link to anything. */

/** A file below a folder, as it was when it was looked at. */
export interface SeenFile {
  /** Its path below the folder, with `/` and without links. */
  readonly real: string;
  readonly dev: number;
  readonly ino: number;
}

export interface OpenSource {
  readonly handle: FileHandle;
  /** Of the open file. */
  readonly stats: Stats;
}

/** Opens a file of an upload, each time anew; whoever asks closes it. Throws what the system throws, and a `DiskFault`, `transfer.changed`. */
export type SourceOpener = () => Promise<OpenSource>;

export function changedProblem(subject: string): Problem {
  return problem({
    code: 'transfer.changed',
    op: 'upload',
    subject,
    message: 'The file changed while it was uploaded.',
    hint: 'Start again once nothing writes to it any more.',
  });
}

const exchanged = (subject: string): DiskFault =>
  new DiskFault({
    ...changedProblem(subject),
    message: 'Something else came into the place of the file after it was looked at.',
  });

/**
 * Whether what is open may be sent in the place of what was looked at. Programs that write a file anew put another one in its place, which has no
 * other name; one that is known elsewhere by another name may be somebody's whose name this was made for. Pure.
 */
const mayBeSent = (seen: Pick<SeenFile, 'dev' | 'ino'>, opened: Stats): boolean =>
  opened.isFile() && opened.dev === seen.dev && (opened.ino === seen.ino || opened.nlink === 1);

async function checked(
  opening: Promise<FileHandle>,
  seen: Pick<SeenFile, 'dev' | 'ino'>,
  path: string,
): Promise<OpenSource> {
  let handle: FileHandle;
  try {
    handle = await opening;
  } catch (error) {
    // A link, a folder in place of the file or a file in place of its folder, a socket or a pipe.
    if (['ELOOP', 'ENOTDIR', 'EISDIR', 'ENXIO'].includes(errorCodeOf(error) ?? ''))
      throw exchanged(path);
    throw error;
  }
  try {
    const stats = await handle.stat();
    if (mayBeSent(seen, stats)) return { handle, stats };
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  throw exchanged(path);
}

/** What becomes of links in a folder that is sent. */
export interface LinkOptions {
  /** Folders beside it: a link to what lies in them does not leave it. One that is not there holds nothing. */
  readonly alsoInside?: readonly string[];
  /** A link to a folder that is sent anyway is passed over. */
  readonly foldersOnce?: boolean;
}

/** A folder whose files are sent, with those beside it, open. */
export interface OpenedSource {
  readonly tree: FolderTree;
  /** For the walk. */
  readonly links: { readonly beside: readonly FolderTree[]; readonly foldersOnce: boolean };
  close(): Promise<void>;
}

/** Opens a folder whose files are sent, and those beside it. Throws what the system throws. */
export async function openSource(
  folder: string,
  onExposed: TreeOptions['onExposed'],
  { alsoInside = [], foldersOnce = false }: LinkOptions = {},
): Promise<OpenedSource> {
  const tree = await openTree(folder, { use: 'copied from there', onExposed });
  const opened = await Promise.all(
    alsoInside.map((each) => openTree(each, { use: 'copied from there' }).catch(() => null)),
  );
  const beside = opened.filter((each) => each !== null);
  return {
    tree,
    links: { beside, foldersOnce },
    close: async () => {
      await Promise.all([tree, ...beside].map((each) => each.close()));
    },
  };
}

/** Opens a file that lies below a folder, without passing a link. */
export const openSeen = (tree: FolderTree, file: SeenFile, path: string): Promise<OpenSource> =>
  checked(
    tree.in(folderOf(file.real), async (folder) => {
      await folder.confirm();
      return open(folder.at(basename(file.real)), READ_FLAGS);
    }),
    file,
    path,
  );

/** Opens a file that a user named, links on the way followed as `openNamedFolder` does. `seen`: as it was before. */
export async function openNamed(
  path: string,
  seen?: Pick<SeenFile, 'dev' | 'ino'>,
): Promise<OpenSource> {
  const handle = await openNamedFile(path, READ_FLAGS);
  if (seen !== undefined) return checked(Promise.resolve(handle), seen, path);
  try {
    return { handle, stats: await handle.stat() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
