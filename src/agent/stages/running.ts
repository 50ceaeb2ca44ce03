import type { WorkerExit } from '../../shared/agent-protocol.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { diskProblem } from '../disk-problem.ts';
import { errorMessage, sleep } from '../files.ts';
import { isAlive, killGroupOf } from '../identity.ts';
import { endLeftOfEarlier } from '../processes/leftovers.ts';
import type { JobRun } from '../run.ts';
import { startSampling } from '../samples.ts';
import { workerEnvironment } from '../worker-environment.ts';
import { prepareWorker, readWorker, standingOf, startWorker, type Standing } from '../workers.ts';
import { openGpuLocks, type GpuLocks } from '../gpu/locks.ts';
import { openTokenServer } from '../token-server/open.ts';
import type { TokenServer } from '../token-server/server.ts';
import { tellOwnCredentials } from '../own-credentials.ts';
import { findJupyter } from '../notebook/find-jupyter.ts';
import { placeNotebook } from '../notebook/place.ts';
import { watchNotebook } from '../notebook/watch-notebook.ts';
import { followWorker } from './follow.ts';
import { cancelled } from '../ending.ts';
import { handOver, type Handed } from './hand-over.ts';
import { waitForGpus, type Grants } from './waiting.ts';

/** How long a supervisor may take to start its worker. Milliseconds. */
const SETTLE_TIME = 15_000;

/** How the workers ended, by index; null for one that a stop kept from starting. */
export type WorkerExits = readonly (WorkerExit | null)[];

/** How the workers ended, or at which stage and why they could not all be run. */
export type Ran =
  | { readonly ok: true; readonly value: WorkerExits }
  | { readonly ok: false; readonly problem: Problem; readonly stage: 'waiting' | 'running' };

/** Where each worker stands now, with what earlier attempts told. */
function standings(run: JobRun): readonly Standing[] {
  const retry = run.history.ended !== null;
  return run.plan.workers.map((_, worker) =>
    standingOf(readWorker(run, worker), { ...run.history.worker(worker), retry }, isAlive),
  );
}

/** Whether all workers ended well in earlier attempts: only the upload is left. */
export function allDone(run: JobRun): boolean {
  // A notebook is done once it was stopped: then its upload is all that can have failed.
  if (run.plan.kind === 'notebook' && run.history.ended?.stage === 'uploading') return true;
  return standings(run).every(
    (standing, worker) =>
      standing.kind === 'ended' &&
      standing.exit.exitCode === 0 &&
      !standing.exit.stopped &&
      run.history.worker(worker).endTold,
  );
}

/**
 * The stages `waiting` and `running`: adopts the workers that run, reads the exits of those that ended, starts the others, follows all to their end.
 * Errors: those of waiting, `access.key-missing`, `host.worker-not-started`.
 */
export async function runWorkers(run: JobRun): Promise<Ran> {
  if (run.attempt > 1) await endLeftOfEarlier(run);
  const found = await settledStandings(run);
  const toStart = found.flatMap((standing, worker) =>
    standing.kind === 'to-start' ? [worker] : [],
  );
  const locks = openGpuLocks(run.home, run.directory, run.agent);
  // Workers that run may ask for tokens at any moment: before anything else is waited for.
  const tokens = await openTokenServer(
    run,
    found.some(({ kind }) => kind === 'running'),
  );
  try {
    // The cards of workers that run already are still theirs.
    for (const [worker, standing] of found.entries()) {
      const started = standing.kind === 'running' ? readWorker(run, worker).started : null;
      if (started !== null) await locks.adopt(started.gpus.map((gpu) => gpu.uuid));
    }
    const granted: Result<Grants> =
      toStart.length === 0 ? ok(new Map()) : await waitForGpus(run, toStart, locks);
    // Also where the others cannot start, those that run are followed to their end.
    if (!granted.ok && found.every((standing) => standing.kind === 'to-start'))
      return { ...granted, stage: 'waiting' };
    run.events.append({ kind: 'stage-started', stage: 'running' });
    const sampling = startSampling(run);
    const notebook = run.plan.kind === 'notebook' ? watchNotebook(run) : null;
    try {
      const exits = await startAndFollow(run, found, prepare(run, toStart, granted, tokens, locks));
      const refusal = (await notebook?.end()) ?? null;
      if (refusal !== null) return { ok: false, problem: refusal, stage: 'running' };
      if (!exits.ok) return { ...exits, stage: 'running' };
      run.events.append({ kind: 'stage-ended', stage: 'running' });
      return exits;
    } finally {
      await notebook?.end();
      await sampling.stop();
    }
  } finally {
    locks.releaseAll();
    if (tokens.ok) await tokens.value?.close();
  }
}

/** What the workers that are to start get. */
interface Prepared {
  readonly grants: Grants;
  readonly handed: Handed;
  readonly locks: Pick<GpuLocks, 'descriptorsOf'>;
}

function prepare(
  run: JobRun,
  toStart: readonly number[],
  granted: Result<Grants>,
  tokens: Result<TokenServer | null>,
  locks: Prepared['locks'],
): Result<Prepared> {
  if (!granted.ok) return granted;
  if (!tokens.ok) return tokens;
  const handed: Result<Handed> =
    toStart.length === 0
      ? ok({ cloudSdkConfig: '', keyFile: null, tokenPort: null })
      : handOver(run, tokens.value);
  return handed.ok ? ok({ grants: granted.value, handed: handed.value, locks }) : handed;
}

/**
 * Where each worker stands, once no supervisor is between its own start and its worker's: one whose agent died before it said what to do ends by
 * itself.
 */
async function settledStandings(run: JobRun): Promise<readonly Standing[]> {
  const until = performance.now() + SETTLE_TIME;
  for (;;) {
    const found = standings(run);
    const unsettled = found.some(
      (standing, worker) => standing.kind === 'running' && readWorker(run, worker).started === null,
    );
    if (!unsettled || performance.now() > until) return found;
    await sleep(50);
  }
}

/** Starts those that are to start, unless they cannot be (`prepared`), and follows all to their end. */
async function startAndFollow(
  run: JobRun,
  found: readonly Standing[],
  prepared: Result<Prepared>,
): Promise<Result<WorkerExits>> {
  const following: Promise<WorkerExit | null>[] = [];
  let refused: Result<never> | null = prepared.ok ? null : prepared;
  for (const [worker, standing] of found.entries()) {
    if (standing.kind !== 'to-start') {
      following[worker] = followWorker(run, worker, { adopted: standing.kind === 'running' });
      continue;
    }
    if (standing.lost !== null) {
      killGroupOf(standing.lost.process);
      tellLost(run, worker, standing.lost);
    }
    following[worker] = Promise.resolve(null);
    if (run.stop.asked.aborted || refused !== null || !prepared.ok) continue;
    try {
      await prepareAndStart(run, worker, standing.start, prepared.value);
      following[worker] = followWorker(run, worker, { adopted: false });
    } catch (error) {
      refused = fail(
        diskProblem(error, 'start a worker', run.directory) ??
          notStarted(run, worker, errorMessage(error)),
      );
    }
  }
  const exits = await Promise.all(following);
  if (refused !== null) return refused;
  return run.stop.asked.aborted && exits.every((exit) => exit === null)
    ? fail(cancelled(run))
    : ok(exits);
}

async function prepareAndStart(
  run: JobRun,
  worker: number,
  start: number,
  { grants, handed, locks }: Prepared,
): Promise<void> {
  await prepareWorker(run, worker);
  const { variables: inherited, limits } = await run.environment();
  if (handed.tokenPort !== null) tellOwnCredentials(run, inherited);
  const gpus = grants.get(worker) ?? [];
  const environment = workerEnvironment({
    plan: run.plan,
    directory: run.directory,
    inherited,
    worker,
    gpus,
    ...handed,
  });
  const open = locks.descriptorsOf(gpus.map((gpu) => gpu.uuid));
  if (run.plan.kind !== 'notebook') {
    startWorker(run, worker, start, gpus, environment, limits, null, open);
    return;
  }
  const jupyter = await findJupyter(run);
  if (!jupyter.ok) throw new Error(jupyter.problem.message);
  const placed = await placeNotebook(run, jupyter.value, environment);
  startWorker(run, worker, start, gpus, placed.environment, limits, placed, open);
}

function tellLost(
  run: JobRun,
  worker: number,
  lost: {
    readonly start: number;
    readonly process: { readonly pid: number; readonly startTime: string };
    readonly gpus: readonly {
      readonly uuid: string;
      readonly index: number;
      readonly name: string;
    }[];
  },
): void {
  if (run.history.worker(worker).start !== lost.start)
    run.events.append({
      kind: 'worker-started',
      worker,
      pid: lost.process.pid,
      startTime: lost.process.startTime,
      start: lost.start,
      gpus: [...lost.gpus],
    });
  run.events.append({ kind: 'worker-ended', worker, exitCode: null, signal: null, stopped: false });
}

function notStarted(run: JobRun, worker: number, reason: string) {
  return problem({
    code: 'host.worker-not-started',
    op: 'start a worker',
    subject: `${run.plan.name}, worker ${worker}`,
    message: `Worker ${worker} could not be started: ${reason}`,
    hint: `Check room and limits of this machine, then: trainyard retry ${run.plan.id}`,
    retryable: true,
  });
}
