import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { link, lstat, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { problem, type Problem } from '../shared/problem.ts';
import { DiskFault, errorCodeOf } from './disk.ts';
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

const inTheWay = (subject: string, message: string): Problem =>
  problem({
    code: 'transfer.exists',
    op: 'download to',
    subject,
    message,
    hint: 'Move it away, or download to another folder.',
  });

/** Opens an empty file that nobody had before. What an earlier attempt left under its name is removed, never written to. */
export async function openFresh(partial: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await open(partial, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
    } catch (error) {
      if (errorCodeOf(error) !== 'EEXIST' || attempt >= 3) throw error;
    }
    const there = await lstat(partial).catch(() => null);
    if (there !== null && !there.isFile())
      throw new DiskFault(
        inTheWay(partial, `${partial} is in the way: a folder or link that is not Trainyard's.`),
      );
    await unlink(partial).catch((error: unknown) => {
      if (errorCodeOf(error) !== 'ENOENT') throw error;
    });
  }
}

/** Opens what an earlier attempt left, to go on with it; an empty file where there is none, or where another name leads to it as well. */
export async function openKept(partial: string): Promise<FileHandle> {
  const there = await lstat(partial).catch(() => null);
  if (there?.isFile() !== true || there.nlink !== 1) return openFresh(partial);
  let handle: FileHandle;
  try {
    handle = await open(partial, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return openFresh(partial);
    throw error;
  }
  const opened = await handle.stat();
  if (opened.isFile() && opened.nlink === 1) return handle;
  await handle.close();
  return openFresh(partial);
}

/** Where no second name can be had (FAT, some network disks, a disk without inodes left), the place is looked at, then taken by a rename. */
const NO_SECOND_NAME: readonly string[] = [
  ...['EPERM', 'EACCES', 'EINVAL', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'],
  ...['ENOSPC', 'EDQUOT'],
];

/** A link is made only where nothing is, so the final name is taken in one step. */
async function takeName(partial: string, path: string): Promise<void> {
  const taken = () =>
    new DiskFault(
      inTheWay(path, 'Another file came into its place meanwhile, and nothing is overwritten.'),
    );
  try {
    await link(partial, path);
  } catch (error) {
    const code = errorCodeOf(error) ?? '';
    if (code === 'EEXIST') throw taken();
    if (!NO_SECOND_NAME.includes(code)) throw error;
    if ((await lstat(path).catch(() => null)) !== null) throw taken();
    await rename(partial, path);
    return;
  }
  await unlink(partial);
}

/**
 * Gives a complete file its final name. It must be the very file that `handle` wrote, and known by no other name: the checksum is of what was
 * written there. Unless it `replaces` one of ours, nothing may be in its place: what came there meanwhile is somebody else's, or another
 * object's that this disk takes for the same name.
 */
export async function putInPlace(
  handle: FileHandle,
  partial: string,
  path: string,
  replaces: boolean,
): Promise<void> {
  const [written, there] = await Promise.all([handle.stat(), lstat(partial).catch(() => null)]);
  if (
    there === null ||
    there.ino !== written.ino ||
    there.dev !== written.dev ||
    written.nlink !== 1
  )
    throw new DiskFault(
      problem({
        code: 'transfer.disturbed',
        op: 'download to',
        subject: path,
        message: `The incomplete file ${partial} was removed, replaced or linked to by another program.`,
        hint: 'Start again, while nothing else changes that folder.',
      }),
    );
  if (replaces) await rename(partial, path);
  else await takeName(partial, path);
}

/** Removes the second name of a file in place, which a death between the two steps of {@link takeName} leaves. */
export async function dropSecondName(
  partial: string,
  inPlace: Pick<Stats, 'ino' | 'dev' | 'nlink'>,
): Promise<void> {
  if (inPlace.nlink === 1) return;
  const there = await lstat(partial).catch(() => null);
  if (there?.ino === inPlace.ino && there.dev === inPlace.dev) await unlink(partial);
}
