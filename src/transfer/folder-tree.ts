import type { PathLike } from 'node:fs';
import { mkdir, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { problem } from '../shared/problem.ts';
import { DiskFault, errorCodeOf } from './disk.ts';
import {
  CAN_HOLD,
  holdFolder,
  lookAtFolder,
  openNamedFolder,
  sameEntry,
  toldError,
  type HeldFolder,
  type NamedFolder,
} from './open-folder.ts';
import { exposureOf, exposureWords, viewerNow, type Viewer } from './others.ts';

/** Folders that nobody uses just now and that stay open all the same: opening one costs as much as making a file. */
const MOST_IDLE = 64;

/** A folder of a tree, while it is open. */
export interface OpenFolder {
  /** Its path, for people. */
  readonly path: string;
  /** What the system is given for the folder itself. */
  readonly system: string;
  /** Other users may write to it. */
  readonly shared: boolean;
  /** What the system is given for an entry: lies in this very folder, whatever the folder's path leads to by now. */
  at(name: string): PathLike;
  /** Before and after a deed, where the system can hold no folder: its path still leads to it. Throws a {@link DiskFault}. */
  confirm(): Promise<void>;
}

/** A folder that a user named and what lies below it, worked in without ever passing a link that lies inside. */
export interface FolderTree {
  /** As it was named, absolute. */
  readonly root: string;
  /** Without links. */
  readonly real: string;
  /**
   * Does something in a folder, by its path below the root with `/` (empty: the root). Throws ENOENT where it is not there, ENOTDIR where a file or
   * a link is in its place.
   */
  in<T>(relativePath: string, work: (folder: OpenFolder) => Promise<T>): Promise<T>;
  /** Makes a folder and those above it that are missing. Throws as `in` does. */
  make(relativePath: string): Promise<void>;
  /**
   * Looks whether the paths of the root, and of the folders that others could have moved, still lead to where the work was done.
   * Throws a {@link DiskFault}, `transfer.disturbed`.
   */
  confirm(): Promise<void>;
  close(): Promise<void>;
}

export interface TreeOptions {
  /** Makes the root where it is missing. */
  readonly make?: boolean;
  /** Names are bytes, one character for each: byte-name.ts of the agent. */
  readonly bytes?: boolean;
  /** For what others may do is told of. */
  readonly use?: Parameters<typeof exposureWords>[2];
  /** Told once, of the first folder that other users may write to. */
  readonly onExposed?: ((message: string, hint: string) => void) | undefined;
  /** Holds folders open; default where the system can. */
  readonly hold?: boolean;
}

interface Entry {
  readonly held: Promise<HeldFolder>;
  users: number;
}

const disturbed = (path: string): DiskFault =>
  new DiskFault(
    problem({
      code: 'transfer.disturbed',
      op: 'work in the folder',
      subject: path,
      message: `The folder ${path} was moved, removed or replaced by another program meanwhile.`,
      hint: 'Start again, while nothing else changes that folder.',
    }),
  );

async function openRoot(
  root: string,
  { make, hold = CAN_HOLD }: TreeOptions,
  viewer: Viewer,
): Promise<NamedFolder> {
  try {
    return await openNamedFolder(root, viewer, hold);
  } catch (error) {
    const above = dirname(root);
    if (make !== true || errorCodeOf(error) !== 'ENOENT' || above === root) throw error;
    const parent = await openRoot(above, { make, hold }, viewer);
    try {
      const system = join(parent.system, basename(root));
      await mkdir(system).catch((failure: unknown) => {
        // Another program may have made it a moment ago.
        if (errorCodeOf(failure) !== 'EEXIST') throw toldError(failure, root);
      });
      const made = await openOne(system, root, hold);
      return { ...made, above: [...parent.above, { path: above, stats: parent.stats }] };
    } finally {
      await parent.handle?.close();
    }
  }
}

/** Opens a folder in an open one; no link. */
async function openOne(system: PathLike, path: string, hold: boolean): Promise<HeldFolder> {
  try {
    return await (hold ? holdFolder(system, path) : lookAtFolder(String(system)));
  } catch (error) {
    throw toldError(error, path);
  }
}

/** Opens a folder that a user named. Throws what the system throws; see `openNamedFolder`. */
export async function openTree(folder: string, options: TreeOptions = {}): Promise<FolderTree> {
  const root = resolve(folder);
  const viewer = viewerNow();
  const opened = await openRoot(root, options, viewer);
  const real = opened.handle === null ? await realpath(root) : await readlink(opened.system);
  return new Tree(root, real, opened, viewer, options);
}

class Tree implements FolderTree {
  readonly root: string;
  readonly real: string;
  readonly #opened: NamedFolder;
  readonly #viewer: Viewer;
  readonly #options: TreeOptions;
  /** By path; the one used last is the last. */
  readonly #entries = new Map<string, Entry>();
  readonly #made = new Map<string, Promise<void>>();
  /** Those that others may write to. */
  readonly #exposed = new Set<string>();
  /** Those that others could move or replace, as they were when they were opened first. */
  readonly #movable = new Map<string, { readonly dev: number; readonly ino: number }>();
  #toldExposed = false;

  constructor(
    root: string,
    real: string,
    opened: NamedFolder,
    viewer: Viewer,
    options: TreeOptions,
  ) {
    this.root = root;
    this.real = real;
    this.#opened = opened;
    this.#viewer = viewer;
    this.#options = options;
    this.#look('', opened);
    // Who owns a folder above is the user's choice; that everybody may write to it is easily overlooked.
    for (const { path, stats } of opened.above.toReversed()) {
      const exposure = exposureOf(stats, viewer);
      if (exposure === 'everyone' || exposure === 'group') this.#tell(path, exposure);
    }
  }

  async in<T>(relativePath: string, work: (folder: OpenFolder) => Promise<T>): Promise<T> {
    if (relativePath === '') return this.#do(this.#folder('', this.#opened), work);
    const entry = this.#entry(relativePath);
    entry.users += 1;
    try {
      return await this.#do(this.#folder(relativePath, await entry.held), work);
    } finally {
      entry.users -= 1;
      this.#closeIdle();
    }
  }

  async #do<T>(folder: OpenFolder, work: (folder: OpenFolder) => Promise<T>): Promise<T> {
    try {
      return await work(folder);
    } catch (error) {
      throw error instanceof Error && 'path' in error && typeof error.path === 'string'
        ? toldError(error, pathForPeople(folder.path, error.path))
        : error;
    }
  }

  make(relativePath: string): Promise<void> {
    if (relativePath === '') return Promise.resolve();
    const known = this.#made.get(relativePath);
    if (known !== undefined) return known;
    const work = (async () => {
      const { above, name } = split(relativePath);
      await this.make(above);
      await this.in(above, async (folder) => {
        try {
          await mkdir(folder.at(name));
        } catch (error) {
          if (errorCodeOf(error) !== 'EEXIST') throw error;
        }
      });
      // What is there must be a folder, and no link to one.
      await this.in(relativePath, () => Promise.resolve());
    })();
    this.#made.set(relativePath, work);
    return work;
  }

  async confirm(): Promise<void> {
    const now = await stat(this.root).catch(() => null);
    if (now === null || !sameEntry(now, this.#opened.stats)) throw disturbed(this.root);
    for (const [relativePath, before] of this.#movable) {
      const { above, name } = split(relativePath);
      const same = await this.in(above, async (folder) => {
        const found = await this.#open(folder, name, relativePath);
        await found.handle?.close();
        return sameEntry(found.stats, before);
      }).catch(() => false);
      if (!same) throw disturbed(this.#told(relativePath));
    }
  }

  async close(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map(({ held }) => closeOne(held)));
    await this.#opened.handle?.close();
  }

  /** The folder of a path, opened where it is not open. */
  #entry(relativePath: string): Entry {
    const known = this.#entries.get(relativePath);
    if (known !== undefined) {
      this.#entries.delete(relativePath);
      this.#entries.set(relativePath, known);
      return known;
    }
    const { above, name } = split(relativePath);
    const held = this.in(above, (folder) => this.#open(folder, name, relativePath));
    const entry: Entry = { held, users: 0 };
    this.#entries.set(relativePath, entry);
    held.then(
      (found) => this.#noted(relativePath, above, found),
      () => this.#entries.delete(relativePath),
    );
    return entry;
  }

  #open(folder: OpenFolder, name: string, relativePath: string): Promise<HeldFolder> {
    return openOne(folder.at(name), this.#told(relativePath), this.#options.hold ?? CAN_HOLD);
  }

  #noted(relativePath: string, above: string, found: HeldFolder): void {
    this.#look(relativePath, found);
    const isMovable = this.#exposed.has(above) || this.#movable.has(above);
    if (isMovable && !this.#movable.has(relativePath))
      this.#movable.set(relativePath, { dev: found.stats.dev, ino: found.stats.ino });
  }

  #look(relativePath: string, { stats }: HeldFolder): void {
    const exposure = exposureOf(stats, this.#viewer);
    if (exposure === null) return;
    this.#exposed.add(relativePath);
    this.#tell(this.#told(relativePath), exposure);
  }

  #tell(path: string, exposure: 'owner' | 'everyone' | 'group'): void {
    if (this.#toldExposed) return;
    this.#toldExposed = true;
    const { message, hint } = exposureWords(path, exposure, this.#options.use ?? 'copied there');
    this.#options.onExposed?.(message, hint);
  }

  #told(relativePath: string): string {
    const text =
      this.#options.bytes === true
        ? Buffer.from(relativePath, 'latin1').toString('utf8')
        : relativePath;
    return join(this.root, text);
  }

  #folder(relativePath: string, { handle, system, stats }: HeldFolder): OpenFolder {
    const path = this.#told(relativePath);
    const { bytes } = this.#options;
    return {
      path,
      system,
      shared: this.#exposed.has(relativePath),
      at(name) {
        refuseTooLong(path, name);
        return bytes === true
          ? Buffer.concat([Buffer.from(`${system}/`), Buffer.from(name, 'latin1')])
          : `${system}/${name}`;
      },
      confirm: async () => {
        if (handle !== null) return;
        const now = relativePath === '' ? await stat(path) : (await lookAtFolder(path)).stats;
        if (!sameEntry(now, stats)) throw disturbed(path);
      },
    };
  }

  /** Closes those that were used least lately. */
  #closeIdle(): void {
    let over = this.#entries.size - MOST_IDLE;
    if (over <= 0) return;
    for (const [relativePath, entry] of this.#entries) {
      if (over <= 0) return;
      if (entry.users > 0) continue;
      this.#entries.delete(relativePath);
      void closeOne(entry.held);
      over -= 1;
    }
  }
}

async function closeOne(held: Promise<HeldFolder>): Promise<void> {
  await held.then(({ handle }) => handle?.close()).catch(() => undefined);
}

/** Bytes of a path that programs may hand to the system (PATH_MAX of Linux without its end). */
const LONGEST_PATH = 4095;

/** From an open folder one could go deeper than any path leads: nobody would find again what was put there. */
function refuseTooLong(folder: string, name: string): void {
  if (!CAN_HOLD || (folder.length + name.length + 1) * 3 <= LONGEST_PATH) return;
  const path = `${folder}/${name}`;
  if (Buffer.byteLength(path) <= LONGEST_PATH) return;
  const code = 'ENAMETOOLONG';
  throw Object.assign(new Error(`${code}: name too long, '${path}'`), {
    code,
    path,
    syscall: 'open',
  });
}

/** The folder of an entry, by paths below the root. */
export const folderOf = (relativePath: string): string => split(relativePath).above;

function split(relativePath: string): { readonly above: string; readonly name: string } {
  const slash = relativePath.lastIndexOf('/');
  return {
    above: slash < 0 ? '' : relativePath.slice(0, slash),
    name: relativePath.slice(slash + 1),
  };
}

/** The path of an error in a folder: what begins at an open folder is told by the folder's own path. */
function pathForPeople(folder: string, path: string): string {
  const below = /^\/proc\/self\/fd\/\d+(?:\/(.*))?$/s.exec(path);
  return below === null ? path : join(folder, below[1] ?? '');
}
