import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Whether two files or folders are the same, byte for byte. */
function isSame(a, b) {
  const [left, right] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false }));
  if (left === undefined || right === undefined || left.isDirectory() !== right.isDirectory())
    return false;
  if (!left.isDirectory())
    return left.size === right.size && readFileSync(a).equals(readFileSync(b));
  const names = readdirSync(a).sort();
  return (
    names.join('\0') === readdirSync(b).sort().join('\0') &&
    names.every((name) => isSame(join(a, name), join(b, name)))
  );
}

/**
 * Puts freshly made folders in the place of those that stand, each by renames: who reads there meets the old one or the new one, whole, and
 * what did not change stays as it is. `aside` is a folder on the same file system, for what is taken away; it is removed.
 *
 * @param {string} fresh the folder of the new ones
 * @param {string} place the folder of those that stand
 * @param {string} aside
 */
export function putInPlace(fresh, place, aside) {
  mkdirSync(aside, { recursive: true });
  for (const name of readdirSync(fresh)) {
    const target = join(place, name);
    if (isSame(join(fresh, name), target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    try {
      renameSync(target, join(aside, name));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    renameSync(join(fresh, name), target);
  }
  for (const folder of [fresh, aside]) rmSync(folder, { recursive: true, force: true });
}
