import { closeSync, existsSync, openSync, renameSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type LibsqlConstructor from 'libsql';
import { codeOf } from '../platform/paths.ts';
import { makeFolders } from '../platform/make-folders.ts';

export type Database = InstanceType<typeof LibsqlConstructor>;

/** How long a statement waits for another process's write. Milliseconds. */
const BUSY_TIMEOUT = 5_000;

const load = createRequire(import.meta.url);

/**
 * Opens a SQLite file; makes it when it is not there. The library is loaded by the first call.
 * Several processes may have it open and write: WAL, and a busy timeout that is set before anything can collide.
 * Throws what SQLite throws; see {@link isDamage}.
 */
export function openDatabase(path: string): Database {
  // CommonJS: the module is the constructor.
  const Libsql = load('libsql') as typeof LibsqlConstructor;
  makeFolders(dirname(path));
  // SQLite would make it readable for others; the files beside it take the same mode.
  closeSync(openSync(path, 'a', 0o600));
  const database = new Libsql(path);
  try {
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = NORMAL');
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

/** Runs a function inside a write transaction; undone when it throws. Other writers wait. */
export function inTransaction<T>(database: Database, body: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const value = body();
    database.exec('COMMIT');
    return value;
  } catch (error) {
    try {
      database.exec('ROLLBACK');
    } catch {
      // SQLite undid it already.
    }
    throw error;
  }
}

/** Whether the error says that the file is no database any more. */
export function isDamage(error: unknown): boolean {
  const code = codeOf(error);
  return code !== null && /^SQLITE_(CORRUPT|NOTADB|IOERR_SHORT_READ)/.test(code);
}

/** Whether the error says that a row with this value exists already. */
export function isConflict(error: unknown): boolean {
  return (codeOf(error) ?? '').startsWith('SQLITE_CONSTRAINT');
}

/** Whether another process wrote for longer than we waited. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error) ?? '');
}

/** Moves a database and what belongs to it to names of its own. Returns the new name. */
export function moveAside(path: string, now: number): string {
  const aside = `${path}.damaged-${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}`;
  for (const suffix of ['', '-wal', '-shm'])
    if (existsSync(`${path}${suffix}`)) renameSync(`${path}${suffix}`, `${aside}${suffix}`);
  return aside;
}

/** Tells the file at a path from another that takes its place; null where none is. */
export function fileIdentity(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev}:${found.ino}`;
}
