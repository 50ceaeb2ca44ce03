import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The Node.js 24 that `npm ci` brought for this platform, or null where the registry has none (then the running one serves). */
export function bundledNode() {
  const name = { linux: 'node-linux', darwin: 'node-bin-darwin' }[process.platform];
  if (name === undefined) return null;
  const path = join(root, 'node_modules', `${name}-${process.arch}`, 'bin', 'node');
  return existsSync(path) ? path : null;
}
