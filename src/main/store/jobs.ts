import * as z from 'zod';
import type { Result } from '../../shared/problem.ts';
import { inTransaction } from './database.ts';
import type { Store } from './open.ts';

/**
 * What the index knows of a run that ended, as long as its events are the same: the size and the time of change (milliseconds) of
 * `events.jsonl`. `view` is JSON. The run directory is the truth; a row that does not fit it is ignored.
 */
export interface IndexedJob {
  readonly id: string;
  readonly host: string;
  readonly eventsSize: number;
  readonly eventsChanged: number;
  readonly view: string;
}

export interface JobIndexReader {
  /** The rows of these runs; those that have none are left out. */
  find(ids: readonly string[]): Result<readonly IndexedJob[]>;
  /** The ids of all rows of a host. */
  ids(host: string): Result<readonly string[]>;
}

export interface JobIndexWriter {
  put(jobs: readonly IndexedJob[]): Result<void>;
  /** Forgets rows whose run directory is gone. */
  remove(ids: readonly string[]): Result<void>;
}

const idSchema = z.object({ id: z.string() });

const rowSchema = z
  .object({
    id: z.string(),
    host: z.string(),
    events_size: z.number(),
    events_changed: z.number(),
    view: z.string(),
  })
  .transform((row): IndexedJob => ({
    id: row.id,
    host: row.host,
    eventsSize: row.events_size,
    eventsChanged: row.events_changed,
    view: row.view,
  }));

export function jobRows(store: Store): JobIndexReader & JobIndexWriter {
  return {
    find: (ids) =>
      store.use((database) => {
        const one = database.prepare(
          'SELECT id, host, events_size, events_changed, view FROM jobs WHERE id = ?',
        );
        return ids.flatMap((id) => {
          const parsed = rowSchema.safeParse(one.get(id));
          return parsed.success ? [parsed.data] : [];
        });
      }),
    ids: (host) =>
      store.use((database) =>
        database
          .prepare('SELECT id FROM jobs WHERE host = ?')
          .all(host)
          .flatMap((row) => {
            const parsed = idSchema.safeParse(row);
            return parsed.success ? [parsed.data.id] : [];
          }),
      ),
    put: (jobs) =>
      store.use((database) => {
        const insert = database.prepare(
          'INSERT OR REPLACE INTO jobs (id, host, events_size, events_changed, view) VALUES (?, ?, ?, ?, ?)',
        );
        inTransaction(database, () => {
          for (const job of jobs)
            insert.run(job.id, job.host, job.eventsSize, Math.trunc(job.eventsChanged), job.view);
        });
      }),
    remove: (ids) =>
      store.use((database) => {
        const remove = database.prepare('DELETE FROM jobs WHERE id = ?');
        inTransaction(database, () => {
          for (const id of ids) remove.run(id);
        });
      }),
  };
}
