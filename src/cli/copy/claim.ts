import { createHash } from 'node:crypto';
import { readdir, rm, rmdir, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { diskProblem } from '../../transfer/disk.ts';
import type { LockAnswer } from '../../transfer/lock.ts';
import { makeFolders } from '../../transfer/make-folders.ts';
import { takeOwnLock } from '../../transfer/own-lock.ts';
import { UNPACKED_FORMS } from '../../transfer/unpacked-forms.ts';

/** The place of one copy's journals, so that it goes on where it stopped when it is started again. */
export interface Claim {
  readonly folder: string;
  /** Ends the claim; with `finished` the journals go, too, but for what unpacked objects are known by: a second copy asks for it. */
  release(finished: boolean): Promise<void>;
}

/** Behind the name of a copy: its lock, beside the journals, which go at the end. */
const LOCK_SUFFIX = '.lock';
/** Milliseconds that journals are kept: sessions of uploads live a week. */
const KEPT = 30 * 24 * 3_600_000;

const lockOf = (folder: string): LockAnswer => takeOwnLock(`${folder}${LOCK_SUFFIX}`, folder);

/**
 * Claims the journals of the copy from `source` to `target`.
 * Errors: `input.copy-is-running` while another process has them, `transfer.no-room` and the like where the home's disk refuses.
 */
export async function claimJournals(
  home: string,
  source: string,
  target: string,
): Promise<Result<Claim>> {
  const name = createHash('sha256').update(`${source}\0${target}`).digest('hex').slice(0, 24);
  const folder = path.join(home, 'copies', name);
  try {
    return await claim(folder, target);
  } catch (error) {
    if (error instanceof Error && 'syscall' in error)
      return fail(diskProblem(error, { op: 'keep the journal of the copy in', subject: home }));
    throw error;
  }
}

async function claim(folder: string, target: string): Promise<Result<Claim>> {
  const taken = lockOf(folder);
  if (taken.kind === 'busy')
    return fail(
      problem({
        code: 'input.copy-is-running',
        op: 'copy',
        subject: target,
        message: `Another process is doing the same copy: ${taken.by.process.pid}.`,
        hint: 'Wait for it, or end it first.',
      }),
    );
  try {
    await makeFolders(folder, 0o700);
    await utimes(folder, new Date(), new Date());
    await sweep(path.dirname(folder));
  } catch (error) {
    taken.lock.remove();
    throw error;
  }
  return ok({
    folder,
    release: async (finished) => {
      try {
        if (finished)
          for (const name of await readdir(folder))
            if (name !== UNPACKED_FORMS)
              await rm(path.join(folder, name), { recursive: true, force: true });
        // Where nothing was begun, or nothing is kept, there is nothing to go on with.
        await rmdir(folder).catch(() => undefined);
      } finally {
        taken.lock.remove();
      }
    },
  });
}

/** Forgets the journals of copies that nobody took up again for {@link KEPT}, and locks that the dead left. */
async function sweep(all: string): Promise<void> {
  const isOld = async (file: string): Promise<boolean> => {
    const status = await stat(file).catch(() => null);
    return status === null || Date.now() - status.mtimeMs > KEPT;
  };
  const names = new Set((await readdir(all)).map((name) => path.basename(name, LOCK_SUFFIX)));
  for (const folder of [...names].map((name) => path.join(all, name))) {
    if (!(await isOld(folder)) || !(await isOld(`${folder}${LOCK_SUFFIX}`))) continue;
    const taken = lockOf(folder);
    if (taken.kind === 'busy') continue;
    await rm(folder, { recursive: true, force: true });
    taken.lock.remove();
  }
}
