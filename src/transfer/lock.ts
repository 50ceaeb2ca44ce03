import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
  type Stats,
} from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { processIdentitySchema } from '../shared/process-identity.ts';
import { errorCode, makeFolder, readJson, removeFile, writeJsonAtomic } from './state-files.ts';

/**
 * A lock that outlives its holder's death without ever being held twice.
 *
 * The lock is a folder of numbered entries; the highest one counts. To take it, a process makes the entry above the highest one
 * by a hard link (which only one can make), once that one is released or its holder is gone, and then looks again: it holds the lock
 * when its entry is the highest and nobody lives in a lower one. The highest entry is never removed, only marked as released, so the numbers
 * never go back; where the folder is given up as a whole (`remove`), a process that counted in the old one finds the living entry of the new.
 */

const holderSchema = z.strictObject({
  process: processIdentitySchema,
  /** For what it is held: a run directory, or the place that a copy goes to. */
  run: z.string(),
});
export type LockHolder = Readonly<z.infer<typeof holderSchema>>;

const entrySchema = z.union([holderSchema, z.strictObject({ released: z.literal(true) })]);

export interface HeldLock {
  /** Gives the lock up; the holder may go on running. Where the disk refuses, it is free once the holder has ended. */
  release(): void;
  /** Gives the lock up and removes its folder. */
  remove(): void;
}

export type LockAnswer =
  | { readonly kind: 'held'; readonly lock: HeldLock }
  | { readonly kind: 'busy'; readonly by: LockHolder };

const entriesOf = (folder: string): readonly number[] =>
  readdirSync(folder)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

const highestEntry = (folder: string): number => Math.max(0, ...entriesOf(folder));

function readEntry(folder: string, entry: number): LockHolder | null {
  const found = readJson(path.join(folder, String(entry)), entrySchema);
  return found === null || 'released' in found ? null : found;
}

/** Who holds the lock by its last entry, alive or not; null where it is free. */
export function lockHolder(folder: string): LockHolder | null {
  try {
    return readEntry(folder, highestEntry(folder));
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
  for (;;) {
    try {
      makeFolder(folder);
      const answer = tryLock(folder, holder, holds);
      if (answer !== 'again') return answer;
    } catch (error) {
      if (!wasGivenUp(folder, errorCode(error))) throw error;
    }
  }
}

/** Whether its holder gave the folder up meanwhile. Node.js says EEXIST of a folder that was there when it was to be made, and gone a moment later. */
function wasGivenUp(folder: string, code: string): boolean {
  if (code === 'ENOENT') return true;
  if (code !== 'EEXIST') return false;
  return lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? true;
}

function tryLock(
  folder: string,
  holder: LockHolder,
  holds: (other: LockHolder) => boolean,
): LockAnswer | 'again' {
  const highest = highestEntry(folder);
  const other = readEntry(folder, highest);
  if (other !== null && holds(other)) return { kind: 'busy', by: other };
  const own = highest + 1;
  const entry = path.join(folder, String(own));
  const temporary = path.join(folder, `.${randomBytes(8).toString('hex')}`);
  // Open to the end: so its number cannot become another file's.
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    try {
      writeFileSync(fd, `${JSON.stringify(holder)}\n`);
      linkSync(temporary, entry);
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return 'again';
      throw error;
    } finally {
      removeFile(temporary);
    }
    const lower = entriesOf(folder).filter((one) => one < own);
    const living = lower.some((one) => {
      const found = readEntry(folder, one);
      return found !== null && holds(found);
    });
    const isHighest = highestEntry(folder) === own;
    // The folder may have been given up since, with this entry, and the number be another's in a new one: a folder never comes back, so what was
    // seen was seen in the folder of this entry if the entry is there now.
    if (!isSameFile(fstatSync(fd), lstatSync(entry))) return 'again';
    if (living || !isHighest) {
      removeFile(entry);
      return 'again';
    }
    for (const one of lower) removeFile(path.join(folder, String(one)));
  } finally {
    closeSync(fd);
  }
  return {
    kind: 'held',
    lock: { release: () => release(entry), remove: () => removeFolder(folder, entry) },
  };
}

const isSameFile = (a: Stats, b: Stats): boolean => a.ino === b.ino && a.dev === b.dev;

/** Out of the way first, at once: whoever comes meanwhile finds this folder as it is held, or none. */
function removeFolder(folder: string, entry: string): void {
  const aside = `${folder}.${randomBytes(6).toString('hex')}.gone`;
  try {
    renameSync(folder, aside);
    rmSync(aside, { recursive: true, force: true });
  } catch (error) {
    if (errorCode(error) === '') throw error;
    release(entry);
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
