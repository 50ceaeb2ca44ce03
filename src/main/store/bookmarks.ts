import * as z from 'zod';
import type { Result } from '../../shared/problem.ts';
import type { Store } from './open.ts';

/** A place in a bucket that the user keeps. */
export interface Bookmark {
  readonly id: string;
  /** `gs://bucket/prefix`, as the user wrote it. */
  readonly address: string;
  /** The id of the key's card that opens it; null for none. */
  readonly key: string | null;
  /** ISO 8601. */
  readonly addedAt: string;
}

export interface BookmarkReader {
  /** By address. */
  list(): Result<readonly Bookmark[]>;
}

export interface BookmarkWriter {
  /** One of the same address and key stays as it is. */
  insert(bookmark: Bookmark): Result<void>;
  remove(id: string): Result<void>;
}

const rowSchema = z
  .object({
    id: z.string(),
    address: z.string(),
    key: z.string(),
    added_at: z.string(),
  })
  .transform((row): Bookmark => ({
    id: row.id,
    address: row.address,
    key: row.key === '' ? null : row.key,
    addedAt: row.added_at,
  }));

export function bookmarkRows(store: Store): BookmarkReader & BookmarkWriter {
  return {
    list: () =>
      store.use((database) =>
        database
          .prepare(
            'SELECT id, address, key, added_at FROM bookmarks ORDER BY address, added_at, rowid',
          )
          .all()
          .flatMap((row) => {
            const parsed = rowSchema.safeParse(row);
            return parsed.success ? [parsed.data] : [];
          }),
      ),
    insert: ({ id, address, key, addedAt }) =>
      store.use((database) => {
        database
          .prepare(
            'INSERT INTO bookmarks (id, address, key, added_at) VALUES (?, ?, ?, ?) ON CONFLICT (address, key) DO NOTHING',
          )
          .run(id, address, key ?? '', addedAt);
      }),
    remove: (id) =>
      store.use((database) => {
        database.prepare('DELETE FROM bookmarks WHERE id = ?').run(id);
      }),
  };
}
