import type { WorkerExit } from '../../shared/agent-protocol.ts';
import type { ProcessIdentity } from '../../shared/process-identity.ts';
import { stopSignalOf } from '../../shared/plan.ts';
import { workerExit } from '../../shared/run-directory.ts';
import { sleep, writeJsonAtomic } from '../files.ts';
import { bootId, isAlive, killGroupOf, sendSignal } from '../identity.ts';
import { endLeft, LeftTeller, readLeft } from '../processes/leftovers.ts';
import { hasRisen, mayBeOutOfMemory } from '../processes/out-of-memory.ts';
import type { JobRun } from '../run.ts';
import { isLogFull, readWorker } from '../workers.ts';

/** A worker's records are looked at often at first, then at this pace. Milliseconds. */
const PACE = { first: 20, last: 400, perWorker: 4, step: 1.25 };

/**
 * Follows one worker to its end and tells it in events, each thing once over all attempts. Asks its supervisor to stop it when the run is stopped.
 * Null where the worker never began (its supervisor was stopped or killed before).
 */
export async function followWorker(
  run: JobRun,
  worker: number,
  options: { readonly adopted: boolean },
): Promise<WorkerExit | null> {
  const teller = new Teller(run, worker, options.adopted);
  const slowest = Math.max(PACE.last, PACE.perWorker * run.plan.workers.length);
  let pace = PACE.first;
  let asked: ProcessIdentity | null = null;
  for (;;) {
    const alive = isCarried(run, worker);
    const files = readWorker(run, worker);
    teller.look();
    if (files.exit !== null) {
      teller.ended(files.exit);
      return files.exit;
    }
    if (!alive) {
      if (files.started === null) return null;
      const lost = await endOrphan(run, worker, files.started.process);
      const { start } = files.started;
      const stopped = lost === 'stopped';
      const unseen = { exitCode: null, signal: null, stopped };
      const isMemory =
        mayBeOutOfMemory(unseen) &&
        files.started.process.bootId === bootId() &&
        hasRisen(files.started.outOfMemory ?? {});
      const exit: WorkerExit = readLeft(run, worker, start)?.exit ?? {
        ...unseen,
        start,
        time: new Date().toISOString(),
        ...(isMemory ? { outOfMemory: true } : {}),
      };
      // The supervisor may have written its record at the last moment.
      const record = readWorker(run, worker).exit ?? exit;
      if (record === exit) writeJsonAtomic(run.at(workerExit(worker)), exit);
      teller.ended(record);
      return record;
    }
    if (run.stop.asked.aborted && files.supervisor !== null && asked !== files.supervisor) {
      if (asked?.pid !== files.supervisor.pid) sendSignal(files.supervisor.pid, 'SIGTERM');
      asked = files.supervisor;
    }
    await sleep(pace, run.stop.asked.aborted ? undefined : run.stop.asked);
    pace = Math.min(slowest, pace * PACE.step);
  }
}

function isCarried(run: JobRun, worker: number): boolean {
  const { supervisor } = readWorker(run, worker);
  return supervisor !== null && isAlive(supervisor);
}

/**
 * A worker whose supervisor is gone: its exit cannot be learned. Waits for its end, or ends it when the run is stopped; then ends what is left of its
 * processes.
 */
async function endOrphan(
  run: JobRun,
  worker: number,
  leader: ProcessIdentity,
): Promise<'gone' | 'stopped'> {
  const grace = run.plan.stopGraceSeconds * 1_000;
  let since: number | null = null;
  while (isAlive(leader)) {
    if (run.stop.asked.aborted) {
      if (since === null) {
        since = performance.now();
        sendSignal(-leader.pid, stopSignalOf(run.plan));
      }
      if (performance.now() - since > grace) sendSignal(-leader.pid, 'SIGKILL');
    }
    await sleep(100);
  }
  const spent = since === null ? 0 : performance.now() - since;
  await endLeft(run, worker, Math.max(0, grace - spent));
  if (process.platform !== 'linux') killGroupOf(leader);
  return since === null ? 'gone' : 'stopped';
}

/** Tells what becomes of one worker, leaving out what earlier attempts told. */
class Teller {
  readonly #run: JobRun;
  readonly #worker: number;
  #startTold: number;
  #logFullTold: boolean;
  #adopted: boolean;
  readonly #left: LeftTeller;

  constructor(run: JobRun, worker: number, adopted: boolean) {
    const history = run.history.worker(worker);
    this.#run = run;
    this.#worker = worker;
    this.#startTold = history.start;
    this.#logFullTold = history.logFullTold;
    this.#adopted = adopted;
    this.#left = new LeftTeller(run, worker, history.leftTold);
  }

  look(): void {
    const { started } = readWorker(this.#run, this.#worker);
    const left = started === null ? null : readLeft(this.#run, this.#worker, started.start);
    const worker = this.#worker;
    if (started !== null && started.start > this.#startTold) {
      this.#startTold = started.start;
      this.#run.events.append({
        kind: 'worker-started',
        worker,
        pid: started.process.pid,
        startTime: started.process.startTime,
        start: started.start,
        gpus: started.gpus,
      });
    }
    if (started !== null && this.#adopted) {
      this.#adopted = false;
      this.#run.events.append({ kind: 'worker-adopted', worker, pid: started.process.pid });
    }
    if (left !== null) this.#left.found(left.processes, left.signal, left.graceSeconds);
    if (!this.#logFullTold && isLogFull(this.#run, worker)) {
      this.#logFullTold = true;
      this.#run.events.append({
        kind: 'worker-log-full',
        worker,
        limit: this.#run.plan.logLimitBytes,
      });
    }
  }

  ended(exit: WorkerExit): void {
    this.look();
    const history = this.#run.history.worker(this.#worker);
    if (history.start === exit.start && history.endTold) return;
    const left = readLeft(this.#run, this.#worker, exit.start);
    if (left?.processes.every(({ how }) => how !== null) === true) this.#left.ended(left.processes);
    const { exitCode, signal, stopped, outOfMemory } = exit;
    this.#run.events.append({
      kind: 'worker-ended',
      worker: this.#worker,
      exitCode,
      signal,
      stopped,
      ...(outOfMemory === true ? { outOfMemory } : {}),
    });
  }
}
