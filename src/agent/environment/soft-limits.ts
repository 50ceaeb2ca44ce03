import { readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';

/** One limit as `ulimit -S` takes it: its letter, and its value in the shell's units or `unlimited`. */
export type SoftLimit = readonly [flag: string, value: string];

/** The limits that a shell may set for what it starts, as `/proc/PID/limits` names them: the letter of bash's `ulimit`, and bytes in its unit. */
const LIMITS: readonly (readonly [name: string, flag: string, unit: number])[] = [
  ['Max open files', 'n', 1],
  ['Max stack size', 's', 1_024],
  ['Max core file size', 'c', 1_024],
  ['Max processes', 'u', 1],
  ['Max locked memory', 'l', 1_024],
  ['Max address space', 'v', 1_024],
  ['Max data size', 'd', 1_024],
  ['Max file size', 'f', 1_024],
  ['Max cpu time', 't', 1],
];

/** The soft limits that a text as that of `/proc/PID/limits` tells, by letter. Pure. */
export function parseLimits(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, flag, unit] of LIMITS) {
    const soft = new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(text)?.[1];
    if (soft === 'unlimited') found.set(flag, soft);
    else if (soft !== undefined && /^\d+$/.test(soft))
      found.set(flag, String(Math.floor(Number(soft) / unit)));
  }
  return found;
}

/** Those of a login shell that a process of ours does not have. Pure. */
export function limitsToSet(
  wanted: ReadonlyMap<string, string>,
  own: ReadonlyMap<string, string>,
): readonly SoftLimit[] {
  return [...wanted].filter(([flag, value]) => own.get(flag) !== value);
}

/** Of a process; nothing where the system does not tell (Linux does). */
export function limitsOf(pid: number | 'self'): ReadonlyMap<string, string> {
  try {
    return parseLimits(readFileSync(`/proc/${pid}/limits`, 'utf8'));
  } catch {
    return new Map();
  }
}

/** Node.js and Electron raise the soft limit of open files to the hard one at their start, and so do our own programs made of them. */
const RAISES = /^(node|nodejs|electron|trainyard)/i;

/**
 * How many files a program may open that the user starts: the soft limit of the nearest process above this one that is no Node.js, such as the
 * shell. Null where none can be found.
 */
export function openFilesAbove(pid: number = process.ppid): string | null {
  for (let at = pid, steps = 0; at > 0 && steps < 64; steps += 1) {
    try {
      if (!isRaised(at)) return limitsOf(at).get('n') ?? null;
      const stat = readFileSync(`/proc/${at}/stat`, 'utf8');
      at = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    } catch {
      return null;
    }
  }
  return null;
}

function isRaised(pid: number): boolean {
  try {
    const program = readlinkSync(`/proc/${pid}/exe`);
    return program === readlinkSync('/proc/self/exe') || RAISES.test(path.basename(program));
  } catch {
    // That of another user: sshd, login.
    return false;
  }
}
