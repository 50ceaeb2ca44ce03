import { randomBytes } from 'node:crypto';
import { linkSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { processIdentitySchema } from '../shared/process-identity.ts';
import { errorCode, makeFolder, readJson, removeFile, writeJsonAtomic } from './files.ts';

/**
 * A lock that outlives its holder's death without ever being held twice.
 *
 * The lock is a folder of numbered entries; the highest one counts. To take it, a process makes the entry above the highest one
 * by a hard link (which only one can make), once that one is released or its holder is gone, and then looks again: it holds the lock
 * when its entry is the highest. The highest entry is never removed, only marked as released, so the numbers never go back.
 */

const holderSchema = z.strictObject({
  process: processIdentitySchema,
  /** The run directory for which it is held. */
  run: z.string(),
});
export type LockHolder = Readonly<z.infer<typeof holderSchema>>;

const entrySchema = z.union([holderSchema, z.strictObject({ released: z.literal(true) })]);

export interface HeldLock {
  /** Gives the lock up; the holder may go on running. Where the disk refuses, it is free once the holder has ended. */
  release(): void;
}

export type LockAnswer =
  | { readonly kind: 'held'; readonly lock: HeldLock }
  | { readonly kind: 'busy'; readonly by: LockHolder };

function highestEntry(folder: string): number {
  return readdirSync(folder).reduce(
    (highest, name) => (/^\d+$/.test(name) ? Math.max(highest, Number(name)) : highest),
    0,
  );
}

/** Who holds the lock by its last entry, alive or not; null where it is free. */
export function lockHolder(folder: string): LockHolder | null {
  try {
    const entry = readJson(path.join(folder, String(highestEntry(folder))), entrySchema);
    return entry === null || 'released' in entry ? null : entry;
  } catch {
    return null;
  }
}

/**
 * Takes the lock `folder`, unless someone holds it for whom `holds` is true.
 * Throws where the file system has no hard links or cannot be written.
 */
export function takeLock(
  folder: string,
  holder: LockHolder,
  holds: (other: LockHolder) => boolean,
): LockAnswer {
  makeFolder(folder);
  for (;;) {
    const highest = highestEntry(folder);
    const other = lockHolder(folder);
    if (other !== null && holds(other)) return { kind: 'busy', by: other };
    const own = highest + 1;
    const entry = path.join(folder, String(own));
    const temporary = path.join(folder, `.${randomBytes(8).toString('hex')}`);
    writeFileSync(temporary, `${JSON.stringify(holder)}\n`, { mode: 0o600, flag: 'wx' });
    try {
      linkSync(temporary, entry);
    } catch (error) {
      if (errorCode(error) === 'EEXIST') continue;
      throw error;
    } finally {
      removeFile(temporary);
    }
    if (highestEntry(folder) !== own) {
      removeFile(entry);
      continue;
    }
    for (const name of readdirSync(folder))
      if (/^\d+$/.test(name) && Number(name) < own) removeFile(path.join(folder, name));
    return { kind: 'held', lock: { release: () => release(entry) } };
  }
}

/** On a disk that cannot be written the lock is given up by the end of its holder. */
function release(entry: string): void {
  try {
    writeJsonAtomic(entry, { released: true });
  } catch (error) {
    if (errorCode(error) === '') throw error;
  }
}
