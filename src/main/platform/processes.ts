import { readFile } from 'node:fs/promises';
import {
  processIdentitySchema,
  sameProcess,
  startTimeFromStat,
  type ProcessIdentity,
} from '../../shared/process-identity.ts';
import { execute } from './execute.ts';

const linux = process.platform === 'linux';

let bootId: Promise<string | null> | undefined;

/** The identity of this boot of the machine, or null where it cannot be told. */
function currentBootId(): Promise<string | null> {
  bootId ??= linux
    ? readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
        (text) => text.trim(),
        () => null,
      )
    : ask('sysctl', ['-n', 'kern.boottime']);
  return bootId;
}

async function ask(file: string, args: readonly string[]): Promise<string | null> {
  const env = { ...process.env, LC_ALL: 'C' };
  const executed = await execute(file, args, { env, timeoutMs: 5_000 });
  const text = executed.stdout.trim();
  return executed.exitCode === 0 && text !== '' ? text : null;
}

/** What the process table says of a pid; null for none and for a zombie, which runs no more. */
async function startTimeOf(pid: number): Promise<string | null> {
  if (linux) return readFile(`/proc/${pid}/stat`, 'utf8').then(startTimeFromStat, () => null);
  const answer = await ask('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]);
  if (answer === null || answer.startsWith('Z')) return null;
  return answer.slice(answer.indexOf(' ') + 1).trim();
}

/** The identity of the process that has this pid now, or null when none runs. */
export async function identityOf(pid: number): Promise<ProcessIdentity | null> {
  const [boot, startTime] = await Promise.all([currentBootId(), startTimeOf(pid)]);
  return boot === null || startTime === null ? null : { pid, startTime, bootId: boot };
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
