import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
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

function startTimeOf(pid: number): string | null {
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

/** Sends a signal to a process, or with a negative pid to its group; false where there is none. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Whether a process group has members (zombies count). */
export function groupExists(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/**
 * Kills what is left of the process group that `leader` led. The group's number may have been given to a stranger since;
 * it is taken for ours when the leader still runs, or when nobody leads it and its members were all started after our leader, in this boot.
 */
export function killGroupOf(leader: ProcessIdentity): void {
  if (leader.bootId !== bootId()) return;
  if (isAlive(leader)) {
    sendSignal(-leader.pid, 'SIGKILL');
    return;
  }
  if (!linux || identityOf(leader.pid) !== null) return;
  for (const pid of groupMembers(leader.pid)) {
    const started = startTimeOf(pid);
    if (started !== null && Number(started) >= Number(leader.startTime)) sendSignal(pid, 'SIGKILL');
  }
}

/** The pids whose process group and session are `group`, from `/proc` (Linux). */
function groupMembers(group: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return fields[2] === String(group) && fields[3] === String(group);
      } catch {
        return false;
      }
    });
}
