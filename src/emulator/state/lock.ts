import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  linkSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  processIdentitySchema,
  sameProcess,
  startTimeFromStat,
  type ProcessIdentity,
} from '../../shared/process-identity.ts';

const LOCK = 'lock';
const linux = process.platform === 'linux';

function output(program: string, argv: readonly string[]): string {
  try {
    const env = { ...process.env, LC_ALL: 'C' };
    return execFileSync(program, argv, { encoding: 'utf8', env, stdio: 'pipe' }).trim();
  } catch {
    return '';
  }
}

/** The process that has this pid now; null: none. */
function identityOf(pid: number): ProcessIdentity | null {
  try {
    const startTime = linux
      ? startTimeFromStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
      : output('ps', ['-o', 'lstart=', '-p', String(pid)]);
    if (startTime === null || startTime === '') return null;
    const bootId = linux
      ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
      : output('sysctl', ['-n', 'kern.boottime']);
    return { pid, startTime, bootId };
  } catch {
    return null;
  }
}

/** Whose lock the text is; null: it is none, or its process is gone. */
function livingHolder(text: string): ProcessIdentity | null {
  try {
    const holder = processIdentitySchema.parse(JSON.parse(text));
    const now = identityOf(holder.pid);
    return now !== null && sameProcess(now, holder) ? holder : null;
  } catch {
    return null;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/**
 * Takes the lock of a folder, in force until {@link releaseLock} or the death of this process, however that comes. `null`: taken; else the pid of
 * the process that has it. Throws where the folder cannot be written.
 */
export function takeLock(folder: string): number | null {
  const own = identityOf(process.pid) ?? { pid: process.pid, startTime: '', bootId: '' };
  const path = join(folder, LOCK);
  const mine = `${path}.${randomUUID()}`;
  writeFileSync(mine, JSON.stringify(own), { mode: 0o600, flag: 'wx' });
  try {
    // Each round ends a lock whose process is gone; two at once cannot both win, because a link is made once.
    for (;;) {
      try {
        linkSync(mine, path);
        return null;
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      }
      const text = read(path);
      if (text === null) continue;
      const holder = livingHolder(text);
      if (holder !== null) return holder.pid;
      const aside = `${path}.${randomUUID()}`;
      try {
        renameSync(path, aside);
      } catch {
        continue;
      }
      // Another one was quicker, and this is its lock: it gets it back.
      const moved = read(aside) ?? '';
      const other = moved === text ? null : livingHolder(moved);
      if (other !== null) renameSync(aside, path);
      else rmSync(aside, { force: true });
    }
  } finally {
    unlinkSync(mine);
  }
}

/** Gives the lock back where this process has it. */
export function releaseLock(folder: string): void {
  const path = join(folder, LOCK);
  const text = read(path);
  if (text !== null && livingHolder(text)?.pid === process.pid) rmSync(path, { force: true });
}

/** Temporary folders of emulators, as mkdtemp names them. */
export const TEMPORARY_PREFIX = 'trainyard-emulator-';
const TEMPORARY_NAME = /^trainyard-emulator-[A-Za-z0-9]{6}$/;
const ABANDONED_AFTER = 3_600_000;

/** Removes the temporary folders that killed emulators of this user left in `parent`. */
export function sweepTemporary(parent: string): void {
  for (const name of readdirSync(parent)) {
    if (!TEMPORARY_NAME.test(name)) continue;
    const folder = join(parent, name);
    try {
      const found = lstatSync(folder);
      if (!found.isDirectory() || found.uid !== process.getuid?.()) continue;
      const text = read(join(folder, LOCK));
      if (text !== null && livingHolder(text) === null)
        rmSync(folder, { recursive: true, force: true });
      // Killed before it had its lock: an empty folder, which rmdir alone removes.
      else if (text === null && Date.now() - found.mtimeMs > ABANDONED_AFTER) rmdirSync(folder);
    } catch {
      // Another emulator swept it, or it is none of ours after all.
    }
  }
}
