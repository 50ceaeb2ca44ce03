import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  sameProcess,
  startTimeFromStat,
  type ProcessIdentity,
} from '../shared/process-identity.ts';

const linux = process.platform === 'linux';

let knownBootId: string | undefined;

/** The boot of this machine: see {@link ProcessIdentity}. Constant while this process lives. */
export function bootId(): string {
  knownBootId ??= linux
    ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    : execFileSync('sysctl', ['-n', 'kern.boottime'], { encoding: 'utf8' }).trim();
  return knownBootId;
}

/** What the process table says of a pid: when it was started; null for none and for a zombie, which runs no more. */
export function startTimeOf(pid: number): string | null {
  try {
    if (linux) return startTimeFromStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    const answer = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    }).trim();
    const space = answer.indexOf(' ');
    return answer === '' || answer.startsWith('Z') ? null : answer.slice(space + 1).trim();
  } catch {
    return null;
  }
}

/** The process that has this pid now, or null where none runs under it. */
export function identityOf(pid: number): ProcessIdentity | null {
  const startTime = startTimeOf(pid);
  return startTime === null ? null : { pid, startTime, bootId: bootId() };
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  const own = identityOf(process.pid);
  if (own === null) throw new Error('this process has no entry in the process table');
  return own;
}

/** Whether exactly this process still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootId()) return false;
  const now = identityOf(identity.pid);
  return now !== null && sameProcess(now, identity);
}
