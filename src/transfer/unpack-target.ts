import { copyFile, lstat, realpath, rm, symlink } from 'node:fs/promises';
import { constants, createWriteStream } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { problem, type Problem } from '../shared/problem.ts';
import { errorCodeOf, folderMaker, formatBytes, onDisk } from './disk.ts';
import { entryNameReason } from './entry-name.ts';

export interface UnpackLimits {
  /** Bytes written at most. */
  readonly bytes: number;
  /** Files, folders and links at most. */
  readonly entries: number;
  /** How many times the archive's size may be written, once 64 MiB are. */
  readonly ratio: number;
}

export interface RefusedEntry {
  readonly entry: string;
  readonly reason: string;
}

/** A limit that an archive broke: ends the unpacking. */
export class UnpackStop extends Error {
  readonly problem: Problem;
  constructor(stop: Problem) {
    super('unpack');
    this.problem = stop;
  }
}

/** Takes the entries of an archive and lets none leave its folder, whatever they are called. */
export interface UnpackTarget {
  file(name: string, mode: number, bytes: Readable): Promise<void>;
  folder(name: string): Promise<void>;
  /** A symbolic link: made at the end, if it stays inside. */
  link(name: string, to: string): void;
  /** A hard link to an earlier file: becomes a copy. */
  hardLink(name: string, to: string): Promise<void>;
  /** What is neither: a device, an encrypted file. */
  other(name: string, reason: string): void;
  /** The end of an archive that goes past what is bearable, for the reason given. */
  tooLarge(message: string): Error;
  /** Makes the links. */
  finish(): Promise<void>;
  readonly refused: readonly RefusedEntry[];
  readonly files: number;
  readonly bytes: number;
}

/** Refused entries are kept by name until the end: no more than so many, no longer than so many characters. */
const MOST_REFUSED = 100_000;
const LONGEST_TOLD = 1_000;
/** Below so many bytes the ratio means nothing. */
export const RATIO_FROM = 64 * 1024 * 1024;

/** An entry's path below the folder: `./` at the beginning and `/` at the end mean nothing. */
const tidy = (name: string): string => name.replace(/^(\.\/+)+/, '').replace(/\/+$/, '');

const isInside = (root: string, path: string): boolean => {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !way.startsWith('/'));
};

/**
 * @param root an empty folder that nobody but us may write to, as the system is given it
 * @param told its path, for people
 * @param archiveSize bytes, for the ratio
 */
export function unpackTarget(
  root: string,
  told: string,
  archive: { readonly path: string; readonly size: number },
  limits: UnpackLimits,
  onBytes: (count: number) => void,
  signal: AbortSignal | undefined,
): UnpackTarget {
  const refused: RefusedEntry[] = [];
  const links: { readonly name: string; readonly to: string }[] = [];
  const makeFolder = folderMaker(root);
  let entries = 0;
  let files = 0;
  let bytes = 0;

  const stop = (message: string): UnpackStop =>
    new UnpackStop(
      problem({
        code: 'transfer.archive-too-large',
        op: 'unpack',
        subject: archive.path,
        message,
        hint: 'If the archive is sound, unpack it elsewhere and use the files.',
      }),
    );
  const refuse = (entry: string, reason: string) => {
    if (refused.length >= MOST_REFUSED)
      throw stop(`More than ${MOST_REFUSED} of its entries cannot be files.`);
    const told = entry.length > LONGEST_TOLD ? `${entry.slice(0, LONGEST_TOLD)}…` : entry;
    refused.push({ entry: told, reason });
  };
  const count = (size: number) => {
    bytes += size;
    if (bytes > limits.bytes)
      throw stop(`Unpacked it takes more than ${formatBytes(limits.bytes)}.`);
    if (bytes > RATIO_FROM && bytes > archive.size * limits.ratio)
      throw stop(`Unpacked it is more than ${limits.ratio} times its size.`);
    onBytes(size);
  };
  /** The entry's path, or null where it is refused. */
  const accept = (name: string): string | null => {
    entries += 1;
    if (entries > limits.entries) throw stop(`It holds more than ${limits.entries} entries.`);
    const path = tidy(name);
    const reason = entryNameReason(path, process.platform === 'win32');
    if (reason === null) return path;
    refuse(name, reason);
    return null;
  };
  /** Makes the folder of an entry; false, and refused, where something else is in its place. */
  const prepared = async (name: string, folder: string): Promise<boolean> => {
    try {
      await makeFolder(folder === '.' ? '' : folder);
      return true;
    } catch (error) {
      if (errorCodeOf(error) !== 'ENOTDIR' && errorCodeOf(error) !== 'EEXIST')
        return onDisk({ op: 'unpack', subject: join(told, folder) }, () =>
          Promise.reject(error as Error),
        );
      refuse(name, 'a file of the same name is where it needs a folder');
      return false;
    }
  };

  return {
    refused,
    tooLarge: stop,
    get files() {
      return files;
    },
    get bytes() {
      return bytes;
    },
    async file(name, mode, stream) {
      // It may fail before anybody reads it; the pipeline below sees that it did.
      stream.on('error', () => undefined);
      const path = accept(name);
      if (path === null || !(await prepared(name, dirname(path)))) {
        stream.resume();
        return;
      }
      const counted = async function* (source: AsyncIterable<Buffer>) {
        for await (const part of source) {
          count(part.length);
          yield part;
        }
      };
      const place = createWriteStream(join(root, path), {
        flags: 'wx',
        mode: (mode & 0o777) | 0o600,
      });
      try {
        await pipeline(stream, counted, place, { ...(signal === undefined ? {} : { signal }) });
        files += 1;
      } catch (error) {
        if (errorCodeOf(error) !== 'EEXIST') throw error;
        refuse(name, 'the archive has this name twice');
        stream.resume();
      }
    },
    async folder(name) {
      if (tidy(name) === '' || tidy(name) === '.') return;
      const path = accept(name);
      if (path !== null) await prepared(name, path);
    },
    link(name, to) {
      const path = accept(name);
      if (path === null) return;
      if (to.startsWith('/') || !isInside(root, resolve(root, dirname(path), to)))
        refuse(name, 'it is a link to something outside the archive');
      else links.push({ name: path, to });
    },
    async hardLink(name, to) {
      const path = accept(name);
      if (path === null || !(await prepared(name, dirname(path)))) return;
      const from = tidy(to);
      const source = entryNameReason(from, false) === null ? join(root, from) : null;
      const stats = source === null ? null : await lstat(source).catch(() => null);
      if (source === null || stats?.isFile() !== true) {
        refuse(name, 'it is a link to something that is not in the archive');
        return;
      }
      count(stats.size);
      try {
        await copyFile(
          source,
          join(root, path),
          constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE,
        );
        files += 1;
      } catch (error) {
        if (errorCodeOf(error) !== 'EEXIST') throw error;
        refuse(name, 'the archive has this name twice');
      }
    },
    other(name, reason) {
      entries += 1;
      if (entries > limits.entries) throw stop(`It holds more than ${limits.entries} entries.`);
      refuse(name, reason);
    },
    async finish() {
      // Nothing was written through a link: they come last. What leads out by way of another link is taken away again.
      const made: { readonly name: string; readonly to: string }[] = [];
      for (const { name, to } of links) {
        if (!(await prepared(name, dirname(name)))) continue;
        try {
          await symlink(to, join(root, name));
          made.push({ name, to });
        } catch (error) {
          if (errorCodeOf(error) !== 'EEXIST') throw error;
          refuse(name, 'the archive has this name twice');
        }
      }
      const real = await realpath(root);
      for (const { name } of made) {
        const path = join(root, name);
        const end = await realpath(path).catch(() => null);
        if (end !== null && isInside(real, end)) files += 1;
        else {
          await rm(path);
          refuse(
            name,
            end === null
              ? 'it is a link to nothing'
              : 'it is a link to something outside the archive',
          );
        }
      }
    },
  };
}
