import { realpathSync } from 'node:fs';
import path from 'node:path';
import type { ProcessDetail, ProcessRow, ProcessTable } from './table.ts';

/** A process by pid and start time, of this boot. */
export type KnownProcess = Pick<ProcessRow, 'pid' | 'startTime'>;

/** Whose processes are looked for. */
export interface Owner {
  readonly runId: string;
  /** The run directory. */
  readonly directory: string;
  /** Null: whatever is the run's, its setup's too. */
  readonly worker: number | null;
  /** The worker's first process, which leads its session; it may be gone. Null where it is not known. */
  readonly leader: KnownProcess | null;
  /** What was seen to descend from it. */
  readonly known: readonly KnownProcess[];
  /** What is in its control group. */
  readonly inCgroup: ReadonlySet<number>;
}

const keyOf = ({ pid, startTime }: KnownProcess): string => `${pid} ${startTime}`;
export const isSame = (a: KnownProcess, b: KnownProcess): boolean => keyOf(a) === keyOf(b);

const AGENT_VERBS: ReadonlySet<string> = new Set([
  'start',
  'carry',
  'supervise',
  'probe',
  'version',
]);

/** The run directory that an agent program was started for ('' for none); null for another program. Agents of earlier versions are told the same way. */
export function agentOf({ arguments: words }: ProcessDetail): string | null {
  const [, program = '', verb = '', directory = ''] = words;
  return path.basename(program) === 'agent.mjs' && AGENT_VERBS.has(verb) ? directory : null;
}

/** Whose a process is by what it says itself: an agent, this owner's, another worker's or run's, or it does not say. */
type Says = 'agent' | 'ours' | 'theirs' | 'nothing';

/**
 * The processes of an owner. A process is one where its environment names run and worker; where it was seen to descend from the worker; where it is in the
 * worker's session, in its control group, or writes to its log; where it has cleared its environment and works in the run's folders; and where it descends
 * from such a one. Agents never are, those of other runs with all that descends from them: a worker may start jobs of its own. Pure.
 *
 * `thorough: false` looks at descendants and sessions alone, and reads next to nothing.
 */
export function membersOf(
  owner: Owner,
  { rows, detail }: ProcessTable,
  { thorough, self }: { readonly thorough: boolean; readonly self: number },
): readonly ProcessRow[] {
  const said = new Map<number, Says>();
  const saysOf = (row: ProcessRow): Says => {
    const before = said.get(row.pid);
    if (before !== undefined) return before;
    const says = row.pid === self ? 'agent' : saysItself(owner, detail(row));
    said.set(row.pid, says);
    return says;
  };
  const children = new Map<number, ProcessRow[]>();
  for (const row of rows) {
    const siblings = children.get(row.parent);
    if (siblings === undefined) children.set(row.parent, [row]);
    else siblings.push(row);
  }
  const others = new Set<number>();
  if (thorough)
    for (const row of rows)
      if (row.pid !== self && saysOf(row) === 'agent' && !isOwnAgent(owner, detail(row)))
        addBelow(row, children, others);
  const known = new Set(owner.known.map(keyOf));
  const sessions = new Set<number>();
  const leader = owner.leader;
  // Its number is not given to another session while one of its processes runs.
  if (leader !== null && rows.every((row) => row.pid !== leader.pid || isSame(row, leader)))
    sessions.add(leader.pid);
  const since = Number(leader?.startTime ?? 0);
  const isSeed = (row: ProcessRow): boolean => {
    if (leader !== null && isSame(row, leader)) return true;
    if (known.has(keyOf(row))) return true;
    if (sessions.has(row.session) && Number(row.startTime) >= since) return true;
    if (!thorough) return false;
    if (owner.inCgroup.has(row.pid) || saysOf(row) === 'ours') return true;
    const more = detail(row);
    return (
      writesToLog(owner, more) || (Number(row.startTime) >= since && isCleared(owner, row, more))
    );
  };
  const members = new Map<number, ProcessRow>();
  const add = (row: ProcessRow): void => {
    if (members.has(row.pid) || others.has(row.pid)) return;
    if (['agent', 'theirs'].includes(saysOf(row))) return;
    members.set(row.pid, row);
    for (const child of children.get(row.pid) ?? []) add(child);
    if (row.session === row.pid) for (const mate of rows) if (mate.session === row.pid) add(mate);
  };
  for (const row of rows) if (isSeed(row)) add(row);
  return [...members.values()];
}

const isOwnAgent = (owner: Owner, detail: ProcessDetail): boolean =>
  isOwnDirectory(owner, agentOf(detail) ?? '');

function addBelow(
  top: ProcessRow,
  children: ReadonlyMap<number, readonly ProcessRow[]>,
  found: Set<number>,
): void {
  for (const child of children.get(top.pid) ?? [])
    if (!found.has(child.pid)) {
      found.add(child.pid);
      addBelow(child, children, found);
    }
}

function saysItself(owner: Owner, detail: ProcessDetail): Says {
  if (agentOf(detail) !== null) return 'agent';
  const id = detail.environment?.get('TRAINYARD_JOB_ID');
  if (id === undefined) return 'nothing';
  if (id !== owner.runId || !isOfDirectory(owner, detail)) return 'theirs';
  if (owner.worker === null) return 'ours';
  return detail.environment?.get('TRAINYARD_WORKER') === String(owner.worker) ? 'ours' : 'theirs';
}

/** Whether the folders that its environment names lie in the run directory: two homes may have runs of one name. */
function isOfDirectory(owner: Owner, { environment }: ProcessDetail): boolean {
  const named = ['CHECKPOINT_PATH', 'OUTPUT_PATH', 'MODEL_PATH'].flatMap(
    (name) => environment?.get(`TRAINYARD_${name}`) ?? [],
  );
  return named.some((folder) => {
    if (isBelow(owner.directory, folder)) return true;
    const at = folder.indexOf(`/${owner.runId}/`);
    return at >= 0 && isOwnDirectory(owner, folder.slice(0, at + owner.runId.length + 1));
  });
}

function isOwnDirectory({ directory }: Owner, other: string): boolean {
  if (other === '') return false;
  if (path.resolve(other) === directory) return true;
  if (path.basename(other) !== path.basename(directory)) return false;
  try {
    return realpathSync(other) === realpathSync(directory);
  } catch {
    return false;
  }
}

const isBelow = (folder: string, file: string): boolean =>
  file === folder || file.startsWith(`${folder}/`);

function writesToLog({ directory, worker }: Owner, { outputs }: ProcessDetail): boolean {
  const pipe = logPipeName(worker === null ? '' : `worker-${worker}`);
  return outputs.some((name) => name.startsWith(`${directory}/logs/${pipe}`));
}

/** What the name of the pipe into a log begins with; for '' that into any. */
export const logPipeName = (log: string): string => `.trainyard-log-${log === '' ? '' : `${log}-`}`;

/** A user's own programs in the run's folders have a terminal, or at least a HOME. */
function isCleared(owner: Owner, row: ProcessRow, { environment, folder }: ProcessDetail): boolean {
  if (environment === null || folder === null || row.terminal || environment.has('HOME'))
    return false;
  const { directory, worker } = owner;
  const own =
    worker === null
      ? [directory]
      : ['workers/', 'output/worker-', 'checkpoints/worker-'].map(
          (name) => `${directory}/${name}${worker}`,
        );
  return own.some((each) => isBelow(each, folder));
}
