import { lstat, mkdir, readFile, rm, statfs, writeFile, type FileHandle } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import type { PathLike } from 'node:fs';
import { join } from 'node:path';
import { fail, ok, problem, type Problem, type Result } from '../shared/problem.ts';
import { crc32c } from './native-crc32c.ts';
import { makeFolders } from './make-folders.ts';
import { PARTIAL_SUFFIX } from './name-mapping.ts';

export const errorCodeOf = (error: unknown): string | null =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;

export interface DiskContext {
  /** A verb phrase. */
  readonly op: string;
  /** A path. */
  readonly subject: string;
}

/** Of what on the disk an error is: the path that it names, else what was worked on; empty where that is an address. */
function whereOf(error: unknown, { subject }: DiskContext): string {
  if (error instanceof Error && 'path' in error && typeof error.path === 'string')
    if (!error.path.startsWith('/proc/self/fd/')) return error.path;
  return subject.includes('://') ? '' : subject;
}

/** What an error of the file system means to a user. */
export function diskProblem(error: unknown, context: DiskContext): Problem {
  const code = errorCodeOf(error);
  const where = whereOf(error, context);
  const disk = where === '' ? 'disk' : `disk of ${where}`;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return problem({
        code: 'transfer.no-room',
        ...context,
        message: `There is no room left on the ${disk} (${code}).`,
        hint: 'Free some space, then start again: what is complete stays.',
      });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return problem({
        code: 'transfer.disk-refused',
        ...context,
        message:
          code === 'EROFS'
            ? `The ${disk} is read-only.`
            : `The system does not allow it${where === '' ? '' : `: ${where}`} (${code}).`,
        hint: 'Check the permissions of the file and of the folder it lies in.',
      });
    case 'ENAMETOOLONG':
      return problem({
        code: 'transfer.name-too-long',
        ...context,
        message: 'The path is longer than the disk allows.',
        hint: 'Use a folder with a shorter path, or another disk.',
      });
    case 'ENOENT':
      return problem({
        code: 'transfer.file-gone',
        ...context,
        message: 'The file is not there any more.',
        hint: 'Something removed it meanwhile.',
      });
    default:
      return problem({
        code: 'transfer.disk',
        ...context,
        message: `The disk reports an error (${code ?? 'unknown'}).`,
        hint: 'Check the disk, then start again.',
      });
  }
}

/** An error of the disk amid work with the network, which must not be taken for one of the network. */
export class DiskFault extends Error {
  readonly problem: Problem;
  constructor(fault: Problem, cause?: unknown) {
    super('disk', { cause });
    this.problem = fault;
  }
}

/** Runs something with the disk; its errors become a {@link DiskFault}. */
export async function onDisk<T>(context: DiskContext, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof DiskFault ? error : new DiskFault(diskProblem(error, context), error);
  }
}

/** This boot of the machine, or null where it cannot be told: what another boot wrote may not have reached the disk. */
export async function bootId(): Promise<string | null> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  } catch {
    return null;
  }
}

/**
 * Whether the disk of a folder takes letters of another case, or composed another way, for the same: tried with a file of such a name.
 * Where none can be made, what is usual on this system.
 */
export async function foldsNames(folder: {
  readonly at: (name: string) => PathLike;
}): Promise<boolean> {
  const mark = randomBytes(8).toString('hex');
  const name = (letters: string) => folder.at(`.${mark}-${letters}${PARTIAL_SUFFIX}`);
  const made = name('A\u00e9');
  try {
    await writeFile(made, '', { flag: 'wx' });
    const others = await Promise.all(
      ['a\u00e9', 'Ae\u0301'].map((letters) => lstat(name(letters)).catch(() => null)),
    );
    return others.some((one) => one !== null);
  } catch {
    return process.platform === 'darwin' || process.platform === 'win32';
  } finally {
    await rm(made, { force: true }).catch(() => undefined);
  }
}

/** Makes folders below `root`, and refuses to pass through a link: one made by somebody else could lead anywhere. */
export function folderMaker(root: string): (relativePath: string) => Promise<void> {
  const made = new Map<string, Promise<void>>();
  const make = (relativePath: string): Promise<void> => {
    const known = made.get(relativePath);
    if (known !== undefined) return known;
    const work = (async () => {
      if (relativePath === '') {
        await makeFolders(root);
        return;
      }
      const slash = relativePath.lastIndexOf('/');
      await make(slash < 0 ? '' : relativePath.slice(0, slash));
      const path = join(root, relativePath);
      try {
        await mkdir(path);
      } catch (error) {
        if (errorCodeOf(error) !== 'EEXIST') throw error;
        if (!(await lstat(path)).isDirectory())
          throw Object.assign(new Error('in the way'), { code: 'ENOTDIR' });
      }
    })();
    made.set(relativePath, work);
    return work;
  };
  return make;
}

/** What must fit on a disk. */
export interface Need {
  readonly bytes: number;
  /** Files and folders. */
  readonly files: number;
}

/** Left free for others: 64 MiB. */
const RESERVE = 64 * 1024 * 1024;

export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? String(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** Whether `need` fits what a file system says is free. Pure. A file system that counts no files (`filesTotal` 0) has no limit of them. */
export function checkRoom(
  path: string,
  need: Need,
  free: { readonly bytes: number; readonly files: number; readonly filesTotal: number },
): Result<void> {
  const refuse = (message: string, hint: string) =>
    fail(problem({ code: 'transfer.no-room', op: 'check for room', subject: path, message, hint }));
  if (need.bytes > 0 && need.bytes + RESERVE > free.bytes)
    return refuse(
      `There is not enough room on the disk of ${path}: ${formatBytes(need.bytes)} are needed, ${formatBytes(free.bytes)} are free (${formatBytes(RESERVE)} are kept free).`,
      'Free some space, or use a folder on another disk.',
    );
  if (free.filesTotal > 0 && need.files > free.files)
    return refuse(
      `There is not enough room for so many files on the disk of ${path}: ${need.files} are needed, ${free.files} can still be made (inodes).`,
      'Remove files, or use a folder on another disk.',
    );
  return ok();
}

/** Bytes that may be written to the disk of an existing folder, the reserve left out. */
export async function roomToUse(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return Math.max(0, bavail * bsize - RESERVE);
}

/** {@link checkRoom} with what the disk of an existing folder has free now. */
export async function roomFor(folder: string, need: Need): Promise<Result<void>> {
  const { bavail, bsize, ffree, files } = await statfs(folder);
  return checkRoom(folder, need, { bytes: bavail * bsize, files: ffree, filesTotal: files });
}

const READ_SIZE = 1 << 20;

/** The CRC32C of `length` bytes of a file from `position`; null where the file ends before. */
export async function checksumOf(
  handle: FileHandle,
  position: number,
  length: number,
  signal?: AbortSignal,
): Promise<number | null> {
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(length, READ_SIZE)));
  let sum = 0;
  for (let done = 0; done < length;) {
    signal?.throwIfAborted();
    const size = Math.min(buffer.length, length - done);
    const { bytesRead } = await handle.read(buffer, 0, size, position + done);
    if (bytesRead === 0) return null;
    sum = crc32c(buffer.subarray(0, bytesRead), sum);
    done += bytesRead;
  }
  return sum;
}
