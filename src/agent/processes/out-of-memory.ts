import { readFileSync } from 'node:fs';
import path from 'node:path';

/** How often the kernel has ended a process for lack of memory, by the file that counts it. */
export type OutOfMemoryCounts = Readonly<Record<string, number>>;

type Read = (file: string) => string | null;

const MACHINE = '/proc/vmstat';

/** The files that count for the control groups of a process: its own and those above it, in both versions of cgroups(7). Pure. */
export function memoryFiles(cgroup: string, mountinfo: string): readonly string[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '/', place = ''] = before.split(' ');
    const [type = '', , options = ''] = after.split(' ');
    const isMemory = type === 'cgroup' && options.split(',').includes('memory');
    if (type !== 'cgroup2' && !isMemory) return [];
    const own = isMemory
      ? /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$/m.exec(cgroup)?.[1]
      : /^0::(.*)$/m.exec(cgroup)?.[1];
    const inside = root === '/' ? '' : root;
    if (own === undefined || !own.startsWith(inside)) return [];
    const name = isMemory ? 'memory.oom_control' : 'memory.events';
    const files: string[] = [];
    for (let at = path.join('/', own.slice(inside.length)); ; at = path.dirname(at)) {
      files.push(path.join(place, at, name));
      if (at === '/') return files;
    }
  });
}

function countIn(text: string | null): number | null {
  const count = /^oom_kill (\d+)$/m.exec(text ?? '')?.[1];
  return count === undefined ? null : Number(count);
}

const readFile: Read = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
};

/** The counts as they are now, of this process's control groups and of the machine. Empty where the system has none. */
export function outOfMemoryCounts(read: Read = readFile): OutOfMemoryCounts {
  const files = memoryFiles(read('/proc/self/cgroup') ?? '', read('/proc/self/mountinfo') ?? '');
  return Object.fromEntries(
    [...files, MACHINE].flatMap((file): [string, number][] => {
      const count = countIn(read(file));
      return count === null ? [] : [[file, count]];
    }),
  );
}

/** Whether one of these counts has risen since. */
export function hasRisen(before: OutOfMemoryCounts, read: Read = readFile): boolean {
  return Object.entries(before).some(([file, count]) => (countIn(read(file)) ?? 0) > count);
}

/** Whether a command was ended as the kernel ends one for lack of memory, itself or what its shell ran; also where nobody saw how it ended. Pure. */
export function mayBeOutOfMemory(exit: {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stopped: boolean;
}): boolean {
  if (exit.stopped) return false;
  return (
    exit.signal === 'SIGKILL' || exit.exitCode === 137 || (exit.exitCode ?? exit.signal) === null
  );
}
