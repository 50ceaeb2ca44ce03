import { readFileSync, statSync } from 'node:fs';
import type { GpuUser } from '../../shared/gpus-awaited.ts';
import { shortCommand, userName } from '../../shared/process-words.ts';

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/**
 * Whose some processes are and what they run; one of which nothing is known, which is gone or another container's, is left out. `programs`: what
 * the driver calls them.
 */
export function usersOf(
  pids: readonly number[],
  programs: Readonly<Record<string, string>>,
): GpuUser[] {
  const passwd = textOf('/etc/passwd') ?? '';
  return pids.flatMap((pid) => {
    const uid = uidOf(pid);
    const words = uid === null ? null : (textOf(`/proc/${pid}/cmdline`)?.split('\0') ?? null);
    const named = programs[String(pid)];
    const program = (words && shortCommand(words)) ?? (named && shortCommand([named])) ?? null;
    const user = uid === null ? null : userName(passwd, uid);
    return user === null && program === null ? [] : [{ pid, user, program }];
  });
}

function uidOf(pid: number): number | null {
  try {
    return statSync(`/proc/${pid}`).uid;
  } catch {
    return null;
  }
}
