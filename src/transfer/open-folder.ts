import { constants, existsSync, type PathLike, type Stats } from 'node:fs';
import { lstat, open, readlink, stat, statfs, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { problem } from '../shared/problem.ts';
import { DiskFault, errorCodeOf } from './disk.ts';
import { mayFollow, viewerNow, type Viewer } from './others.ts';

/**
 * Folders that are held open. What is done "in" one is done in that very folder, whatever its name leads to meanwhile: another user who may
 * write to a folder above can put a link in its place at any moment, between any look and the deed.
 */

/** On Linux a path may begin at an open folder. Elsewhere the folder's path is used, and it is looked at again around each deed. */
export const CAN_HOLD = process.platform === 'linux' && existsSync('/proc/self/fd');

/** Only for what lies below: no right to read the folder is needed. Linux alone; Node.js does not name it. */
const O_PATH = 0o10000000;

/** `f_type` of the file system at `/proc`, whose links are no texts but the things themselves (statfs(2)). */
const PROC_TYPE = 0x9fa0;

/** As in the kernel. */
const MOST_LINKS = 40;

/** A folder that was opened: by its handle, or, where none can be held, by its path. */
export interface HeldFolder {
  /** Null where folders cannot be held. */
  readonly handle: FileHandle | null;
  /** What the system is given for the folder itself. */
  readonly system: string;
  readonly stats: Stats;
}

export const sameEntry = (
  a: { readonly dev: number; readonly ino: number },
  b: { readonly dev: number; readonly ino: number },
): boolean => a.ino === b.ino && a.dev === b.dev;

/** The error of the system for what is no folder, or a link where none is passed. */
export const notAFolder = (path: string): Error =>
  Object.assign(new Error(`ENOTDIR: not a folder, '${path}'`), { code: 'ENOTDIR', path });

/** Opens a folder by what the system is given for it; a link in its place is not passed. Throws what the system throws, ENOTDIR for a link. */
export async function holdFolder(system: PathLike, told: string): Promise<HeldFolder> {
  const { O_DIRECTORY, O_NOFOLLOW } = constants;
  let handle: FileHandle;
  try {
    handle = await open(system, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    throw errorCodeOf(error) === 'ELOOP' ? notAFolder(told) : error;
  }
  return held(handle);
}

async function held(handle: FileHandle): Promise<HeldFolder> {
  try {
    return { handle, system: `/proc/self/fd/${handle.fd}`, stats: await handle.stat() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A folder by its path, for systems where none can be held. */
export async function lookAtFolder(path: string): Promise<HeldFolder> {
  const stats = await lstat(path);
  if (!stats.isDirectory()) throw notAFolder(path);
  return { handle: null, system: path, stats };
}

/** What lay on the way to a folder. */
export interface Step {
  readonly path: string;
  readonly stats: Stats;
}

export interface NamedFolder extends HeldFolder {
  /** The folders above it, the root first. */
  readonly above: readonly Step[];
}

/**
 * Opens a folder that a user named. Links on the way are the user's choice and followed, but for those that another user put into a folder that
 * others may write to. Each part of the way is opened from the one before, so that nothing can be exchanged behind it.
 * Throws what the system throws; a {@link DiskFault} (`transfer.link-of-another`) for such a link.
 */
export async function openNamedFolder(
  path: string,
  viewer: Viewer = viewerNow(),
  hold = CAN_HOLD,
): Promise<NamedFolder> {
  const whole = resolve(path);
  if (!hold) {
    const stats = await stat(whole);
    if (!stats.isDirectory()) throw notAFolder(whole);
    return { handle: null, system: whole, stats, above: [] };
  }
  return walkTo(whole, viewer);
}

async function walkTo(whole: string, viewer: Viewer): Promise<NamedFolder> {
  let left = partsOf(whole);
  let at = await holdFolder('/', '/');
  let told = '/';
  const above: Step[] = [];
  let links = 0;
  try {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      const system = `${at.system}/${name}`;
      const here = join(told, name);
      let next: HeldFolder;
      try {
        next = await holdFolder(system, here);
      } catch (error) {
        if (errorCodeOf(error) !== 'ENOTDIR') throw toldError(error, here);
        const to = await targetOf(at, system, here, viewer);
        if (to === null) throw notAFolder(here);
        links += 1;
        if (links > MOST_LINKS)
          throw Object.assign(new Error(`ELOOP: too many links, '${whole}'`), {
            code: 'ELOOP',
            path: whole,
          });
        if (typeof to !== 'string') next = to;
        else {
          left = [...partsOf(to), ...left];
          if (to.startsWith('/')) {
            await at.handle?.close();
            at = await holdFolder('/', '/');
            told = '/';
          }
          continue;
        }
      }
      above.push({ path: told, stats: at.stats });
      await at.handle?.close();
      at = next;
      told = here;
    }
    return { ...at, above };
  } catch (error) {
    await at.handle?.close();
    throw error;
  }
}

const partsOf = (path: string): string[] =>
  path.split('/').filter((part) => part !== '' && part !== '.');

/** An error of the system with the path that people know in place of an open folder's. */
export function toldError(error: unknown, path: string): unknown {
  if (!(error instanceof Error)) return error;
  return Object.assign(error, { path, message: error.message.replace(HELD_PATH, path) });
}

const HELD_PATH = /\/proc\/self\/fd\/\d+(\/[^']*)?/g;

/** Where a link leads: its text; of one below `/proc` the folder itself; null where it is no link. */
async function targetOf(
  at: HeldFolder,
  system: string,
  told: string,
  viewer: Viewer,
): Promise<string | HeldFolder | null> {
  const before = await lstat(system);
  if (!before.isSymbolicLink()) return null;
  if (!mayFollow(before, at.stats, viewer)) throw new DiskFault(linkOfAnother(told));
  if ((await statfs(at.system)).type === PROC_TYPE)
    return held(await open(system, O_PATH | constants.O_DIRECTORY));
  const to = await readlink(system);
  const after = await lstat(system);
  // Another one than was looked at: somebody exchanges them.
  if (!sameEntry(before, after) || before.ctimeMs !== after.ctimeMs)
    throw new DiskFault(linkOfAnother(told));
  return to;
}

export const linkOfAnother = (path: string) =>
  problem({
    code: 'transfer.link-of-another',
    op: 'open the folder',
    subject: path,
    message: `${path} is a link that another user made, in a folder that others may write to: it may lead anywhere.`,
    hint: 'Give the path of the folder that it leads to, if you trust it.',
  });
