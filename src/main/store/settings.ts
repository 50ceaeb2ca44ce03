import * as z from 'zod';
import { ok, type Result } from '../../shared/problem.ts';
import type { Store } from './open.ts';

export interface SettingsReader {
  /** Null when it was never set. */
  get(name: string): Result<string | null>;
  /** Whether any setting whose name begins so has a value that is not empty. */
  hasAny(prefix: string): Result<boolean>;
}

export interface SettingsWriter {
  set(name: string, value: string): Result<void>;
}

export interface SettingsPruner {
  /** Of the settings whose name begins so only the last `count` by name stay. */
  keepLast(prefix: string, count: number): Result<void>;
}

const rowSchema = z.object({ value: z.string() });

export function settingRows(store: Store): SettingsReader & SettingsWriter & SettingsPruner {
  return {
    get(name) {
      const row = store.use((database): unknown =>
        database.prepare('SELECT value FROM settings WHERE name = ?').get(name),
      );
      if (!row.ok) return row;
      const parsed = rowSchema.safeParse(row.value);
      return ok(parsed.success ? parsed.data.value : null);
    },
    hasAny: (prefix) =>
      store.use(
        (database) =>
          database
            .prepare("SELECT 1 FROM settings WHERE substr(name, 1, ?) = ? AND value <> '' LIMIT 1")
            .get(prefix.length, prefix) !== undefined,
      ),
    set: (name, value) =>
      store.use((database) => {
        database
          .prepare(
            'INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
          )
          .run(name, value);
      }),
    keepLast: (prefix, count) =>
      store.use((database) => {
        const of = 'substr(name, 1, ?) = ?';
        database
          .prepare(
            `DELETE FROM settings WHERE ${of} AND name <= (SELECT name FROM settings WHERE ${of} ORDER BY name DESC LIMIT 1 OFFSET ?)`,
          )
          .run(prefix.length, prefix, prefix.length, prefix, count);
      }),
  };
}
