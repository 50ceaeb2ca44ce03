import { problem, type Problem } from '../shared/problem.ts';
import { endedAt, type Ending } from './ending.ts';
import { findJupyter } from './notebook/find-jupyter.ts';
import type { JobRun } from './run.ts';
import { allDone, runWorkers, type WorkerExits } from './stages/running.ts';
import { stage } from './stages/staging.ts';
import { uploadOutput } from './stages/uploading.ts';
import { readWorker } from './workers.ts';

/** Carries a job from where it is to an end. What was produced is uploaded also when workers failed or were stopped. */
export async function carryJob(run: JobRun): Promise<Ending> {
  tellStop(run);
  if (run.plan.kind === 'notebook' && !run.history.stagingDone) {
    // Before anything is fetched.
    const jupyter = await findJupyter(run);
    if (!jupyter.ok) return endedAt(run, 'staging', jupyter.problem);
  }
  const staged = await stage(run);
  if (!staged.ok) return endedAt(run, 'staging', staged.problem);
  if (!allDone(run)) {
    const ran = await runWorkers(run);
    if (!ran.ok) {
      if (anyStarted(run)) await uploadOutput(run, run.stop.asked.aborted ? 'stopped' : 'failed');
      return endedAt(run, ran.stage, ran.problem);
    }
    const verdict = verdictOf(run, ran.value);
    const uploaded = await uploadOutput(run, verdict?.state ?? 'finished');
    if (verdict !== null) {
      if (!uploaded.ok) tellNotUploaded(run, uploaded.problem);
      return verdict;
    }
    if (!uploaded.ok) return notUploaded(run, uploaded.problem);
  } else {
    const uploaded = await uploadOutput(run, 'finished');
    if (!uploaded.ok) return notUploaded(run, uploaded.problem);
  }
  return { state: 'finished', stage: null, problem: null };
}

/** A notebook is stopped in order to be uploaded: only a second stop gives that up. */
function notUploaded(run: JobRun, cause: Problem): Ending {
  return run.plan.kind === 'notebook' && !run.stop.askedAgain.aborted
    ? { state: 'failed', stage: 'uploading', problem: cause }
    : endedAt(run, 'uploading', cause);
}

/**
 * Uploads what the bucket lacks of the output of a run that has ended. No worker runs, and the run ends as it had ended; one that lacked
 * nothing but its upload finishes.
 */
export async function uploadAgain(run: JobRun): Promise<Ending> {
  tellStop(run);
  const before = run.history.ended;
  if (before === null) throw new Error('only what has ended is uploaded again');
  const finishes = before.state === 'finished' || (before.stage === 'uploading' && allDone(run));
  const uploaded = await uploadOutput(run, finishes ? 'finished' : before.state, { again: true });
  if (finishes)
    return uploaded.ok
      ? { state: 'finished', stage: null, problem: null }
      : endedAt(run, 'uploading', uploaded.problem);
  if (!uploaded.ok) tellNotUploaded(run, uploaded.problem);
  return before;
}

function tellNotUploaded(run: JobRun, cause: Problem): void {
  run.events.append({
    kind: 'warning',
    message: `The output could not be uploaded whole: ${cause.message}`,
    hint: `${cause.hint} It is kept on this machine. Try again with: trainyard upload ${run.plan.id}`.trim(),
  });
}

/** The event `stop-requested` is written when the request is seen. */
function tellStop(run: JobRun): void {
  const tell = (): void =>
    run.events.append({ kind: 'stop-requested', graceSeconds: run.plan.stopGraceSeconds });
  if (run.stop.asked.aborted) tell();
  else run.stop.asked.addEventListener('abort', tell, { once: true });
}

function anyStarted(run: JobRun): boolean {
  return run.plan.workers.some((_, worker) => readWorker(run, worker).started !== null);
}

/** Null when all workers ended well. A failure of a worker by itself outweighs a stop. A notebook that was stopped is done. */
function verdictOf(run: JobRun, exits: WorkerExits): Ending | null {
  const wasAsked = run.stop.asked.aborted || run.history.stopAsked;
  if (run.plan.kind === 'notebook' && wasAsked && exits[0]?.stopped === true) return null;
  const failed = exits.findIndex((exit) => exit !== null && !exit.stopped && exit.exitCode !== 0);
  if (run.stop.asked.aborted && exits.some((exit) => exit === null || exit.stopped))
    return { state: 'stopped', stage: 'running', problem: null };
  if (failed >= 0)
    return { state: 'failed', stage: 'running', problem: workerFailed(run, exits, failed) };
  const unfinished = exits.findIndex((exit) => exit === null || exit.stopped);
  if (unfinished >= 0)
    return {
      state: 'failed',
      stage: 'running',
      problem: problem({
        code: 'job.worker-ended',
        op: 'run the workers',
        subject: `${run.plan.name}, worker ${unfinished}`,
        message: `Worker ${unfinished} was ended from outside before it was done.`,
        hint: `Start it again with: trainyard retry ${run.plan.id}`,
        retryable: true,
      }),
    };
  return null;
}

function workerFailed(run: JobRun, exits: WorkerExits, worker: number): Problem {
  const exit = exits[worker];
  const others = exits.filter(
    (each, index) => index !== worker && each !== null && !each.stopped && each.exitCode !== 0,
  ).length;
  const how =
    exit?.exitCode !== null && exit?.exitCode !== undefined
      ? `ended with exit status ${exit.exitCode}`
      : exit?.signal !== null && exit?.signal !== undefined
        ? `was ended by ${exit.signal}`
        : 'is gone, and nobody saw how it ended';
  return problem({
    code: 'job.worker-failed',
    op: 'run the workers',
    subject: `${run.plan.name}, worker ${worker}`,
    message: `Worker ${worker} ${how}${others > 0 ? `; so did ${others} more` : ''}.`,
    hint: `Its output: trainyard logs ${run.plan.id} --worker ${worker}. Failed workers start again, with the code as it was at the start: trainyard retry ${run.plan.id}. With other code: run the job anew.`,
  });
}
