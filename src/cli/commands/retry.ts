import type { Command } from 'commander';
import { powerMarks } from '../../main/jobs/power-marks.ts';
import { accessService } from '../../main/keys/access-service.ts';
import type { Services } from '../../main/services.ts';
import type { Started } from '../../main/jobs/service.ts';
import type { Result } from '../../shared/problem.ts';
import { lacksOutput, type JobView } from '../../shared/views.ts';
import { markLines } from '../confirm-power.ts';
import type { Context, Run } from '../context.ts';
import { valueOf, type ExitStatus } from '../exit.ts';
import { followJob } from '../follow.ts';
import { printable } from '../format.ts';
import { findJobId } from '../job-id.ts';
import { transferLists } from '../left-out.ts';
import { jobJson } from './jobs.ts';
import { tellDetached } from './run.ts';

interface Options {
  readonly detach?: boolean;
  readonly json?: boolean;
}

/** `trainyard retry ID`: goes on where the job failed, was stopped, was interrupted or waits for access; follows like `run`. */
export function registerRetry(program: Command, run: Run): void {
  register(program, run, {
    name: 'retry',
    description:
      'go on where a job failed, was stopped or interrupted, waits for access, or left out some of its output',
    begin: ({ jobs }, id, signal) => jobs.retry(id, signal),
    status: ({ status }) => status,
  });
}

/** `trainyard upload ID`: uploads what the bucket lacks of the output of a job that has ended. */
export function registerUpload(program: Command, run: Run): void {
  register(program, run, {
    name: 'upload',
    description:
      'upload what the bucket lacks of the output of a job that has ended; no worker runs',
    begin: ({ jobs }, id, signal) => jobs.uploadAgain(id, signal),
    status: ({ status, before, job }) => (wasUploaded(before, job) ? 0 : status === 0 ? 1 : status),
  });
}

/** Whether the upload came to its end, and nothing was left out. What became of the workers says nothing of it. */
function wasUploaded(before: JobView | null, job: JobView | null): boolean {
  if (job === null) return false;
  const stage = job.status.stages.find((one) => one.stage === 'uploading');
  return (
    stage?.state === 'done' &&
    !lacksOutput(job) &&
    job.status.warnings.length === (before?.status.warnings.length ?? 0)
  );
}

interface Verb {
  readonly name: string;
  readonly description: string;
  readonly begin: (services: Services, id: string, signal: AbortSignal) => Promise<Result<Started>>;
  readonly status: (end: {
    readonly status: ExitStatus;
    readonly before: JobView | null;
    readonly job: JobView | null;
  }) => ExitStatus;
}

function register(program: Command, run: Run, verb: Verb): void {
  program
    .command(`${verb.name} <id>`)
    .description(verb.description)
    .option('-d, --detach', 'print the id and go back to the shell')
    .option('--json', 'print one JSON document')
    .action((text: string, options: Options) =>
      run(options, (context) => takeUp(context, text, options, verb)),
    );
}

async function takeUp(
  context: Context,
  text: string,
  options: Options,
  verb: Verb,
): Promise<ExitStatus> {
  const { output } = context;
  const services = await context.services();
  const id = valueOf(await findJobId(services, text));
  // What earlier attempts did was told then.
  const found = await services.jobs.get(id);
  const before = found.ok ? found.value : null;
  const admin = await powerMarks(services.jobs, accessService(services), id);
  for (const line of markLines(admin)) output.warn(line);
  const started = valueOf(await verb.begin(services, id, context.signal));
  const { accessMissing, warnings } = started;
  for (const { message, hint } of warnings) output.warn(message, hint);
  if (accessMissing !== null) output.warn(accessMissing.message, accessMissing.hint);
  if (options.detach === true) {
    tellDetached(output, id, started, options.json === true ? { id } : null);
    return 0;
  }
  const { status, job } = await followJob(
    context,
    services,
    id,
    before,
    warnings.map(({ message }) => printable(message)),
  );
  if (options.json === true && job !== null)
    output.json({ ...jobJson(job), admin, ...(await transferLists(services, job)) });
  return status === 130 ? status : verb.status({ status, before, job });
}
