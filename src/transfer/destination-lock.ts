import { createHash } from 'node:crypto';
import { lstatSync, rmdirSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fail, ok, problem, type Result } from '../shared/problem.ts';
import { takeOwnLock } from './own-lock.ts';
import { errorCode, makeFolder } from './state-files.ts';

/** The claim of a place that a download goes to. */
export interface DestinationLock {
  release(): void;
}

/** A path without links and dots, of what is there and of what is not there yet. */
export async function canonicalPath(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    return await realpath(absolute);
  } catch {
    const above = dirname(absolute);
    return above === absolute ? absolute : join(await canonicalPath(above), basename(absolute));
  }
}

/** One folder for all homes of a user: two of them may copy to one place. Null where somebody else made it. */
function locksFolder(): string | null {
  const user = process.getuid?.();
  const folder = join(tmpdir(), `trainyard-locks-${user ?? 'user'}`);
  makeFolder(folder);
  const found = lstatSync(folder);
  return found.isDirectory() && (user === undefined || found.uid === user) ? folder : null;
}

/** The last one leaves nothing behind. Whoever takes a lock meanwhile makes the folder anew. */
function removeWhereEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (errorCode(error) === '') throw error;
  }
}

/**
 * Claims the folder or file that a download goes to, under whatever name and from whatever home, until `release` or the death of this process.
 * It is how the second of two downloads learns of the first at once. That neither harms the other does not hang on it: their partial files have
 * names of their own (partial-file.ts). So where there can be no lock, none is asked for.
 * Errors: `transfer.destination-busy`.
 */
export async function lockDestination(path: string): Promise<Result<DestinationLock>> {
  const none = { release: () => undefined };
  const place = await canonicalPath(path);
  try {
    const folder = locksFolder();
    if (folder === null) return ok(none);
    const name = createHash('sha256').update(place).digest('hex').slice(0, 32);
    const taken = takeOwnLock(join(folder, name), place);
    if (taken.kind === 'held')
      return ok({
        release: () => {
          taken.lock.remove();
          removeWhereEmpty(folder);
        },
      });
    return fail(
      problem({
        code: 'transfer.destination-busy',
        op: 'download to',
        subject: path,
        message: `Another download goes to ${path} just now (process ${taken.by.process.pid}).`,
        hint: 'Wait for it, or end it first; or download to another folder.',
      }),
    );
  } catch (error) {
    if (errorCode(error) === '') throw error;
    return ok(none);
  }
}
