import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** One process that runs, as `/proc/<pid>/stat` tells it (proc(5)). */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Whether it has a controlling terminal. */
  readonly terminal: boolean;
  /** Clock ticks since boot. */
  readonly startTime: string;
}

/** What else is told of a process. Null, or empty, where this user may not read it. */
export interface ProcessDetail {
  readonly arguments: readonly string[];
  /** As it was when its program began. */
  readonly environment: ReadonlyMap<string, string> | null;
  readonly folder: string | null;
  /** What its stdout and stderr lead to. */
  readonly outputs: readonly string[];
}

/** The processes of this machine at one moment. */
export interface ProcessTable {
  readonly rows: readonly ProcessRow[];
  /** Read when it is asked for, and once. */
  readonly detail: (row: ProcessRow) => ProcessDetail;
}

const KERNEL_THREADS = 2;

/**
 * The row in the text of `/proc/<pid>/stat`; null for what runs no more, and for threads of the kernel. A process whose first thread has ended shows as
 * a zombie while others of its threads run. Pure.
 */
export function rowFromStat(pid: number, stat: string): ProcessRow | null {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, session, terminal] = fields;
  const threads = Number(fields[17]);
  const startTime = fields[19];
  if (startTime === undefined || !/^\d+$/.test(startTime)) return null;
  if (state === 'X' || (state === 'Z' && threads <= 1)) return null;
  if (pid === KERNEL_THREADS || Number(parent) === KERNEL_THREADS) return null;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    terminal: terminal !== '0',
    startTime,
  };
}

const NOTHING: ProcessDetail = { arguments: [], environment: null, folder: null, outputs: [] };

/** Reads the processes of this machine. Linux alone tells them; elsewhere there are none. */
export function readProcessTable(): ProcessTable {
  if (process.platform !== 'linux') return { rows: [], detail: () => NOTHING };
  const rows = readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const row = rowOf(Number(name));
    return row === null ? [] : [row];
  });
  const details = new Map<number, ProcessDetail>();
  return {
    rows,
    detail({ pid }) {
      const known = details.get(pid);
      if (known !== undefined) return known;
      const detail = readDetail(pid);
      details.set(pid, detail);
      return detail;
    },
  };
}

/** The row of one process; null where it runs no more, and where the system does not tell. */
export function rowOf(pid: number): ProcessRow | null {
  return rowFromStat(pid, readOr(`/proc/${pid}/stat`, ''));
}

/** The environment that a process began with; null where this user may not read it. */
export function environmentOf(pid: number): ReadonlyMap<string, string> | null {
  const environment = readOr(`/proc/${pid}/environ`, null);
  return environment === null ? null : parseEnvironment(environment);
}

function readDetail(pid: number): ProcessDetail {
  const folder = `/proc/${pid}`;
  return {
    arguments: splitAtNul(readOr(`${folder}/cmdline`, '')),
    environment: environmentOf(pid),
    folder: linkOr(`${folder}/cwd`),
    outputs: ['1', '2'].flatMap((name) => linkOr(`${folder}/fd/${name}`) ?? []),
  };
}

function readOr<T>(file: string, other: T): string | T {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // It is another user's, or gone.
    return other;
  }
}

function linkOr(file: string): string | null {
  try {
    return readlinkSync(file);
  } catch {
    return null;
  }
}

function parseEnvironment(text: string): ReadonlyMap<string, string> {
  return new Map(
    splitAtNul(text).flatMap((entry): [string, string][] => {
      const at = entry.indexOf('=');
      return at < 1 ? [] : [[entry.slice(0, at), entry.slice(at + 1)]];
    }),
  );
}

function splitAtNul(text: string): readonly string[] {
  const parts = text.split('\0');
  if (parts.at(-1) === '') parts.pop();
  return parts;
}

const LONGEST_COMMAND = 160;

/** The command of a process in one line, cut where it is long. */
export function commandOf({ arguments: words }: ProcessDetail): string {
  const line = words.join(' ').replace(/\s+/g, ' ').trim();
  if (line === '') return 'a program without a name';
  return line.length > LONGEST_COMMAND
    ? `${line.slice(0, LONGEST_COMMAND - 1).replace(/[\ud800-\udbff]$/, '')}…`
    : line;
}
