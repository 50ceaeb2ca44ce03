import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The Node.js that agents need. */
const MAJOR = 24;

/**
 * The Node.js program to place with agents: the one that the application ships (`<folder>/node`), the one installed as a package, or the one
 * that runs now, if it is new enough and no Electron. Null where there is none.
 * @param folders where to look, in this order: an application's resources, a `node_modules`.
 */
export function nodeRuntimeFor(folders: readonly string[]): string | null {
  const packages = [
    `node-${process.platform}-${process.arch}`,
    `node-bin-${process.platform}-${process.arch}`,
  ];
  const program = process.platform === 'win32' ? 'node.exe' : 'node';
  const candidates = folders.flatMap((folder) => [
    join(folder, program),
    ...packages.map((name) => join(folder, name, 'bin', program)),
  ]);
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  const isElectron = process.versions['electron'] !== undefined;
  const major = Number(process.versions.node.split('.')[0]);
  return !isElectron && major >= MAJOR ? process.execPath : null;
}
