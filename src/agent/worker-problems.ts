import { problem, type Problem } from '../shared/problem.ts';
import type { Ending } from './ending.ts';
import type { JobRun } from './run.ts';
import type { WorkerExits } from './stages/running.ts';

/** What is said where a command was ended by SIGKILL, and the kernel's counters of processes ended for lack of memory rose meanwhile. */
export const OUT_OF_MEMORY = {
  message: ', most likely because memory ran out',
  hint: 'The kernel ended a process for lack of memory meanwhile: let the job use less memory (smaller batches, fewer data loader processes), or free some. ',
};

/** Null when all workers ended well. A failure of a worker by itself outweighs a stop. A notebook that was stopped is done. */
export function verdictOf(run: JobRun, exits: WorkerExits): Ending | null {
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
  const memory = exit?.outOfMemory === true ? OUT_OF_MEMORY : { message: '', hint: '' };
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
    message: `Worker ${worker} ${how}${memory.message}${others > 0 ? `; so did ${others} more` : ''}.`,
    hint: `${memory.hint}Its output: trainyard logs ${run.plan.id} --worker ${worker}. Failed workers start again, with the code as it was at the start: trainyard retry ${run.plan.id}. With other code: run the job anew.`,
  });
}
