import { stopSignalOf } from '../shared/plan.ts';
import type { Problem } from '../shared/problem.ts';
import { endedAt, type Ending } from './ending.ts';
import { findJupyter } from './notebook/find-jupyter.ts';
import { endLeft } from './processes/leftovers.ts';
import type { JobRun } from './run.ts';
import { allDone, runWorkers } from './stages/running.ts';
import { stage } from './stages/staging.ts';
import { tellNothingWritten } from './stages/nothing-written.ts';
import { uploadOutput } from './stages/uploading.ts';
import { verdictOf } from './worker-problems.ts';
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
    // What set-up has left, and whatever else names the run: its output is still before it is sent.
    await endLeft(run, null);
    await tellNothingWritten(run);
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
    await endLeft(run, null);
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
    run.events.append({
      kind: 'stop-requested',
      graceSeconds: run.plan.stopGraceSeconds,
      signal: stopSignalOf(run.plan),
    });
  if (run.stop.asked.aborted) tell();
  else run.stop.asked.addEventListener('abort', tell, { once: true });
}

function anyStarted(run: JobRun): boolean {
  return run.plan.workers.some((_, worker) => readWorker(run, worker).started !== null);
}
