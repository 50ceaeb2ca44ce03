import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { Stats } from 'node:fs';
import type { Problem } from '../shared/problem.ts';
import { diskProblem } from './disk.ts';
import { isNotUtf8, NOT_UTF8, type RefusedFile, type SourceFile } from './upload-plan.ts';

/** A file of a walk: `file` is where its bytes are, links followed. */
export interface WalkedFile extends SourceFile {
  readonly file: string;
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
  /** Folders beside the source: a link to what lies in them does not leave it. */
  readonly alsoInside?: readonly string[];
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
export async function walkFolder(source: string, options: WalkOptions = {}): Promise<Walk> {
  const files: WalkedFile[] = [];
  const refused: RefusedFile[] = [];
  const failed: { path: string; problem: Problem }[] = [];
  const exclude = options.exclude ?? (() => false);
  const mostRepeated = options.mostRepeated ?? MOST_REPEATED;
  const walked = new Map<string, string>();
  const sameFolders: { path: string; target: string }[] = [];
  const isOut = (relativePath: string): boolean =>
    exclude(relativePath, 'file') || exclude(relativePath, 'folder');
  const beside: string[] = [];
  let repeated = 0;
  let emptyFolders = 0;

  const entry = async (
    path: string,
    relativePath: string,
    root: string,
    ancestors: readonly string[],
  ): Promise<void> => {
    const own = await lstat(path);
    const real = own.isSymbolicLink() ? await realpath(path) : path;
    if (real !== path && ![root, ...beside].some((folder) => isInside(folder, real))) {
      if (isOut(relativePath)) return;
      refused.push({ path: relativePath, reason: 'it is a link to something outside the folder' });
      return;
    }
    const stats = own.isSymbolicLink() ? await stat(real) : own;
    if (stats.isDirectory()) {
      if (exclude(relativePath, 'folder')) return;
      const target = options.foldersOnce === true && real !== path ? goesUpAs(root, real) : null;
      if (target === null || ancestors.includes(real))
        await folder(real, relativePath, root, ancestors);
      else sameFolders.push({ path: relativePath, target });
    } else if (stats.isFile()) {
      if (!exclude(relativePath, 'file'))
        files.push({
          relativePath,
          file: real,
          size: stats.size,
          mtimeMs: stats.mtimeMs,
          mode: stats.mode & 0o777,
        });
    } else if (!isOut(relativePath)) {
      refused.push({ path: relativePath, reason: kindReason(stats) });
    }
  };

  /** Under which path a folder is walked, or was; null where it is not. */
  const goesUpAs = (root: string, real: string): string | null => {
    const before = walked.get(real);
    if (before !== undefined || !isInside(root, real)) return before ?? null;
    const parts = relative(root, real).split(sep);
    const isExcluded = parts.some((_, index) =>
      exclude(parts.slice(0, index + 1).join('/'), 'folder'),
    );
    return isExcluded ? null : parts.join('/');
  };

  const folder = async (
    path: string,
    relativePath: string,
    root: string,
    ancestors: readonly string[],
  ): Promise<void> => {
    options.signal?.throwIfAborted();
    if (ancestors.includes(path)) {
      refused.push({ path: relativePath, reason: 'it is a link to a folder that it lies in' });
      return;
    }
    if (walked.has(path) && repeated >= mostRepeated) {
      const reason = `its folder is there by another way already, and links to such folders brought ${mostRepeated} entries`;
      refused.push({ path: relativePath, reason });
      return;
    }
    const names = await readdir(path);
    if (names.length === 0) emptyFolders += 1;
    if (walked.has(path)) repeated += names.length;
    if (!walked.has(path)) walked.set(path, relativePath);
    for (const name of names.sort()) {
      const below = relativePath === '' ? name : `${relativePath}/${name}`;
      try {
        await entry(join(path, name), below, root, [...ancestors, path]);
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

  const root = await realpath(source);
  for (const each of options.alsoInside ?? [])
    beside.push(
      ...(await realpath(each).then(
        (real) => [real],
        () => [],
      )),
    );
  await folder(root, '', root, []);
  return { files, refused, sameFolders, emptyFolders, failed };
}
