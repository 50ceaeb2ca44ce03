import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import type * as z from 'zod';
import { keepUnknown } from '../shared/unknown-fields.ts';

/** Small files of state, read and written at once: of locks, runs and copies. */

/** The `code` of a system error (`ENOENT`), or an empty text. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}

/** A JSON file as its schema has it, with the fields that a later version added; null where it is missing, torn, or something else. */
export function readJson<T>(file: string, schema: z.ZodType<T>): T | null {
  try {
    const parsed = keepUnknown(schema).safeParse(JSON.parse(readFileSync(file, 'utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/**
 * Puts a JSON file in place whole or not at all: temporary file, fsync, rename, fsync of the folder. Mode 0600.
 * Throws on a system error.
 */
export function writeJsonAtomic(file: string, value: unknown): void {
  const folder = path.dirname(file);
  const temporary = path.join(folder, `.${path.basename(file)}.${randomBytes(6).toString('hex')}`);
  const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, file);
  } catch (error) {
    removeFile(temporary);
    throw error;
  }
  syncFolder(folder);
}

/** Makes names in a folder durable; a file system that cannot do so is left to itself. */
export function syncFolder(folder: string): void {
  try {
    const fd = openSync(folder, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Some network file systems refuse fsync on folders.
  }
}

/** Removes a file; one that is not there is fine. */
export function removeFile(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** Makes a folder and those above it that are missing, one by one as makeFolders does, 0700; one that is there is fine. */
export function makeFolder(folder: string): void {
  if (isFolder(folder)) return;
  const above = path.dirname(folder);
  if (above !== folder) makeFolder(above);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
}
