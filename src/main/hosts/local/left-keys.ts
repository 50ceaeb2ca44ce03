import { lstat, readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import { KEY_FOLDER_RUN, RUN } from '../../../shared/run-directory.ts';

const MEMORY_DISK = '/dev/shm';
const KEY_FOLDER = /^trainyard-[0-9a-f]{24}$/;
/** Records that are read at once. */
const AT_ONCE = 32;

const recordSchema = z.object({ folder: z.string() });

/**
 * Whether the key file of a run of this home lies on the memory disk although nothing of the run lives any more: its agent crashed. Costs a look at
 * that disk where no key file is there. Never throws.
 * @param isLive whether anything of a run still runs
 */
export async function hasLeftKeys(
  runs: string,
  isLive: (id: string) => Promise<boolean>,
): Promise<boolean> {
  for (const folder of await keyFolders())
    for (const id of await runsOf(runs, folder)) if (!(await isLive(id))) return true;
  return false;
}

/** This user's folders of key files. */
async function keyFolders(): Promise<readonly string[]> {
  const names = await readdir(MEMORY_DISK).catch(() => []);
  const found: string[] = [];
  for (const name of names.filter((one) => KEY_FOLDER.test(one))) {
    const stats = await lstat(join(MEMORY_DISK, name)).catch(() => null);
    if (stats?.isDirectory() === true && stats.uid === process.getuid?.())
      found.push(join(MEMORY_DISK, name));
  }
  return found;
}

/** Of which run of this home a folder is: it says so itself; of one that an earlier version made the runs are asked. */
async function runsOf(runs: string, folder: string): Promise<readonly string[]> {
  const run = await readFile(join(folder, KEY_FOLDER_RUN), 'utf8').catch(() => null);
  if (run !== null) return dirname(run) === runs ? [basename(run)] : [];
  const ids = await readdir(runs).catch(() => []);
  const found: string[] = [];
  for (let from = 0; from < ids.length; from += AT_ONCE)
    await Promise.all(
      ids.slice(from, from + AT_ONCE).map(async (id) => {
        const record = await readRecord(join(runs, id, RUN.keyFolderRecord));
        if (record === folder) found.push(id);
      }),
    );
  return found;
}

async function readRecord(file: string): Promise<string | null> {
  try {
    const parsed = recordSchema.safeParse(JSON.parse(await readFile(file, 'utf8')));
    return parsed.success ? parsed.data.folder : null;
  } catch {
    return null;
  }
}
