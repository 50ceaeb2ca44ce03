import { inTransaction, type Database } from './database.ts';

/**
 * The steps of the schema, by number. A step that was released is never edited; a change is a new step at the end.
 * Keys can be rebuilt from the vaults, jobs from the run directories; a lost database loses settings, bookmarks and
 * the use log of keys.
 */
const MIGRATIONS: readonly string[] = [
  // 1
  `CREATE TABLE keys (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     fingerprint TEXT NOT NULL UNIQUE,
     card TEXT NOT NULL,
     last_used_at TEXT
   ) STRICT;
   CREATE TABLE jobs (
     id TEXT PRIMARY KEY,
     host TEXT NOT NULL,
     events_size INTEGER NOT NULL,
     events_changed INTEGER NOT NULL,
     view TEXT NOT NULL
   ) STRICT;
   CREATE TABLE settings (
     name TEXT PRIMARY KEY,
     value TEXT NOT NULL
   ) STRICT;`,
  // 2
  `CREATE TABLE bookmarks (
     id TEXT PRIMARY KEY,
     address TEXT NOT NULL,
     key TEXT NOT NULL,
     added_at TEXT NOT NULL,
     UNIQUE (address, key)
   ) STRICT;`,
  // 3
  `CREATE TABLE key_uses (
     id INTEGER PRIMARY KEY,
     key_id TEXT NOT NULL,
     name TEXT NOT NULL,
     private_key_id TEXT NOT NULL,
     operation TEXT NOT NULL,
     reason TEXT NOT NULL,
     job TEXT NOT NULL,
     failed TEXT NOT NULL,
     hour TEXT NOT NULL,
     first_at TEXT NOT NULL,
     last_at TEXT NOT NULL,
     times INTEGER NOT NULL,
     UNIQUE (key_id, private_key_id, operation, reason, job, failed, hour)
   ) STRICT;
   CREATE INDEX key_uses_newest ON key_uses (key_id, last_at);`,
];

/** The schema's number that this version writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Brings a database to {@link SCHEMA_VERSION}. Returns the version that it has then: more when a later Trainyard made it. */
export function migrate(database: Database): number {
  const found = versionOf(database);
  if (found >= SCHEMA_VERSION) return found;
  return inTransaction(database, () => {
    // Another process may have been first.
    const version = versionOf(database);
    for (const [index, step] of MIGRATIONS.entries())
      if (index >= version) {
        database.exec(step);
        database.exec(`PRAGMA user_version = ${index + 1}`);
      }
    return Math.max(version, SCHEMA_VERSION);
  });
}

function versionOf(database: Database): number {
  const row: unknown = database.prepare('PRAGMA user_version').get();
  if (typeof row === 'object' && row !== null && 'user_version' in row)
    return Number(row.user_version);
  return 0;
}
