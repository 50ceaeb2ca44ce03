import { isCancel, select } from '@clack/prompts';
import type { Services } from '../main/services.ts';
import type { JobView } from '../shared/views.ts';
import type { Context } from './context.ts';
import { reportProblem, type ExitStatus } from './exit.ts';
import { liveText, newsBetween } from './follow-news.ts';
import { formatBytes, plural, formatSeconds } from './format.ts';
import { workerEnd } from './job-text.ts';
import { tellLeftOut } from './left-out.ts';
import type { Output } from './output.ts';
import { sleep } from '../google/sleep.ts';
import { watchJob } from './watch-job.ts';

/** Milliseconds between two looks at whether the job's access must be renewed. */
const REFRESH_INTERVAL = 2_000;

/**
 * Shows a job until it ends and keeps its access fresh meanwhile. SIGINT leaves the job running (130) and says how to go on; at a
 * terminal it asks first whether to leave or to stop, and a second one leaves.
 */
export async function followJob(
  context: Context,
  services: Services,
  id: string,
  /** As it was when it was seen last: only what is new since is told. */
  seen: JobView | null = null,
  /** Warnings that were said before it began. */
  told: readonly string[] = [],
): Promise<{ readonly status: ExitStatus; readonly job: JobView | null }> {
  const { output } = context;
  const left = new AbortController();
  const end = AbortSignal.any([left.signal, context.signal]);
  const done = new AbortController();
  const asking = { now: false };
  const giveBack = context.takeInterrupts((reason) => {
    if (!context.interactive || asking.now || reason === 'orphaned') {
      left.abort();
      return;
    }
    asking.now = true;
    void askWhatToDo(output).then(async (choice) => {
      asking.now = false;
      if (choice === 'leave') left.abort();
      if (choice !== 'stop') return;
      const stopped = await services.jobs.stop(id);
      if (!stopped.ok) output.warn(stopped.problem.message, stopped.problem.hint);
    });
  });
  const refresh = refreshWhile(services, id, AbortSignal.any([end, done.signal]), (message, hint) =>
    output.warn(message, hint),
  );
  try {
    const job = await watchJob(
      services,
      id,
      (now, before) => {
        for (const news of newsBetween(before, now)) {
          if (news.kind === 'warning') {
            if (!told.includes(news.text)) output.warn(news.text, news.hint);
          } else output.note(news.text);
        }
        if (!asking.now) output.live(liveText(now));
      },
      end,
      seen,
    );
    output.endLive();
    if (end.aborted) {
      tellHowToGoOn(output, id);
      return { status: 130, job };
    }
    return { status: job === null ? 4 : tellEnd(output, job), job };
  } finally {
    done.abort();
    await refresh;
    giveBack();
  }
}

/** Delivers fresh tokens to the job's agent in time. A failure is said once, and tried again. */
async function refreshWhile(
  services: Services,
  id: string,
  signal: AbortSignal,
  warn: (message: string, hint: string) => void,
): Promise<void> {
  let said = '';
  for (;;) {
    await sleep(REFRESH_INTERVAL, signal);
    if (signal.aborted) return;
    const refreshed = await services.jobs.refreshAccess(id);
    if (refreshed.ok) said = '';
    else if (refreshed.problem.message !== said) {
      said = refreshed.problem.message;
      warn(`The job's access could not be renewed: ${said}`, refreshed.problem.hint);
    }
  }
}

async function askWhatToDo(output: Output): Promise<'leave' | 'stop' | 'go on'> {
  output.endLive();
  const choice = await select<'leave' | 'stop' | 'go on'>({
    message: 'The job is still running. What should happen to it?',
    output: process.stderr,
    options: [
      { value: 'leave', label: 'Leave it running and go back to the shell' },
      { value: 'stop', label: 'Stop it' },
      { value: 'go on', label: 'Go on following it' },
    ],
  });
  return isCancel(choice) ? 'leave' : choice;
}

export function tellHowToGoOn(output: Output, id: string): void {
  output.note(`The job ${id} goes on.`);
  output.note(`  See it:      trainyard job ${id}`);
  output.note(`  Its output:  trainyard logs ${id} -f`);
  output.note(`  Stop it:     trainyard stop ${id}`);
  output.note(`  When it waits for access: trainyard retry ${id}`);
}

/** The summary, with how long the last attempt took; returns the exit status that the job's end means. */
export function tellEnd(output: Output, job: JobView): ExitStatus {
  const { status } = job;
  const took =
    status.attemptStartedAt === null || status.endedAt === null
      ? ''
      : ` in ${formatSeconds((Date.parse(status.endedAt) - Date.parse(status.attemptStartedAt)) / 1000)}`;
  if (job.state === 'finished') {
    output.note(`${output.paint('green', 'Finished')}${took}.`);
    tellOutput(output, job);
    tellLeftOut(output, job);
    return status.leftOut.length === 0 ? 0 : 1;
  }
  if (job.unreadable === true && status.problem !== null)
    return reportProblem(output, status.problem, false);
  if (job.state === 'interrupted') {
    output.note(`${output.paint('red', 'Interrupted:')} nothing carries the job ${job.id} on.`);
    output.note(`  What runs goes on. Take it up again with \`trainyard retry ${job.id}\`.`);
    return 4;
  }
  output.note(`${output.paint('red', job.state === 'stopped' ? 'Stopped' : 'Failed')}${took}.`);
  for (const worker of job.workers)
    if (worker.state === 'failed')
      output.note(
        `  worker ${worker.index}: ${workerEnd(worker)}; its output: trainyard logs ${job.id} --worker ${worker.index}`,
      );
  if (status.problem !== null) reportProblem(output, status.problem, false);
  const produced = job.workers.length === 0 || job.workers.some((worker) => worker.starts > 0);
  if (produced) tellOutput(output, job);
  tellLeftOut(output, job);
  if (status.problem?.code === 'storage.exists') {
    output.note(
      '  A retry finds the same names taken. Rename or remove what is in the way in the bucket first,',
    );
    output.note(`  then: trainyard retry ${job.id}. Or run the job again with another output.`);
  } else output.note(`  Try again: trainyard retry ${job.id}`);
  return 1;
}

function tellOutput(output: Output, job: JobView): void {
  const { uploaded } = job.status;
  if (job.output === null) output.note(`  Output: ${job.runDirectory}/output`);
  else if (uploaded !== null)
    output.note(
      `  Output: ${job.output} (${plural(uploaded.objects, 'object')}, ${formatBytes(uploaded.bytes)})`,
    );
  else output.note(`  Output: not in the bucket yet; it is safe in ${job.runDirectory}/output`);
}
