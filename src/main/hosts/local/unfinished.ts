import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Folders are made under such a name and then renamed: what keeps it was left by a program that was killed meanwhile. */
export const UNFINISHED = '.new-';

/** Nobody takes longer to make one. Milliseconds. */
const LONGEST = 60 * 60 * 1000;

/** Removes folders that were left unfinished long ago. What cannot be looked at or removed stays. */
export async function sweepUnfinished(folder: string, now = Date.now()): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(UNFINISHED))) {
    const path = join(folder, name);
    const changed = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => now,
    );
    if (now - changed > LONGEST)
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}
