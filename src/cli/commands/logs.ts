import { InvalidArgumentError, type Command } from 'commander';
import type { Services } from '../../main/services.ts';
import { hasEnded, type WorkerStatus } from '../../shared/job-status.ts';
import type { Context, Run } from '../context.ts';
import { ProblemExit, usageProblem, valueOf, type ExitStatus } from '../exit.ts';
import { findJobId } from '../job-id.ts';
import { sleep } from '../../google/sleep.ts';

interface LogsOptions {
  readonly follow?: boolean;
  readonly worker?: number;
  readonly stage?: boolean;
}

type LogName = number | 'stage';

const CHUNK = 1 << 20;
/** Milliseconds between two looks at a log that is followed. */
const POLL_INTERVAL = 250;

/** `trainyard logs ID [-f] [--worker N] [--stage]`: the bytes that the workers wrote, as they are; where no worker was started, the stage log. */
export function registerLogs(program: Command, run: Run): void {
  program
    .command('logs <id>')
    .description("print what a job's workers wrote, as it is")
    .option('-f, --follow', 'go on until the worker has ended')
    .option('-w, --worker <number>', 'only this worker; they count from 0', readNumber)
    .option('--stage', 'what staging and setup wrote')
    .action((text: string, options: LogsOptions) =>
      run({}, async (context) => {
        const services = await context.services();
        const id = valueOf(await findJobId(services, text));
        const job = valueOf(await services.jobs.get(id));
        if (options.worker !== undefined && options.worker >= job.workers.length)
          throw new ProblemExit(
            usageProblem(
              `The job ${id} has no worker ${options.worker}.`,
              job.workers.length === 0
                ? 'It has no workers.'
                : `Its workers are 0 to ${job.workers.length - 1}.`,
            ),
          );
        if (options.stage === true || options.worker !== undefined)
          return printLogs(context, services, id, {
            names: options.stage === true ? ['stage'] : [options.worker ?? 0],
            instead: false,
            follow: options.follow === true,
          });
        return printLogs(context, services, id, {
          names: job.workers.map((worker) => worker.index),
          instead: true,
          follow: options.follow === true,
        });
      }),
    );
}

function readNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('A worker is a number: 0, 1, 2, ...');
  return Number(text);
}

interface Wanted {
  readonly names: readonly LogName[];
  /** Where no worker was ever started: print the stage log, which says why, in place of nothing. */
  readonly instead: boolean;
  readonly follow: boolean;
}

/** Prints the logs from their beginning; several ones like `tail -f` does, with a heading (on stderr) wherever the log changes. */
async function printLogs(
  context: Context,
  services: Services,
  id: string,
  { names, instead, follow }: Wanted,
): Promise<ExitStatus> {
  const { output } = context;
  const offsets = new Map<LogName, number>(names.map((name) => [name, 0]));
  let shown: LogName | null = null;
  const end = new AbortController();
  const giveBack = context.takeInterrupts(() => end.abort());
  const stopped = () => end.signal.aborted || context.signal.aborted;
  /** Everything that is there now. */
  const drain = async (name: LogName): Promise<void> => {
    while (!stopped()) {
      const offset = offsets.get(name) ?? 0;
      const part = valueOf(
        await services.jobs.readLog(id, { worker: name, offset, maxBytes: CHUNK }),
      );
      if (part.bytes.length === 0) return;
      if (names.length > 1 && name !== 'stage' && shown !== name) {
        output.note(output.paint('dim', `==> worker ${name} <==`));
        shown = name;
      }
      await output.bytes(part.bytes);
      offsets.set(name, offset + part.bytes.length);
    }
  };
  try {
    for (;;) {
      // The state is asked before the log is read: what an ended worker wrote is then all there.
      const job = valueOf(await services.jobs.get(id));
      for (const name of names) await drain(name);
      const over =
        hasEnded(job.state) ||
        job.state === 'interrupted' ||
        (names.every((name) => name !== 'stage') &&
          names.every((name) => workerEnded(job.workers.find((worker) => worker.index === name))));
      if (stopped() || !follow || over) {
        if (!stopped() && follow && job.state === 'interrupted')
          output.warn(
            `Nothing carries the job ${id} on.`,
            `Take it up again with \`trainyard retry ${id}\`.`,
          );
        if (!stopped() && instead && job.workers.every((worker) => worker.starts === 0)) {
          output.note(output.paint('dim', 'No worker has been started. The stage log:'));
          await drain('stage');
        }
        break;
      }
      await sleep(POLL_INTERVAL, end.signal);
    }
  } finally {
    giveBack();
  }
  if (!end.signal.aborted) return 0;
  output.note(`The job ${id} goes on; see \`trainyard job ${id}\`.`);
  return 130;
}

function workerEnded(worker: WorkerStatus | undefined): boolean {
  return worker === undefined || (worker.state !== 'pending' && worker.state !== 'running');
}
