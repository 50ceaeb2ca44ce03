import { createHash, randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { link, lstat, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { problem, type Problem } from '../shared/problem.ts';
import { DiskFault, errorCodeOf } from './disk.ts';
import type { OpenFolder } from './folder-tree.ts';
import { PARTIAL_SUFFIX } from './name-mapping.ts';

/**
 * Files while they are incomplete. Their names hold an id of the copy that they belong to: another copy to the same place, and a file that a
 * user called so, are other files. The same copy finds its own again when it is started again.
 */

/** The id of a copy: of the folder of its journals, which one copy at a time uses. */
export const partialId = (journals: string): string =>
  createHash('sha256').update(resolve(journals)).digest('hex').slice(0, 16);

/** What names of incomplete files of a copy end with. */
const endingOf = (id: string): string => `.${id}${PARTIAL_SUFFIX}`;

/** Whether a file of this name is an incomplete one of a copy. */
export const isPartialOf = (name: string, id: string): boolean => name.endsWith(endingOf(id));

/** The name of a file while it is incomplete: beside its final one, so that a rename completes it. */
export function partialPath(path: string, id: string): string {
  const ending = endingOf(id);
  const name = basename(path);
  if (Buffer.byteLength(name) + ending.length <= 255) return path + ending;
  const short = createHash('sha256').update(name).digest('hex').slice(0, 32);
  return join(dirname(path), `.${short}${ending}`);
}

/** The name of the second form of a file that is unpacked before it is complete: no other partial file has it, for no file's name ends as they do. */
export function partialOfUnpacked(partial: string): string {
  const ending = /\.[0-9a-f]{16}\.[a-z-]+$/.exec(partial)?.[0] ?? PARTIAL_SUFFIX;
  const name = `${basename(partial)}${ending}`;
  if (Buffer.byteLength(name) <= 255) return partial + ending;
  const short = createHash('sha256').update(name).digest('hex').slice(0, 32);
  return join(dirname(partial), `.${short}${ending}`);
}

/** Where a file goes. Both names lie in the open folder: their paths are for people. */
export interface FilePlace {
  readonly folder: OpenFolder;
  /** Absolute. */
  readonly path: string;
  /** Where it is while it is incomplete: {@link partialPath}. */
  readonly partial: string;
}

/** What the system is given for the file, and for the incomplete one. */
const finalName = ({ folder, path }: FilePlace) => folder.at(basename(path));
const partialName = ({ folder, partial }: FilePlace) => folder.at(basename(partial));

const inTheWay = (subject: string, message: string): Problem =>
  problem({
    code: 'transfer.exists',
    op: 'download to',
    subject,
    message,
    hint: 'Move it away, or download to another folder.',
  });

/** Opens an empty file that nobody had before. What an earlier attempt left under its name is removed, never written to. */
export async function openFresh(place: FilePlace): Promise<FileHandle> {
  const { partial, folder } = place;
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const made = await open(partialName(place), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
      return await confirmed(folder, made);
    } catch (error) {
      if (errorCodeOf(error) !== 'EEXIST' || attempt >= 3) throw error;
    }
    const there = await lstat(partialName(place)).catch(() => null);
    if (there !== null && !there.isFile())
      throw new DiskFault(
        inTheWay(partial, `${partial} is in the way: a folder or link that is not Trainyard's.`),
      );
    await removePartial(place);
  }
}

/** A file that was opened, once it is sure that its folder is the one that was meant. */
async function confirmed(folder: OpenFolder, handle: FileHandle): Promise<FileHandle> {
  try {
    await folder.confirm();
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Removes the incomplete file, if there is one. */
export async function removePartial(place: FilePlace): Promise<void> {
  await unlink(partialName(place)).catch((error: unknown) => {
    if (errorCodeOf(error) !== 'ENOENT') throw error;
  });
}

/** What the system says of the file in place; null where nothing is. */
export const statPlace = (place: FilePlace): Promise<Stats | null> =>
  lstat(finalName(place)).catch((error: unknown) => {
    if (errorCodeOf(error) === 'ENOENT') return null;
    throw error;
  });

/** Opens the file in place to read it: the very one that was looked at, no link, and no pipe that nobody writes to. Null where it is not that one. */
export async function openPlaced(place: FilePlace, seen: Stats): Promise<FileHandle | null> {
  const handle = await open(finalName(place), READ_FLAGS);
  const opened = await handle.stat();
  if (opened.isFile() && opened.ino === seen.ino && opened.dev === seen.dev) return handle;
  await handle.close();
  return null;
}

/** To read a file that somebody else may have exchanged: no link is followed, no pipe waited for. On Windows neither flag exists. */
export const READ_FLAGS =
  process.platform === 'win32'
    ? constants.O_RDONLY
    : constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Opens what an earlier attempt left, to go on with it; an empty file where there is none, where another name leads to it as well, or where
 * another user made it: who owns a file may write to it for ever.
 */
export async function openKept(place: FilePlace): Promise<FileHandle> {
  const there = await lstat(partialName(place)).catch(() => null);
  if (there?.isFile() !== true || there.nlink !== 1) return openFresh(place);
  let handle: FileHandle;
  try {
    const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;
    handle = await open(partialName(place), O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return openFresh(place);
    throw error;
  }
  const opened = await handle.stat();
  if (opened.isFile() && opened.nlink === 1 && (await isOurs(place, opened)))
    return confirmed(place.folder, handle);
  await handle.close();
  return openFresh(place);
}

/** Whether this user made a file. Some network disks give every file another owner than its maker: there a new one is made to compare. */
async function isOurs({ folder }: FilePlace, file: Stats): Promise<boolean> {
  if (!folder.shared || file.uid === process.geteuid?.()) return true;
  const name = folder.at(`.${randomBytes(8).toString('hex')}${PARTIAL_SUFFIX}`);
  try {
    const made = await open(name, 'wx', 0o600);
    try {
      return (await made.stat()).uid === file.uid;
    } finally {
      await made.close();
      await unlink(name);
    }
  } catch {
    return false;
  }
}

/** Where no second name can be had (FAT, some network disks, a disk without inodes left), the place is looked at, then taken by a rename. */
const NO_SECOND_NAME: readonly string[] = [
  ...['EPERM', 'EACCES', 'EINVAL', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'],
  ...['ENOSPC', 'EDQUOT'],
];

/** A link is made only where nothing is, so the final name is taken in one step. */
async function takeName(place: FilePlace): Promise<void> {
  const taken = () =>
    new DiskFault(
      inTheWay(
        place.path,
        'Another file came into its place meanwhile, and nothing is overwritten.',
      ),
    );
  try {
    await link(partialName(place), finalName(place));
  } catch (error) {
    const code = errorCodeOf(error) ?? '';
    if (code === 'EEXIST') throw taken();
    if (!NO_SECOND_NAME.includes(code)) throw error;
    if ((await statPlace(place)) !== null) throw taken();
    await rename(partialName(place), finalName(place));
    return;
  }
  await unlink(partialName(place));
}

/**
 * Gives a complete file its final name. It must be the very file that `handle` wrote, and known by no other name: the checksum is of what was
 * written there. Unless it `replaces` one of ours, nothing may be in its place: what came there meanwhile is somebody else's, or another
 * object's that this disk takes for the same name.
 */
export async function putInPlace(
  handle: FileHandle,
  place: FilePlace,
  replaces: boolean,
): Promise<void> {
  const { folder, path, partial } = place;
  const isIt = (there: Stats | null, written: Stats) =>
    there !== null && there.ino === written.ino && there.dev === written.dev;
  const disturbed = (what: string) =>
    new DiskFault(
      problem({
        code: 'transfer.disturbed',
        op: 'download to',
        subject: path,
        message: `${what} was removed, replaced or linked to by another program.`,
        hint: 'Start again, while nothing else changes that folder.',
      }),
    );
  await folder.confirm();
  const [written, there] = await Promise.all([
    handle.stat(),
    lstat(partialName(place)).catch(() => null),
  ]);
  if (!isIt(there, written) || written.nlink !== 1)
    throw disturbed(`The incomplete file ${partial}`);
  if (replaces) await rename(partialName(place), finalName(place));
  else await takeName(place);
  await folder.confirm();
  // Where others may write they may have exchanged it after the look.
  if (folder.shared && !isIt(await statPlace(place), written)) throw disturbed(`The file ${path}`);
}

/** Removes the second name of a file in place, which a death between the two steps of {@link takeName} leaves. */
export async function dropSecondName(
  place: FilePlace,
  inPlace: Pick<Stats, 'ino' | 'dev' | 'nlink'>,
): Promise<void> {
  if (inPlace.nlink === 1) return;
  const there = await lstat(partialName(place)).catch(() => null);
  if (there?.ino === inPlace.ino && there.dev === inPlace.dev) await unlink(partialName(place));
}
