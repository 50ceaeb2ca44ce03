import { readFile, stat } from 'node:fs/promises';
import { shortCommand, userName } from '../../shared/process-words.ts';

export { shortCommand, userName } from '../../shared/process-words.ts';

/** Who runs a process, and what: as the kernel tells everybody on Linux. Elsewhere nothing is known. */
export interface ProcessOwner {
  readonly pid: number;
  /** A name, or `user 1001` where the machine has none for it. */
  readonly user: string | null;
  /** The program and what it was first given, without folders: `python train.py`. The rest may hold secrets. */
  readonly command: string | null;
  /** The processes that it comes from, its parent first. */
  readonly ancestors: readonly number[];
}

/** A process tree is not deeper; a pid that was used anew could lead in a circle. */
const DEEPEST = 64;

/** The parent's pid in the text of `/proc/PID/stat`; null where there is none. The name before it may hold anything. Pure. */
export function parentFromStat(text: string): number | null {
  const parent = Number(
    text
      .slice(text.lastIndexOf(')') + 1)
      .trim()
      .split(' ')[1],
  );
  return Number.isInteger(parent) && parent > 0 ? parent : null;
}

const textOf = (file: string): Promise<string | null> => readFile(file, 'utf8').catch(() => null);

/** Looks at some processes of this machine. One that is gone, or is another machine's or container's, is answered with nothing known. */
export async function processOwners(pids: readonly number[]): Promise<readonly ProcessOwner[]> {
  if (pids.length === 0) return [];
  const passwd = (await textOf('/etc/passwd')) ?? '';
  return Promise.all(
    pids.map(async (pid) => {
      const [uid, line] = await Promise.all([
        stat(`/proc/${pid}`).then(
          ({ uid: owner }) => owner,
          () => null,
        ),
        textOf(`/proc/${pid}/cmdline`),
      ]);
      return {
        pid,
        user: uid === null ? null : userName(passwd, uid),
        command: line === null ? null : shortCommand(line.split('\0')),
        ancestors: await ancestorsOf(pid),
      };
    }),
  );
}

async function ancestorsOf(pid: number): Promise<readonly number[]> {
  const ancestors: number[] = [];
  for (let at = pid; ancestors.length < DEEPEST;) {
    const text = await textOf(`/proc/${at}/stat`);
    const parent = text === null ? null : parentFromStat(text);
    if (parent === null) break;
    ancestors.push(parent);
    at = parent;
  }
  return ancestors;
}
