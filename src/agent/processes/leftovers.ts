import {
  workerFamilySchema,
  workerLeftSchema,
  type WorkerLeft,
} from '../../shared/agent-protocol.ts';
import { LEFT_NAMED } from '../../shared/left-processes.ts';
import { stopSignalOf } from '../../shared/plan.ts';
import { workerExit, workerFamily, workerLeft } from '../../shared/run-directory.ts';
import { readJson, writeJsonAtomic } from '../files.ts';
import { bootId, isAlive } from '../identity.ts';
import { note, type JobRun } from '../run.ts';
import { readWorker } from '../workers.ts';
import { removeCgroup } from './cgroup.ts';
import { endProcesses, type LeftProcess, type Search } from './end.ts';

/** Tells in events what was left of a worker, each process once, and at the end what became of them. */
export class LeftTeller {
  readonly #run: JobRun;
  readonly #worker: number | null;
  #told: number;

  constructor(run: JobRun, worker: number | null, told = 0) {
    this.#run = run;
    this.#worker = worker;
    this.#told = told;
  }

  found(all: readonly LeftProcess[], signal: string, graceSeconds: number): void {
    const fresh = all.slice(this.#told);
    if (fresh.length === 0) return;
    this.#told = all.length;
    this.#run.events.append({
      kind: 'processes-left',
      worker: this.#worker,
      count: fresh.length,
      processes: fresh.slice(0, LEFT_NAMED).map(({ pid, command }) => ({ pid, command })),
      signal,
      graceSeconds,
    });
  }

  ended(all: readonly LeftProcess[]): void {
    const of = (how: LeftProcess['how']): readonly LeftProcess[] =>
      all.filter((one) => one.how === how);
    this.#run.events.append({
      kind: 'processes-ended',
      worker: this.#worker,
      asked: of('asked').length,
      killed: of('killed').length,
      stays: of('stays').length,
      processes: all
        .flatMap(({ pid, command, how }) =>
          how === 'killed' || how === 'stays' ? [{ pid, command, how }] : [],
        )
        .slice(0, LEFT_NAMED),
    });
  }
}

/** What a worker's supervisor wrote of what was left at the end of its start `start`. */
export function readLeft(run: JobRun, worker: number, start: number): WorkerLeft | null {
  const left = readJson(run.at(workerLeft(worker)), workerLeftSchema);
  return left?.exit.start === start ? left : null;
}

/** Where the processes of a worker are looked for; null: all of the run. Only what is known of this boot counts. */
function searchOf(run: JobRun, worker: number | null): Search {
  const search = { runId: run.plan.id, directory: run.directory, worker };
  if (worker === null) return { ...search, leader: null, known: [], cgroup: null };
  const { started } = readWorker(run, worker);
  const family = readJson(run.at(workerFamily(worker)), workerFamilySchema);
  const now = bootId();
  return {
    ...search,
    leader: started?.process.bootId === now ? started.process : null,
    known: family?.bootId === now && family.start === started?.start ? family.processes : [],
    cgroup: started?.process.bootId === now ? (started.cgroup ?? null) : null,
  };
}

/**
 * Ends what is left of a worker that nobody supervises any more, or of the whole run (null) once no worker runs, and tells it. Nothing of it runs
 * afterwards, but for what the system itself does not end.
 */
export async function endLeft(
  run: JobRun,
  worker: number | null,
  /** Those that were asked to end already are given what is left of their time, milliseconds. */
  rest: number = run.plan.stopGraceSeconds * 1_000,
): Promise<void> {
  const search = searchOf(run, worker);
  const teller = new LeftTeller(run, worker);
  const signal = stopSignalOf(run.plan);
  const left = await endProcesses(search, {
    signal,
    grace: rest,
    tell: (found) => teller.found(found, signal, Math.ceil(rest / 1_000)),
  });
  await removeCgroup(search.cgroup);
  if (left.length > 0) teller.ended(left);
}

/**
 * What earlier attempts left of workers that nobody supervises: it is ended before anything starts anew beside it. Of a supervisor that was ended while it
 * waited for what its worker had left, the worker's own end is kept.
 */
export async function endLeftOfEarlier(run: JobRun): Promise<void> {
  for (const worker of run.plan.workers.keys()) {
    const { supervisor, started, exit } = readWorker(run, worker);
    if (started === null || (supervisor !== null && isAlive(supervisor))) continue;
    if (exit === null && isAlive(started.process)) continue;
    await endLeft(run, worker);
    const left = exit === null ? readLeft(run, worker, started.start) : null;
    if (left !== null) writeJsonAtomic(run.at(workerExit(worker)), left.exit);
  }
  note('what earlier attempts had left was looked for');
}
