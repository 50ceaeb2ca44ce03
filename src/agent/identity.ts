import { readdirSync, readFileSync } from 'node:fs';
import type { ProcessIdentity } from '../shared/process-identity.ts';
import { bootId, identityOf, isAlive, startTimeOf } from '../transfer/identity.ts';

export { bootId, identityOf, isAlive, ownIdentity } from '../transfer/identity.ts';

const linux = process.platform === 'linux';

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
