import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder and those above it that are missing, one by one, and does nothing where it is there. Throws what the system throws.
 *
 * Not by `recursive`: where the system says that the folder above is not there although it is (below `/proc`), Node.js 20 and 24 try for ever.
 */
export async function makeFolders(folder: string, mode = 0o777): Promise<void> {
  if (await isFolder(folder)) return;
  const above = dirname(folder);
  if (above !== folder) await makeFolders(above, mode);
  try {
    await mkdir(folder, { mode });
  } catch (error) {
    // Another program may have made it a moment ago.
    if (!(await isFolder(folder))) throw error;
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
