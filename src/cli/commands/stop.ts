import type { Command } from 'commander';
import type { Run } from '../context.ts';
import { valueOf } from '../exit.ts';
import { liveText } from '../follow-news.ts';
import { findJobId } from '../job-id.ts';
import { watchJob } from '../watch-job.ts';
import { jobJson } from './jobs.ts';

/** `trainyard stop ID`: asks the job to stop and waits until it has; its output is still uploaded. */
export function registerStop(program: Command, run: Run): void {
  program
    .command('stop <id>')
    .description('stop a job; what it has produced is still uploaded')
    .option('-d, --detach', 'ask only, do not wait for the end')
    .option('--json', 'print the job as JSON')
    .action((text: string, options: { readonly detach?: boolean; readonly json?: boolean }) =>
      run(options, async (context) => {
        const { output } = context;
        const services = await context.services();
        const id = valueOf(await findJobId(services, text));
        valueOf(await services.jobs.stop(id));
        if (options.detach === true) {
          if (options.json === true) output.json({ id });
          else output.note(`The job ${id} is asked to stop.`);
          return 0;
        }
        const job = await watchJob(
          services,
          id,
          (now) => output.live(`stopping: ${liveText(now)}`),
          context.signal,
        );
        output.endLive();
        if (context.signal.aborted || job === null) {
          output.note(`The job ${id} is asked to stop; see \`trainyard job ${id}\`.`);
          return 130;
        }
        if (options.json === true) output.json(jobJson(job));
        else output.line(`${id}: ${job.state}`);
        return 0;
      }),
    );
}
