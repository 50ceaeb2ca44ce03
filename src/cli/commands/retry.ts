import type { Command } from 'commander';
import type { Run } from '../context.ts';
import { valueOf } from '../exit.ts';
import { followJob } from '../follow.ts';
import { findJobId } from '../job-id.ts';
import { jobJson } from './jobs.ts';
import { tellDetached } from './run.ts';

/** `trainyard retry ID`: goes on where the job failed, was stopped, was interrupted or waits for access; follows like `run`. */
export function registerRetry(program: Command, run: Run): void {
  program
    .command('retry <id>')
    .description('go on where a job failed, was stopped or interrupted, or waits for access')
    .option('-d, --detach', 'print the id and go back to the shell')
    .option('--json', 'print one JSON document')
    .action((text: string, options: { readonly detach?: boolean; readonly json?: boolean }) =>
      run(options, async (context) => {
        const { output } = context;
        const services = await context.services();
        const id = valueOf(await findJobId(services, text));
        // What earlier attempts did was told then.
        const before = await services.jobs.get(id);
        const retried = valueOf(await services.jobs.retry(id, context.signal));
        const { accessMissing } = retried;
        if (accessMissing !== null) output.warn(accessMissing.message, accessMissing.hint);
        if (options.detach === true) {
          tellDetached(output, id, retried, options.json === true ? { id } : null);
          return 0;
        }
        const { status, job } = await followJob(
          context,
          services,
          id,
          before.ok ? before.value : null,
        );
        if (options.json === true && job !== null) output.json(jobJson(job));
        return status;
      }),
    );
}
