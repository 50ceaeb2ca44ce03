import { readFile } from 'node:fs/promises';
import {
  processIdentitySchema,
  sameProcess,
  startTimeFromStat,
  type ProcessIdentity,
} from '../../shared/process-identity.ts';
import { execute } from './execute.ts';

let bootId: Promise<string | null> | undefined;

/** The identity of this boot of the machine, or null where it cannot be told. */
function currentBootId(): Promise<string | null> {
  bootId ??=
    process.platform === 'linux'
      ? readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
          (text) => text.trim(),
          () => null,
        )
      : ask('/usr/sbin/sysctl', ['-n', 'kern.boottime']);
  return bootId;
}

async function ask(file: string, args: readonly string[]): Promise<string | null> {
  const executed = await execute(file, args, { env: { LC_ALL: 'C', TZ: 'UTC' }, timeoutMs: 5_000 });
  const text = executed.stdout.trim();
  return executed.exitCode === 0 && text !== '' ? text : null;
}

/** The identity of the process that has this pid now, or null when none runs. */
export async function identityOf(pid: number): Promise<ProcessIdentity | null> {
  const boot = await currentBootId();
  if (boot === null) return null;
  const startTime =
    process.platform === 'linux'
      ? await readFile(`/proc/${pid}/stat`, 'utf8').then(startTimeFromStat, () => null)
      : await ask('/bin/ps', ['-o', 'lstart=', '-p', String(pid)]);
  return startTime === null ? null : { pid, startTime, bootId: boot };
}

/** Whether this very process still runs: pid, start time and boot id together. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const now = await identityOf(identity.pid);
  return now !== null && sameProcess(now, identity);
}

/** Reads an identity from the text of a lock; null when it is torn or something else. */
export function parseIdentity(text: string): ProcessIdentity | null {
  try {
    const parsed = processIdentitySchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
