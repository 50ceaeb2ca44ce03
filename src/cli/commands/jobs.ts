import type { Command } from 'commander';
import type { JobView } from '../../shared/views.ts';
import { marksOfAll, powerMarks } from '../../main/jobs/power-marks.ts';
import { accessService } from '../../main/keys/access-service.ts';
import { markLines } from '../confirm-power.ts';
import type { Run } from '../context.ts';
import { valueOf } from '../exit.ts';
import { formatTime } from '../format.ts';
import { findJobId } from '../job-id.ts';
import { describeJob, stateWord } from '../job-text.ts';
import { transferLists } from '../left-out.ts';
import { table } from '../output.ts';

interface JsonOption {
  readonly json?: boolean;
}

/** `trainyard jobs` and `trainyard job ID`. */
export function registerJobs(program: Command, run: Run): void {
  program
    .command('jobs')
    .description('list the jobs, the last one first')
    .option('--json', 'print an array')
    .action((options: JsonOption) =>
      run(options, async (context) => {
        const { output } = context;
        const services = await context.services();
        const jobs = [...(await services.jobs.list())].sort((a, b) => (a.id < b.id ? 1 : -1));
        const marks = await marksOfAll(
          services.jobs,
          accessService(services),
          jobs.map(({ id }) => id),
        );
        if (options.json === true) {
          output.json(jobs.map((job) => ({ ...jobJson(job), admin: marks.get(job.id) ?? [] })));
          return 0;
        }
        if (jobs.length === 0) {
          output.note('There are no jobs yet. Start one with `trainyard run JOB.yaml`.');
          return 0;
        }
        const isMarked = (id: string): boolean => (marks.get(id) ?? []).length > 0;
        const lines = table(
          [
            { title: 'Id' },
            { title: 'Name' },
            { title: 'State' },
            { title: 'Workers', align: 'right' },
            { title: 'Host' },
            { title: 'Submitted' },
            { title: jobs.some(({ id }) => isMarked(id)) ? 'Power' : '' },
          ],
          jobs.map((job) => [
            job.id,
            job.name,
            stateWord(job),
            job.unreadable === true
              ? ''
              : `${job.workers.filter((worker) => worker.state === 'finished').length}/${job.workers.length}`,
            job.host,
            formatTime(job.createdAt),
            isMarked(job.id) ? 'administrator' : '',
          ]),
          (text) => output.paint('bold', text, output.stdout),
        );
        for (const line of lines) output.line(line);
        return 0;
      }),
    );

  program
    .command('job <id>')
    .description('show one job; the beginning of its id is enough, `latest` is the last one')
    .option('--json', 'print an object')
    .action((text: string, options: JsonOption) =>
      run(options, async (context) => {
        const services = await context.services();
        const id = valueOf(await findJobId(services, text));
        const job = valueOf(await services.jobs.get(id));
        const marks = await powerMarks(services.jobs, accessService(services), id);
        if (options.json === true) {
          context.output.json({
            ...jobJson(job),
            ...(await transferLists(services, job)),
            admin: marks,
          });
          return 0;
        }
        for (const line of describeJob(job, context.output)) context.output.line(line);
        for (const line of markLines(marks))
          context.output.line(
            `\n${context.output.paint('yellow', 'Careful:', context.output.stdout)} ${line}`,
          );
        return 0;
      }),
    );
}

/** A job as `--json` prints it: the fields that scripts rely on first, then everything that a screen shows. */
export function jobJson(job: JobView): Readonly<Record<string, unknown>> {
  return { ...job };
}
