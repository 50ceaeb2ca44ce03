import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { identityOf, isAlive, parseIdentity } from '../../main/platform/processes.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';

/** The place of one copy's journals, so that it goes on where it stopped when it is started again. */
export interface Claim {
  readonly folder: string;
  /** Ends the claim; with `finished` the journals go, too. */
  release(finished: boolean): Promise<void>;
}

const HOLDER = 'holder.json';
/** Milliseconds that journals are kept: sessions of uploads live a week. */
const KEPT = 30 * 24 * 3_600_000;

/** Claims the journals of the copy from `source` to `target`. Errors: `input.copy-is-running` while another process has them. */
export async function claimJournals(
  home: string,
  source: string,
  target: string,
): Promise<Result<Claim>> {
  const name = createHash('sha256').update(`${source}\0${target}`).digest('hex').slice(0, 24);
  const folder = path.join(home, 'copies', name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await utimes(folder, new Date(), new Date());
  await sweep(path.dirname(folder));
  const holder = path.join(folder, HOLDER);
  const own = await identityOf(process.pid);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      await writeFile(holder, JSON.stringify(own), { flag: 'wx', mode: 0o600 });
      return ok({
        folder,
        release: async (finished) => {
          await rm(finished ? folder : holder, { recursive: true, force: true });
          // Where nothing was begun there is nothing to go on with.
          if (!finished) await rmdir(folder).catch(() => undefined);
        },
      });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      const other = parseIdentity(await readFile(holder, 'utf8').catch(() => ''));
      if (other !== null && (await isAlive(other))) break;
      await rm(holder, { force: true });
    }
  }
  return fail(
    problem({
      code: 'input.copy-is-running',
      op: 'copy',
      subject: target,
      message: 'Another process is doing the same copy.',
      hint: 'Wait for it, or end it first.',
    }),
  );
}

/** Forgets the journals of copies that nobody took up again for {@link KEPT}. */
async function sweep(all: string): Promise<void> {
  for (const name of await readdir(all)) {
    const folder = path.join(all, name);
    const status = await stat(folder).catch(() => null);
    if (status !== null && Date.now() - status.mtimeMs > KEPT)
      await rm(folder, { recursive: true, force: true });
  }
}
