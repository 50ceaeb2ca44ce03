import { randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Besides the one in use: the newest that stay although nothing uses them. */
const KEEP = 2;

/**
 * Removes agents that no live run uses, but for the newest ones. Leaves everything that it cannot judge.
 * @param isLive whether anything of a run still runs: its agent or the supervisor of a worker.
 */
export async function cleanAgents(
  agents: string,
  current: string,
  isLive: (id: string) => Promise<boolean>,
): Promise<void> {
  const versions = (await readdir(agents)).filter(
    (name) => !name.startsWith('.') && name !== current,
  );
  const dated = await Promise.all(
    versions.map(async (name) => ({ name, time: (await stat(join(agents, name))).mtimeMs })),
  );
  const old = dated.sort((a, b) => b.time - a.time).slice(KEEP);
  for (const { name } of old) {
    const users = await readdir(join(agents, name, 'used')).catch(() => null);
    if (users === null) continue;
    const live = await Promise.all(users.map(isLive));
    if (live.includes(true)) continue;
    const aside = join(agents, `.old-${name}-${randomBytes(4).toString('hex')}`);
    await rename(join(agents, name), aside);
    await rm(aside, { recursive: true, force: true });
  }
}
