import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { identityOf, isAlive } from '../../src/agent/identity.ts';
import type { ProcessIdentity } from '../../src/shared/process-identity.ts';

/** The identity in `lock`, `pid.json` (the process itself) or `started.json` (its field `process`); null where it cannot be read. */
export function identityIn(file: string): ProcessIdentity | null {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as
      ProcessIdentity | { readonly process: ProcessIdentity };
    return 'process' in value ? value.process : value;
  } catch {
    return null;
  }
}

/** Kills exactly this process; whether it was still there. */
export function killExactly(identity: ProcessIdentity | null): boolean {
  if (identity === null || !isAlive(identity)) return false;
  try {
    process.kill(identity.pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** The children of a process, started by its main thread (Linux). */
export const childrenOf = (pid: number): readonly number[] =>
  read(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter((text) => text !== '')
    .map(Number);

export const argumentsOf = (pid: number): readonly string[] =>
  read(`/proc/${pid}/cmdline`).split('\0');

/** The program that a process runs; empty where it is gone or another user's. */
export const executableOf = (pid: number): string => {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
};

/** Children, their children and so on. */
export function descendantsOf(pid: number): readonly number[] {
  const parents = allProcesses().map((one): readonly [number, number] => {
    // The name before the last bracket may hold anything: `pid (name) state ppid ...`.
    const fields = read(`/proc/${one}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ');
    return [one, Number(fields[1])];
  });
  const below = (parent: number): readonly number[] =>
    parents.flatMap(([one, of]) => (of === parent ? [one, ...below(one)] : []));
  return below(pid);
}

const allProcesses = (): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

export interface Found {
  readonly identity: ProcessIdentity;
  readonly command: string;
}

/** The processes whose arguments or working directory name a folder; zombies do not count. */
export function processesIn(folder: string, except: readonly number[] = []): readonly Found[] {
  return allProcesses()
    .filter((pid) => pid !== process.pid && !except.includes(pid))
    .flatMap((pid) => {
      const command = argumentsOf(pid).join(' ').trim();
      let at = '';
      try {
        at = readlinkSync(`/proc/${pid}/cwd`);
      } catch {
        // It has just gone.
      }
      if (!command.includes(folder) && at !== folder && !at.startsWith(`${folder}/`)) return [];
      const identity = identityOf(pid);
      return identity === null ? [] : [{ identity, command }];
    });
}
