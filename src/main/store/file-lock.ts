import { inTransaction, isDamage, openDatabase } from './database.ts';
import { unlinkSync } from 'node:fs';

/**
 * Runs a synchronous function while no other process runs one under the same path. The lock is SQLite's: the system lets go of it when its
 * holder dies, so none is ever stale. Waits up to five seconds, then throws SQLite's busy error. The file at the path stays.
 */
export function withFileLock<T>(path: string, body: () => T): T {
  const database = openRepaired(path);
  try {
    return inTransaction(database, body);
  } finally {
    database.close();
  }
}

function openRepaired(path: string): ReturnType<typeof openDatabase> {
  try {
    return openDatabase(path);
  } catch (error) {
    if (!isDamage(error)) throw error;
    // It holds nothing: only its lock matters.
    unlinkSync(path);
    return openDatabase(path);
  }
}
