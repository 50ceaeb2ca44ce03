import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';

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

/** What a program's text follows: `-c`, `-lc`, `-e`, `--eval`. Other words that look like it hide what comes next as well. */
const BEFORE_TEXT = /^(-[A-Za-z]{0,3}[cep]|--eval|--print)$/;

/** The program of a command line, and its first argument that is no option; nothing of a program's text. Pure. */
export function shortCommand(words: readonly string[]): string | null {
  const [program, ...rest] = words;
  if (program === undefined || program === '') return null;
  const at = rest.findIndex((word) => word !== '' && !word.startsWith('-'));
  const first = rest[at];
  const parts =
    first === undefined || BEFORE_TEXT.test(rest[at - 1] ?? '') ? [program] : [program, first];
  return parts
    .map((part) => path.posix.basename(part))
    .join(' ')
    .slice(0, 80);
}

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

/** The name of a user in the text of `/etc/passwd`. Pure. */
export function userName(passwd: string, uid: number): string {
  const line = passwd.split('\n').find((one) => one.split(':')[2] === String(uid));
  return line?.split(':')[0] ?? `user ${uid}`;
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
