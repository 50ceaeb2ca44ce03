import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { sleep } from '../files.ts';

/**
 * A control group of its own for each worker, where the system lets this user make one (cgroups(7), version 2): what is in it cannot leave it unseen, and
 * it can be ended at one blow. It limits nothing. Where none can be made, workers run without.
 */

const OURS = 'trainyard-';

/** Where the group that `/proc/self/cgroup` names lies in the file system, told from that and `/proc/self/mountinfo`; null where there is none. Pure. */
export function cgroupFolder(cgroup: string, mountinfo: string): string | null {
  const own = /^0::(.*)$/m.exec(cgroup)?.[1];
  if (own === undefined) return null;
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    if (!after.startsWith('cgroup2 ')) continue;
    const [, , , root = '/', place = ''] = before.split(' ');
    if (root === '/') return path.join(place, own);
    if (own === root || own.startsWith(`${root}/`)) return path.join(place, own.slice(root.length));
  }
  return null;
}

function ownFolder(): string | null {
  if (process.platform !== 'linux') return null;
  try {
    return cgroupFolder(
      readFileSync('/proc/self/cgroup', 'utf8'),
      readFileSync('/proc/self/mountinfo', 'utf8'),
    );
  } catch {
    return null;
  }
}

function moveTo(folder: string, pid: number): void {
  writeFileSync(path.join(folder, 'cgroup.procs'), String(pid));
}

/** Makes the group of a worker and moves a process into it, before that begins. Its folder, or null where the system refuses. */
export function placeInCgroup(directory: string, worker: number, pid: number): string | null {
  const own = ownFolder();
  if (own === null) return null;
  const sum = createHash('sha256').update(directory).digest('hex').slice(0, 8);
  const folder = path.join(own, `${OURS}${path.basename(directory)}-${worker}-${sum}`);
  try {
    if (!existsSync(folder)) mkdirSync(folder);
    moveTo(folder, pid);
    return folder;
  } catch {
    void removeCgroup(folder);
    return null;
  }
}

/** An agent that a worker started is none of that worker's: it leaves the group. */
export function leaveWorkersCgroup(): void {
  const own = ownFolder();
  const at = own?.indexOf(`/${OURS}`) ?? -1;
  if (own === null || at < 0) return;
  try {
    moveTo(own.slice(0, at), process.pid);
  } catch {
    // It stays, and is told by its command.
  }
}

/** The pids in a group and in those below it. */
export function cgroupMembers(folder: string | null): ReadonlySet<number> {
  const found = new Set<number>();
  const look = (at: string): void => {
    try {
      for (const line of readFileSync(path.join(at, 'cgroup.procs'), 'utf8').split('\n'))
        if (line !== '') found.add(Number(line));
      for (const entry of readdirSync(at, { withFileTypes: true }))
        if (entry.isDirectory()) look(path.join(at, entry.name));
    } catch {
      // It is gone.
    }
  };
  if (folder !== null) look(folder);
  return found;
}

/** Ends all that is in a group at once; false where the system cannot. */
export function killCgroup(folder: string): boolean {
  try {
    writeFileSync(path.join(folder, 'cgroup.kill'), '1');
    return true;
  } catch {
    return false;
  }
}

/** How long what has ended may keep its group, milliseconds. */
const GOING = 500;

/** An empty one goes; one in which something runs stays. */
export async function removeCgroup(folder: string | null): Promise<void> {
  if (folder === null || !path.basename(folder).startsWith(OURS)) return;
  for (const until = performance.now() + GOING; ;) {
    try {
      rmdirSync(folder);
      return;
    } catch {
      if (!existsSync(folder) || performance.now() > until || cgroupMembers(folder).size > 0)
        return;
      await sleep(20);
    }
  }
}
