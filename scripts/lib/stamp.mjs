import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** Every file below the given paths, sorted. */
function filesBelow(paths) {
  return paths
    .flatMap((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat === undefined) return [];
      if (stat.isFile()) return [path];
      return filesBelow(readdirSync(path).map((name) => join(path, name)));
    })
    .sort();
}

/** A hash of the names and contents of everything below `paths`. */
export function hashOf(root, paths, ...extra) {
  const hash = createHash('sha256');
  for (const path of filesBelow(paths.map((name) => join(root, name)))) {
    hash.update(relative(root, path)).update('\0').update(readFileSync(path)).update('\0');
  }
  for (const text of extra) hash.update(text).update('\0');
  return hash.digest('hex');
}

export function readStamp(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

export function writeStamp(file, value) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, value);
}
