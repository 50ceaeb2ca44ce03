import * as z from 'zod';
import { keyUseSchema, type KeyUsage, type KeyUse } from '../../shared/key-use.ts';
import type { KeyCard } from '../../shared/key.ts';
import type { Result } from '../../shared/problem.ts';
import type { Store } from './open.ts';

export interface KeyUseReader {
  /** Of one key by the id of its card, the newest first. */
  list(keyId: string, limit: number): Result<readonly KeyUse[]>;
  /** The id of the key that had a name last; null: none that is in the log. */
  lastNamed(name: string): Result<string | null>;
}

export interface KeyUseWriter {
  /** Takes a use down; the same one within the hour is counted. `at`: ISO 8601. */
  add(
    card: Pick<KeyCard, 'id' | 'name' | 'privateKeyId'>,
    use: KeyUsage & { readonly failed: string | null },
    at: string,
  ): Result<void>;
}

/** How many lines are kept of one key, and of all. */
export const KEPT_OF_KEY = 1_000;
export const KEPT_OF_ALL = 20_000;
/** How long a line is kept. */
export const KEPT_DAYS = 400;

/** Every so many lines what is too much or too old is removed; the first of each process is one of them. */
const TIDY_EVERY = 50;

const rowSchema = z
  .object({
    operation: z.string(),
    reason: z.string(),
    job: z.string(),
    failed: z.string(),
    private_key_id: z.string(),
    first_at: z.string(),
    last_at: z.string(),
    times: z.number(),
  })
  .transform((row) => ({
    operation: row.operation,
    reason: row.reason === '' ? null : row.reason,
    job: row.job === '' ? null : row.job,
    failed: row.failed === '' ? null : row.failed,
    privateKeyId: row.private_key_id,
    firstAt: row.first_at,
    lastAt: row.last_at,
    times: row.times,
  }))
  // A later Trainyard may have written what this one does not know.
  .pipe(keyUseSchema);

const idSchema = z.object({ key_id: z.string() });

export function keyUseRows(store: Store): KeyUseReader & KeyUseWriter {
  let untilTidy = 0;
  return {
    list: (keyId, limit) =>
      store.use((database) =>
        database
          .prepare(
            `SELECT operation, reason, job, failed, private_key_id, first_at, last_at, times
             FROM key_uses WHERE key_id = ? ORDER BY last_at DESC, id DESC LIMIT ?`,
          )
          .all(keyId, limit)
          .flatMap((row) => {
            const parsed = rowSchema.safeParse(row);
            return parsed.success ? [parsed.data] : [];
          }),
      ),
    lastNamed: (name) =>
      store.use((database) => {
        const row: unknown = database
          .prepare('SELECT key_id FROM key_uses WHERE name = ? ORDER BY last_at DESC LIMIT 1')
          .get(name);
        const parsed = idSchema.safeParse(row);
        return parsed.success ? parsed.data.key_id : null;
      }),
    add: ({ id, name, privateKeyId }, { operation, reason, job, failed }, at) =>
      store.use((database) => {
        database
          .prepare(
            `INSERT INTO key_uses
               (key_id, name, private_key_id, operation, reason, job, failed, hour, first_at, last_at, times)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
             ON CONFLICT DO UPDATE SET last_at = excluded.last_at, name = excluded.name, times = times + 1`,
          )
          .run(
            id,
            name,
            privateKeyId,
            operation,
            reason ?? '',
            job ?? '',
            failed ?? '',
            at.slice(0, 13),
            at,
            at,
          );
        untilTidy -= 1;
        if (untilTidy > 0) return;
        untilTidy = TIDY_EVERY;
        const oldest = new Date(Date.parse(at) - KEPT_DAYS * 86_400_000).toISOString();
        database.prepare('DELETE FROM key_uses WHERE last_at < ?').run(oldest);
        database
          .prepare(
            `DELETE FROM key_uses WHERE key_id = ? AND id NOT IN
               (SELECT id FROM key_uses WHERE key_id = ? ORDER BY last_at DESC, id DESC LIMIT ?)`,
          )
          .run(id, id, KEPT_OF_KEY);
        database
          .prepare(
            'DELETE FROM key_uses WHERE id NOT IN (SELECT id FROM key_uses ORDER BY last_at DESC, id DESC LIMIT ?)',
          )
          .run(KEPT_OF_ALL);
      }),
  };
}
