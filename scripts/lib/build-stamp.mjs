import { join } from 'node:path';
import { root } from './root.mjs';
import { hashOf, readStamp, writeStamp } from './stamp.mjs';

const file = join(root, 'out', '.built');

/** Everything that the built programs are made of. */
export function sourceHash() {
  return hashOf(
    root,
    [
      'src',
      'scripts/build.mjs',
      'scripts/lib',
      'vite.config.renderer.ts',
      'package.json',
      'package-lock.json',
    ],
    process.platform,
    process.arch,
  );
}

export const buildIsCurrent = () => readStamp(file) === sourceHash();
export const markBuilt = (hash) => writeStamp(file, hash);
