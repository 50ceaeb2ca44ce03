import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { systemClock, type Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { reasonOf } from '../platform/paths.ts';
import {
  fileIdentity,
  isBusy,
  isConflict,
  isDamage,
  moveAside,
  openDatabase,
  type Database,
} from './database.ts';
import { migrate, SCHEMA_VERSION } from './migrations.ts';

/**
 * The store: an index that can be rebuilt. It is opened by its first use; a file that is damaged is moved aside and made anew, a file that
 * was deleted is made anew, so that callers only ever see problems that the user can mend.
 */
export interface Store {
  /**
   * Runs a function on the open database. What it throws for a damaged file is met by making a new one and calling it once more.
   * Errors: `host.database-busy`, `host.database`, `input.database-later`; a broken constraint is thrown as it is.
   */
  use<T>(body: (database: Database) => T): Result<T>;
  close(): void;
}

export function openStore(path: string, log: Log, clock: Clock = systemClock): Store {
  let opened: { readonly database: Database; readonly file: string | null } | undefined;

  const close = (): void => {
    try {
      opened?.database.close();
    } catch (error) {
      log.warn('closing the database', error);
    }
    opened = undefined;
  };

  const database = (): Result<Database> => {
    if (opened !== undefined && opened.file !== fileIdentity(path)) {
      log.warn(`the database ${path} was replaced or deleted: opening it anew`);
      close();
    }
    if (opened === undefined) {
      const fresh = openDatabase(path);
      opened = { database: fresh, file: fileIdentity(path) };
      const version = migrate(fresh);
      if (version > SCHEMA_VERSION) {
        close();
        return fail(laterVersion(path, version));
      }
    }
    return ok(opened.database);
  };

  const attempt = <T>(body: (database: Database) => T): Result<T> => {
    const found = database();
    return found.ok ? ok(body(found.value)) : found;
  };

  return {
    use(body) {
      try {
        return attempt(body);
      } catch (error) {
        if (isConflict(error)) throw error;
        // A statement that gave up waiting stays open in the library, and what this connection wrote later would never be
        // committed: the next call gets a new one.
        if (isBusy(error)) close();
        if (!isDamage(error)) return fail(explain(path, error));
        close();
        try {
          const aside = moveAside(path, clock.now());
          log.error(`the database was damaged and is made anew; the old one is ${aside}`, error);
          return attempt(body);
        } catch (second) {
          return fail(explain(path, second));
        }
      }
    },
    close,
  };
}

function explain(path: string, error: unknown): Problem {
  const busy = isBusy(error);
  return problem({
    code: busy ? 'host.database-busy' : 'host.database',
    op: 'use the database',
    subject: path,
    message: busy
      ? `Another Trainyard wrote to ${path} for too long.`
      : `The database ${path} cannot be used: ${reasonOf(error)}.`,
    hint: busy
      ? 'Try again.'
      : 'Make its folder writable and see that the disk has room. It may be deleted: jobs and keys are found again, bookmarks, settings and the use log of keys are lost.',
    retryable: busy,
  });
}

function laterVersion(path: string, version: number): Problem {
  return problem({
    code: 'input.database-later',
    op: 'use the database',
    subject: path,
    message: `The database ${path} was made by a later Trainyard (schema ${version}; this one knows ${SCHEMA_VERSION}).`,
    hint: 'Update this one. Or move the file away: jobs and keys are found again.',
  });
}
