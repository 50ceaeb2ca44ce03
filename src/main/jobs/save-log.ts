import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { reasonOf } from '../platform/paths.ts';
import type { LogPiece } from './read-log.ts';

/**
 * Copies a log to a file, whole or not at all; what is written to the log meanwhile is copied up to the size it had at the beginning.
 * Errors: `host.file`, and those of `read`.
 */
export async function saveLog(
  read: (offset: number) => Promise<Result<LogPiece>>,
  path: string,
): Promise<Result<void>> {
  try {
    return await inOpenFolder(dirname(path), (folder) =>
      writeWhole(read, join(folder, basename(path)), folder),
    );
  } catch (error) {
    return fail(
      problem({
        code: 'host.file',
        op: 'save the log',
        subject: path,
        message: `The log could not be saved to ${path}: ${reasonOf(error)}.`,
        hint: 'Choose another folder, or make room on the disk.',
      }),
    );
  }
}

/**
 * Works with the path of a folder that stays the same folder, also where somebody who may write above puts a link in its place: on Linux a path may
 * begin at an open folder. Elsewhere it is the folder's own path.
 */
async function inOpenFolder<T>(folder: string, work: (folder: string) => Promise<T>): Promise<T> {
  if (process.platform !== 'linux') return work(folder);
  const opened = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await work(`/proc/self/fd/${opened.fd}`);
  } finally {
    await opened.close();
  }
}

/** Under a name that nobody could know, in a file that was not there: no link is followed and no file of somebody else cut off. */
async function writeWhole(
  read: (offset: number) => Promise<Result<LogPiece>>,
  path: string,
  folder: string,
): Promise<Result<void>> {
  const unfinished = join(folder, `.${randomBytes(12).toString('hex')}.part`);
  try {
    const file = await open(unfinished, 'wx', 0o600);
    try {
      let end: number | null = null;
      for (let offset = 0; end === null || offset < end;) {
        const piece = await read(offset);
        if (!piece.ok) {
          await rm(unfinished, { force: true });
          return piece;
        }
        end ??= piece.value.size;
        if (piece.value.bytes.length === 0) break;
        await file.writeFile(piece.value.bytes.subarray(0, end - offset));
        offset += piece.value.bytes.length;
      }
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
    return ok();
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw error;
  }
}
