import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Debian's `nobody`. */
export const NOBODY = 65_534;

/** Runs what follows as {@link NOBODY}: arguments of `setpriv`. */
export const AS_NOBODY: readonly string[] = [
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  '--clear-groups',
];

/**
 * Why a test that gives up root cannot be tried here; null where it can. Permission tests prove nothing as root, and another user
 * must be able to read this checkout (a checkout in root's home folder is closed to others) and its Node.js.
 */
export function cannotDropPrivileges(): string | null {
  if (process.getuid?.() !== 0) return 'needs root, to give it up';
  const script = `import(${JSON.stringify(import.meta.url)}).then(() => process.exit(0), () => process.exit(1))`;
  const tried = spawnSync('setpriv', [...AS_NOBODY, process.execPath, '-e', script], { cwd: '/' });
  if (tried.error !== undefined) return 'needs setpriv';
  return tried.status === 0
    ? null
    : `${fileURLToPath(new URL('../..', import.meta.url))} is closed to other users`;
}
