import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { sleep } from '../files.ts';
import { groupExists, sendSignal } from '../identity.ts';
import { isSame, membersOf, type KnownProcess, type Owner } from './belongs.ts';
import { cgroupMembers, killCgroup } from './cgroup.ts';
import { commandOf, readProcessTable, rowOf, type ProcessRow, type ProcessTable } from './table.ts';

/** A process that was left, and how it ended; null while it has not. */
export interface LeftProcess extends KnownProcess {
  readonly command: string;
  readonly how: 'asked' | 'killed' | 'stays' | null;
}

/** How often those that were asked are looked at, and how often new ones are looked for. Milliseconds. */
const LOOK_EVERY = 50;
const SEARCH_EVERY = 500;
/** What was never asked before has so long at the least, and the system so long to end what was killed. Milliseconds. */
const LEAST_GRACE = 2_000;
const KILL_TIME = 10_000;

/** Whose processes, and where else they are found. */
export interface Search extends Omit<Owner, 'inCgroup'> {
  /** The folder of the worker's control group. */
  readonly cgroup: string | null;
}

/** The processes that there are now. `thorough`: see membersOf. */
export function findProcesses(search: Search, thorough = true): readonly ProcessRow[] {
  return find(search, thorough).members;
}

interface Found {
  readonly members: readonly ProcessRow[];
  readonly table: ProcessTable;
  readonly inCgroup: ReadonlySet<number>;
}

function find(search: Search, thorough = true): Found {
  // First: what it names and the table does not has ended meanwhile.
  const inCgroup = thorough ? cgroupMembers(search.cgroup) : new Set<number>();
  const table = readProcessTable();
  const members = membersOf({ ...search, inCgroup }, table, { thorough, self: process.pid });
  return { members, table, inCgroup };
}

/**
 * Ends what is left of a worker or a run: each process is asked by `signal`, once, and has until the grace is over; what still runs then, and whatever it
 * starts meanwhile, is ended by SIGKILL. `tell` is called with all that was found, whenever there is more of it, and at the end.
 */
export async function endProcesses(
  search: Search,
  options: {
    readonly signal: NodeJS.Signals;
    /** Milliseconds. */
    readonly grace: number;
    /** Those that were asked already. */
    readonly asked?: readonly KnownProcess[];
    readonly tell: (found: readonly LeftProcess[]) => void;
  },
): Promise<readonly LeftProcess[]> {
  if (process.platform !== 'linux') return endGroup(search, options);
  const found: LeftProcess[] = [];
  const groups = new Set<number>();
  let until = performance.now() + options.grace;
  const findAll = (): Found & { readonly fresh: readonly KnownProcess[] } => {
    const all = find({ ...search, known: [...search.known, ...found] });
    const fresh = all.members
      .filter((row) => !isAmong(row, found))
      .map((row) => ({
        pid: row.pid,
        startTime: row.startTime,
        command: commandOf(all.table.detail(row)),
        how: null,
      }));
    found.push(...fresh);
    for (const group of ownGroups(all)) groups.add(group);
    if (fresh.length > 0) options.tell(found);
    return { ...all, fresh };
  };
  const look = (): readonly ProcessRow[] => {
    const { members, fresh } = findAll();
    for (const one of fresh) if (!isAmong(one, options.asked)) ask(one.pid, options.signal);
    return members;
  };
  let left = look();
  if (left.length === 0) return [];
  if (found.some((one) => !isAmong(one, options.asked)))
    until = Math.max(until, performance.now() + LEAST_GRACE);
  let searched = performance.now();
  while (left.length > 0 && performance.now() < until) {
    await sleep(LOOK_EVERY);
    const running = left.filter((row) => isSame(rowOf(row.pid) ?? NOBODY, row));
    const isDue = running.length === 0 || performance.now() - searched > SEARCH_EVERY;
    left = isDue ? look() : running;
    if (isDue) searched = performance.now();
  }
  const killed: KnownProcess[] = [];
  const end = performance.now() + KILL_TIME;
  // Once in any case: what forks faster than it is looked at may be in none of the looks, but it is in its group.
  do {
    const now = findAll();
    killAll(now, search.cgroup, groups);
    killed.push(...now.members);
    await sleep(LOOK_EVERY);
    left = findAll().members;
  } while (left.length > 0 && performance.now() < end);
  return found.map((one) => ({
    ...one,
    how: isAmong(one, left) ? 'stays' : isAmong(one, killed) ? 'killed' : 'asked',
  }));
}

/** Where the system does not tell its processes: what is in the process group of the worker. */
async function endGroup(
  { leader }: Search,
  {
    signal,
    grace,
    asked = [],
  }: { signal: NodeJS.Signals; grace: number; asked?: readonly KnownProcess[] },
): Promise<readonly LeftProcess[]> {
  if (leader === null || !groupExists(leader.pid)) return [];
  if (asked.length === 0) sendSignal(-leader.pid, signal);
  const until = performance.now() + Math.max(grace, LEAST_GRACE);
  while (groupExists(leader.pid) && performance.now() < until) await sleep(LOOK_EVERY);
  sendSignal(-leader.pid, 'SIGKILL');
  return [];
}

const NOBODY: KnownProcess = { pid: 0, startTime: '' };

const isAmong = (one: KnownProcess, others: readonly KnownProcess[] = []): boolean =>
  others.some((other) => isSame(one, other));

/**
 * One that is stopped takes a signal only once it goes on. A shell's background processes ignore SIGINT and SIGQUIT: what ignores the signal is asked by
 * SIGTERM.
 */
function ask(pid: number, signal: NodeJS.Signals): void {
  sendSignal(pid, ignores(pid, signal) ? 'SIGTERM' : signal);
  sendSignal(pid, 'SIGCONT');
}

/** Whether a process ignores a signal. */
export function ignores(pid: number, signal: NodeJS.Signals): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const mask = BigInt(`0x${/^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
    return ((mask >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
  } catch {
    return false;
  }
}

/** The groups of processes in which there is nothing else. */
function ownGroups({ members, table }: Found): readonly number[] {
  const pids = new Set(members.map(({ pid }) => pid));
  const shared = new Set(table.rows.flatMap((row) => (pids.has(row.pid) ? [] : [row.group])));
  return members.map(({ group }) => group).filter((group) => !shared.has(group));
}

/**
 * A group of processes is killed at one blow where all of it is to go, and so is a control group: what is forked meanwhile does not escape. The rest is
 * killed one by one.
 */
function killAll(
  { members, table, inCgroup }: Found,
  cgroup: string | null,
  groups: ReadonlySet<number>,
): void {
  const pids = new Set(members.map(({ pid }) => pid));
  const others = table.rows.filter(({ pid }) => !pids.has(pid));
  if (cgroup !== null && !others.some(({ pid }) => inCgroup.has(pid))) killCgroup(cgroup);
  for (const group of groups)
    if (!others.some((row) => row.group === group)) sendSignal(-group, 'SIGKILL');
  for (const row of members)
    if (isSame(rowOf(row.pid) ?? NOBODY, row)) sendSignal(row.pid, 'SIGKILL');
}
