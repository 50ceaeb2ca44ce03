import { readFile } from 'node:fs/promises';
import { hasEnded } from '../../src/shared/job-status.ts';
import type { Application } from './application.ts';
import { COMMAND_TIME, type Command, type Ended } from './program.ts';

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

interface Asked {
  /** The job file to submit where there is no run yet. */
  readonly submit: string;
  readonly id: string | null;
  /** An agent carries the run: it is only followed. */
  readonly carried: boolean;
}

/** What `run`, `retry` and `logs -f` do, asked of the window of an open application: it ends when the window says that the job has. */
export function windowCommand(window: Application, asked: Asked): Command {
  const started = performance.now();
  const pid = window.process?.pid ?? 0;
  const ended = follow(window, asked, started).catch(async (error: unknown): Promise<Ended> => {
    // The connection may end a moment before the process is seen to.
    for (let look = 0; look < 100 && window.process?.pid === pid; look += 1) await pause(20);
    if (window.process?.pid === pid) throw error;
    return said({ status: null, signal: 'SIGKILL', stderr: String(error) });
  });
  return { pid, started, ended };
}

const said = (words: Partial<Ended>): Ended => ({
  status: 0,
  signal: null,
  stdout: '',
  stderr: '',
  late: false,
  ...words,
});

async function follow(window: Application, asked: Asked, started: number): Promise<Ended> {
  const id = await begin(window, asked);
  if (typeof id !== 'string') return id;
  for (;;) {
    const listed = await window.call('jobs-list', {});
    if (!listed.ok) return said({ status: 1, stderr: listed.problem.message });
    const job = listed.value.find((one) => one.id === id);
    if (job !== undefined && (hasEnded(job.state) || job.state === 'interrupted'))
      return said({ stdout: job.state });
    if (performance.now() - started > COMMAND_TIME)
      return said({ status: null, late: true, stderr: `the window says ${job?.state}` });
    await pause(60);
  }
}

/** The run's id, or how it was refused. */
async function begin(window: Application, { submit, id, carried }: Asked): Promise<string | Ended> {
  if (id !== null) {
    const retried = carried ? null : await window.call('jobs-retry', { id });
    return retried === null || retried.ok
      ? id
      : said({ status: 1, stderr: retried.problem.message });
  }
  const text = await readFile(submit, 'utf8');
  const read = await window.call('new-job-parse', { text });
  if (!read.ok || read.value.spec === null)
    throw new Error(`the window cannot read the job file: ${JSON.stringify(read)}`);
  const submitted = await window.call('new-job-start', { spec: read.value.spec });
  return submitted.ok ? submitted.value.id : said({ status: 1, stderr: submitted.problem.message });
}
