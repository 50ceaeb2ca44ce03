import { z } from 'zod';
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
  list(): Result<readonly IndexedJob[]>;
}

export interface JobIndexWriter {
  put(jobs: readonly IndexedJob[]): Result<void>;
  /** Forgets rows whose run directory is gone. */
  remove(ids: readonly string[]): Result<void>;
}

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
    list: () =>
      store.use((database) =>
        database
          .prepare('SELECT id, host, events_size, events_changed, view FROM jobs')
          .all()
          .flatMap((row) => {
            const parsed = rowSchema.safeParse(row);
            return parsed.success ? [parsed.data] : [];
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
