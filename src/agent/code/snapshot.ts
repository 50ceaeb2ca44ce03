import { existsSync } from 'node:fs';
import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { errorMessage } from '../files.ts';
import {
  byteName,
  byteNameOf,
  bytesOf,
  folderOf,
  joined,
  relativeTo,
  resolved,
  segmentsOf,
  shown,
  type ByteName,
} from './byte-name.ts';
import { openTree, type FolderTree } from '../../transfer/folder-tree.ts';
import { DiskFault } from '../../transfer/disk.ts';
import { placeOf, type CopyEntry } from './copy-tree.ts';
import { trackedButIgnored } from './git.ts';
import type { IgnoredPath } from './mentions.ts';
import { openIgnoreRules } from './ignore-rules.ts';

/** A snapshot larger than this is refused: it is data, not code. Bytes. */
export const CODE_LIMIT = 1024 * 1024 * 1024;

export interface Snapshot {
  readonly entries: readonly CopyEntry[];
  readonly files: number;
  readonly bytes: number;
  /** What a user should know, one sentence each. */
  readonly notes: readonly string[];
  /** What rules left out: of a folder itself, not what is in it. */
  readonly ignored: readonly IgnoredPath[];
}

/** The biggest files of a snapshot, with sizes, in words. */
export function biggestFiles(entries: readonly CopyEntry[], count = 5): string {
  return entries
    .filter((entry) => entry.kind === 'file')
    .toSorted((a, b) => b.size - a.size)
    .slice(0, count)
    .map((file) => `${shown(file.path)} (${formatMiB(file.size)})`)
    .join(', ');
}

function formatMiB(bytes: number): string {
  return `${(bytes / (1024 * 1024)).toFixed(1)} MiB`;
}

/**
 * Lists what a snapshot of a code folder takes: everything that git would not ignore, never `.git`. Links to places inside are kept (as relative
 * links), links that leave are kept with their absolute target and noted, sockets and devices are left out and noted.
 * Errors: `input.code-folder` (missing, unreadable), `input.code-too-big` with the biggest files.
 */
export async function planSnapshot(
  folder: string,
  options: { readonly limit?: number; readonly leaveOut?: readonly string[] } = {},
): Promise<Result<Snapshot>> {
  const limit = options.limit ?? CODE_LIMIT;
  const refuse = (message: string, hint: string): { ok: false; problem: Problem } => ({
    ok: false,
    problem: problem({
      code: 'input.code-folder',
      op: 'read the code',
      subject: folder,
      message,
      hint,
    }),
  });
  let root: string;
  try {
    root = await realpath(folder);
    if (!(await stat(root)).isDirectory())
      return refuse(`${folder} is not a folder.`, 'Give the folder of the code as code.dir.');
  } catch (error) {
    return refuse(
      `The code folder cannot be read: ${errorMessage(error)}`,
      'Correct code.dir in the job file.',
    );
  }
  const exposed: string[] = [];
  let tree: FolderTree;
  try {
    tree = await openTree(folder, {
      bytes: true,
      use: 'run from there',
      onExposed: (message, hint) => exposed.push(`${message} ${hint}`),
    });
  } catch (error) {
    if (error instanceof DiskFault) return fail({ ...error.problem, code: 'input.code-folder' });
    return refuse(
      `The code folder cannot be read: ${errorMessage(error)}`,
      'Correct code.dir in the job file.',
    );
  }
  const found = new Finding(tree, root, new Set(options.leaveOut ?? []));
  try {
    await found.walk(byteName(''));
    await found.addTracked(await trackedButIgnored(root));
  } catch (error) {
    return refuse(
      `The code folder cannot be read whole: ${errorMessage(error)}`,
      'Make it readable, or name what cannot be read in .gitignore.',
    );
  } finally {
    await tree.close();
  }
  const files = found.entries.filter((entry) => entry.kind === 'file');
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  if (bytes > limit)
    return fail(
      problem({
        code: 'input.code-too-big',
        op: 'read the code',
        subject: folder,
        message: `The code folder holds ${formatMiB(bytes)} in ${files.length} files; at most ${formatMiB(limit)} are taken. The biggest: ${biggestFiles(files)}.`,
        hint: 'Name data, environments and results in .gitignore, and give data as the input of the job.',
      }),
    );
  return ok({
    entries: found.entries,
    files: files.length,
    bytes,
    notes: [...exposed, ...found.notes],
    ignored: found.ignored,
  });
}

/** Collects the entries of one snapshot. */
class Finding {
  readonly entries: CopyEntry[] = [];
  readonly notes: string[] = [];
  readonly #tree: FolderTree;
  readonly ignored: IgnoredPath[] = [];
  readonly #root: ByteName;
  readonly #leaveOut: ReadonlySet<string>;
  readonly #rules: ReturnType<typeof openIgnoreRules>;

  constructor(tree: FolderTree, root: string, leaveOut: ReadonlySet<string>) {
    this.#tree = tree;
    this.#root = byteName(root);
    this.#leaveOut = new Set([...leaveOut].map(byteName));
    this.#rules = openIgnoreRules(root);
  }

  async walk(folder: ByteName): Promise<void> {
    this.#rules.enter(folder);
    const children = await this.#tree.in(folder, (open) =>
      readdir(open.at('.'), { withFileTypes: true, encoding: 'buffer' }),
    );
    for (const child of children.toSorted((a, b) => Buffer.compare(a.name, b.name))) {
      const own = byteNameOf(child.name);
      const name = joined(folder, own);
      if (own === '.git' || this.#leaveOut.has(joined(this.#root, name))) continue;
      if (this.#rules.ignores(name, child.isDirectory())) {
        this.ignored.push({ path: shown(name), folder: child.isDirectory() });
        continue;
      }
      if (child.isDirectory()) {
        this.entries.push({ kind: 'folder', path: name });
        await this.walk(name);
      } else if (child.isFile()) {
        await this.#addFile(name);
      } else if (child.isSymbolicLink()) {
        await this.#addLink(name);
      } else {
        this.notes.push(`${shown(name)} is no file, folder or link: it is not part of the code.`);
      }
    }
  }

  /** Files that git has although a rule ignores them. */
  async addTracked(names: readonly ByteName[]): Promise<void> {
    const known = new Set(this.entries.map((entry) => entry.path));
    for (const name of names) {
      if (known.has(name) || !existsSync(bytesOf(joined(this.#root, name)))) continue;
      const segments = segmentsOf(folderOf(name));
      for (let depth = 1; depth <= segments.length; depth += 1) {
        const folder = joined(...segments.slice(0, depth));
        if (folder === '.' || known.has(folder)) continue;
        known.add(folder);
        this.entries.push({ kind: 'folder', path: folder });
      }
      if ((await lstat(bytesOf(joined(this.#root, name)))).isSymbolicLink())
        await this.#addLink(name);
      else await this.#addFile(name);
    }
  }

  async #addFile(name: ByteName): Promise<void> {
    const { folder, base } = placeOf(name);
    const { size } = await this.#tree.in(folder, (open) => lstat(open.at(base)));
    this.entries.push({ kind: 'file', path: name, size });
  }

  async #addLink(name: ByteName): Promise<void> {
    const from = folderOf(joined(this.#root, name));
    const { folder, base } = placeOf(name);
    const text = await this.#tree.in(folder, (open) =>
      readlink(open.at(base), { encoding: 'buffer' }),
    );
    const told = byteNameOf(text);
    const absolute = resolved(from, told);
    const inside = segmentsOf(relativeTo(this.#root, absolute))[0] !== '..';
    if (!inside)
      this.notes.push(
        `${shown(name)} is a link to ${shown(absolute)}, outside the code folder: the run sees what is there when it looks.`,
      );
    this.entries.push({
      kind: 'link',
      path: name,
      target: inside ? joined(relativeTo(from, absolute)) : absolute,
    });
  }
}
