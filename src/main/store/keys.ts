import * as z from 'zod';
import { keyCardSchema, type KeyCard } from '../../shared/key.ts';
import type { Result } from '../../shared/problem.ts';
import { isConflict } from './database.ts';
import type { Store } from './open.ts';

/** What may be asked of the rows of keys. */
export interface KeyReader {
  /** By name. */
  list(): Result<readonly KeyCard[]>;
}

/** What an insert or a rename met. */
export type KeyWrite = 'written' | 'taken';

export interface KeyWriter {
  /** `taken`: the name, the id or the fingerprint is there already; nothing was changed. */
  insert(card: KeyCard): Result<KeyWrite>;
  /** `taken`: another key has that name. */
  rename(id: string, name: string): Result<KeyWrite>;
  /** Writes the card anew, by its id. `taken`: another key has its name or fingerprint. */
  replace(card: KeyCard): Result<KeyWrite>;
  remove(id: string): Result<void>;
  touch(id: string, usedAt: string): Result<void>;
}

const rowSchema = z.object({ card: z.string(), last_used_at: z.string().nullable() });

export function keyRows(store: Store): KeyReader & KeyWriter {
  const write = (body: () => Result<void>): Result<KeyWrite> => {
    try {
      const done = body();
      return done.ok ? { ok: true, value: 'written' } : done;
    } catch (error) {
      if (isConflict(error)) return { ok: true, value: 'taken' };
      throw error;
    }
  };
  return {
    list: () =>
      store.use((database) =>
        database
          .prepare('SELECT card, last_used_at FROM keys ORDER BY name')
          .all()
          .flatMap((row): KeyCard[] => {
            const parsed = rowSchema.safeParse(row);
            const card = parsed.success ? parseCard(parsed.data.card) : null;
            return card === null || !parsed.success
              ? []
              : [{ ...card, lastUsedAt: parsed.data.last_used_at }];
          }),
      ),
    insert: (card) =>
      write(() =>
        store.use((database) => {
          database
            .prepare(
              'INSERT INTO keys (id, name, fingerprint, card, last_used_at) VALUES (?, ?, ?, ?, ?)',
            )
            .run(card.id, card.name, card.fingerprint, JSON.stringify(card), card.lastUsedAt);
        }),
      ),
    rename: (id, name) =>
      write(() =>
        store.use((database) => {
          database
            .prepare("UPDATE keys SET name = ?, card = json_set(card, '$.name', ?) WHERE id = ?")
            .run(name, name, id);
        }),
      ),
    replace: (card) =>
      write(() =>
        store.use((database) => {
          database
            .prepare('UPDATE keys SET name = ?, fingerprint = ?, card = ? WHERE id = ?')
            .run(card.name, card.fingerprint, JSON.stringify(card), card.id);
        }),
      ),
    remove: (id) =>
      store.use((database) => {
        database.prepare('DELETE FROM keys WHERE id = ?').run(id);
      }),
    touch: (id, usedAt) =>
      store.use((database) => {
        database.prepare('UPDATE keys SET last_used_at = ? WHERE id = ?').run(usedAt, id);
      }),
  };
}

/** A card from its JSON; null when it is something else. */
export function parseCard(text: string): KeyCard | null {
  try {
    const parsed = keyCardSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
