import type { Command } from 'commander';
import type { JobView } from '../../shared/views.ts';
import type { Run } from '../context.ts';
import { valueOf } from '../exit.ts';
import { liveText } from '../follow-news.ts';
import { findJobId } from '../job-id.ts';
import { hasEnded } from '../job-text.ts';
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
        const end = new AbortController();
        const onAbort = () => end.abort();
        context.signal.addEventListener('abort', onAbort, { once: true });
        let last: JobView | null = null;
        await services.jobs.follow(
          id,
          (job) => {
            last = job;
            output.live(`stopping: ${liveText(job)}`);
            if (hasEnded(job.status) || job.state === 'interrupted') end.abort();
          },
          end.signal,
        );
        context.signal.removeEventListener('abort', onAbort);
        output.endLive();
        const job = last as JobView | null;
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
