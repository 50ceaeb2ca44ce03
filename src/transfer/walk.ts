import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { FolderTree } from './folder-tree.ts';
import type { SeenFile } from './source-file.ts';
import type { Stats } from 'node:fs';
import type { Problem } from '../shared/problem.ts';
import { diskProblem } from './disk.ts';
import { isNotUtf8, NOT_UTF8, type RefusedFile, type SourceFile } from './upload-plan.ts';

/** A file of a walk: `file` is where its bytes are, links followed, for people. */
export interface WalkedFile extends SourceFile, SeenFile {
  readonly file: string;
  /** The folder that its `real` path begins at. */
  readonly tree: FolderTree;
  /** Permission bits. */
  readonly mode: number;
}

export interface Walk {
  /** Sorted by path. */
  readonly files: readonly WalkedFile[];
  /** What was passed over, with the reason: links that leave or lead nowhere, sockets, devices. */
  readonly refused: readonly RefusedFile[];
  /** Links to folders that are uploaded under another name: with `foldersOnce`. */
  readonly sameFolders: readonly { readonly path: string; readonly target: string }[];
  /** Folders without anything in them, which a bucket cannot have; the source itself is one where it is empty. */
  readonly emptyFolders: number;
  /** What could not be looked at, folders that may not be read above all: what lies below is not known. */
  readonly failed: readonly { readonly path: string; readonly problem: Problem }[];
}

export interface WalkOptions {
  /** Paths, relative with `/`, that are left out without a word; of a folder with all below it. */
  readonly exclude?: (relativePath: string, kind: 'file' | 'folder') => boolean;
  readonly signal?: AbortSignal | undefined;
  /** Folders beside the source: a link to what lies in them does not leave it. They are open while the files of the walk are. */
  readonly beside?: readonly FolderTree[];
  /** A link to a folder that is walked anyway is passed over. */
  readonly foldersOnce?: boolean;
  /** How many entries may be found again in folders that links lead to once more. Default {@link MOST_REPEATED}. */
  readonly mostRepeated?: number;
}

/** Links that lead to one folder by many ways make more paths than any disk has files: 25 folders of two links each make 33 million. */
const MOST_REPEATED = 100_000;

function kindReason(stats: Stats): string {
  if (stats.isSocket()) return 'it is a socket';
  if (stats.isFIFO()) return 'it is a named pipe';
  if (stats.isBlockDevice() || stats.isCharacterDevice()) return 'it is a device';
  return 'it is no file';
}

const isInside = (folder: string, path: string): boolean => {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !way.startsWith(sep));
};

const isNodeError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'code' in error;

/** Why an error means that there is nothing to upload; null where there may be. */
function errorReason(error: unknown, name: string): string | null {
  const code = isNodeError(error) ? error.code : undefined;
  // Read as text, such a name is that of nothing.
  if (code === 'ENOENT' && isNotUtf8(name)) return NOT_UTF8;
  if (code === 'ENOENT') return 'it is a link to nothing, or went away';
  return code === 'ELOOP' ? 'it is a link that leads back to itself' : null;
}

/**
 * All files below a folder. Symbolic links to files and folders inside it are followed; those that leave it or lead to a folder they lie
 * in are passed over, with a note; so are those to folders that were walked before, once these brought {@link MOST_REPEATED} entries. Never throws for what it meets on the disk.
 */
export async function walkFolder(tree: FolderTree, options: WalkOptions = {}): Promise<Walk> {
  const files: WalkedFile[] = [];
  const refused: RefusedFile[] = [];
  const failed: { path: string; problem: Problem }[] = [];
  const exclude = options.exclude ?? (() => false);
  const mostRepeated = options.mostRepeated ?? MOST_REPEATED;
  const trees = [tree, ...(options.beside ?? [])];
  const walked = new Map<string, string>();
  const sameFolders: { path: string; target: string }[] = [];
  const isOut = (relativePath: string): boolean =>
    exclude(relativePath, 'file') || exclude(relativePath, 'folder');
  let repeated = 0;
  let emptyFolders = 0;

  const entry = async (
    place: Place,
    own: Stats,
    relativePath: string,
    ancestors: readonly string[],
  ): Promise<void> => {
    const isLink = own.isSymbolicLink();
    const found = isLink ? placeIn(trees, await realpath(pathOf(place))) : place;
    if (found === null) {
      if (!isOut(relativePath))
        refused.push({
          path: relativePath,
          reason: 'it is a link to something outside the folder',
        });
      return;
    }
    const file = pathOf(found);
    const stats = isLink ? await stat(file) : own;
    if (stats.isDirectory()) {
      if (exclude(relativePath, 'folder')) return;
      const target = options.foldersOnce === true && isLink ? goesUpAs(found) : null;
      if (target === null || ancestors.includes(file)) await folder(found, relativePath, ancestors);
      else sameFolders.push({ path: relativePath, target });
    } else if (stats.isFile()) {
      const { dev, ino, size, mtimeMs } = stats;
      const mode = stats.mode & 0o777;
      if (!exclude(relativePath, 'file'))
        files.push({ relativePath, file, ...found, dev, ino, size, mtimeMs, mode });
    } else if (!isOut(relativePath)) {
      refused.push({ path: relativePath, reason: kindReason(stats) });
    }
  };

  /** Under which path a folder is walked, or was; null where it is not. */
  const goesUpAs = (place: Place): string | null => {
    const before = walked.get(pathOf(place));
    if (before !== undefined || place.tree !== tree) return before ?? null;
    const parts = place.real.split('/');
    const isExcluded = parts.some((_, index) =>
      exclude(parts.slice(0, index + 1).join('/'), 'folder'),
    );
    return isExcluded ? null : place.real;
  };

  const folder = async (
    place: Place,
    relativePath: string,
    ancestors: readonly string[],
  ): Promise<void> => {
    options.signal?.throwIfAborted();
    const path = pathOf(place);
    if (ancestors.includes(path)) {
      refused.push({ path: relativePath, reason: 'it is a link to a folder that it lies in' });
      return;
    }
    if (walked.has(path) && repeated >= mostRepeated) {
      const reason = `its folder is there by another way already, and links to such folders brought ${mostRepeated} entries`;
      refused.push({ path: relativePath, reason });
      return;
    }
    const entries = await entriesOf(place);
    if (entries.length === 0) emptyFolders += 1;
    if (walked.has(path)) repeated += entries.length;
    else walked.set(path, relativePath);
    for (const [name, own] of entries) {
      const below = relativePath === '' ? name : `${relativePath}/${name}`;
      const real = place.real === '' ? name : `${place.real}/${name}`;
      try {
        if (own instanceof Error) throw own;
        await entry({ tree: place.tree, real }, own, below, [...ancestors, path]);
      } catch (error) {
        if (options.signal?.aborted === true) throw error;
        const reason = errorReason(error, name);
        if (reason !== null) {
          if (!isOut(below)) refused.push({ path: below, reason });
        } else {
          const context = { op: 'read', subject: join(path, name) };
          failed.push({ path: below, problem: diskProblem(error, context) });
        }
      }
    }
  };

  await folder({ tree, real: '' }, '', []);
  return { files, refused, sameFolders, emptyFolders, failed };
}

/** Something in an open folder: `real` is its path below that, with `/` and without links. */
interface Place {
  readonly tree: FolderTree;
  readonly real: string;
}

const pathOf = ({ tree, real }: Place): string => join(tree.real, real);

/** Where a path without links lies; null: in none of the folders. */
function placeIn(trees: readonly FolderTree[], path: string): Place | null {
  const tree = trees.find(({ real }) => isInside(real, path));
  return tree === undefined ? null : { tree, real: relative(tree.real, path).split(sep).join('/') };
}

/** The entries of a folder and what they are, sorted by name; in the place of what cannot be looked at the error. */
function entriesOf({ tree, real }: Place): Promise<readonly (readonly [string, Stats | Error])[]> {
  return tree.in(real, async (open) => {
    const names = await readdir(open.at('.'));
    const look = async (name: string) => {
      const found = await lstat(open.at(name)).catch((error: unknown) => {
        if (error instanceof Error) return error;
        throw error;
      });
      return [name, found] as const;
    };
    const found: (readonly [string, Stats | Error])[] = [];
    for (const name of names.sort()) found.push(await look(name));
    return found;
  });
}
