import type { Command } from 'commander';
import { hasEnded } from '../../shared/job-status.ts';
import type { JobView } from '../../shared/views.ts';
import type { Run } from '../context.ts';
import { valueOf } from '../exit.ts';
import { liveText } from '../follow-news.ts';
import { findJobId } from '../job-id.ts';
import { watchJob } from '../watch-job.ts';
import { tellLeftOut, transferLists } from '../left-out.ts';
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
        const before = valueOf(await services.jobs.get(id));
        const stuck = new AbortController();
        const upload = watchUpload(() => stuck.abort());
        const job = await watchJob(
          services,
          id,
          (now) => {
            output.live(`stopping: ${liveText(now) || now.state}`);
            upload.look(now);
          },
          AbortSignal.any([context.signal, stuck.signal]),
        );
        upload.close();
        output.endLive();
        for (const { message, hint } of job?.status.warnings.slice(before.status.warnings.length) ??
          [])
          output.warn(message, hint);
        if (job !== null) tellLeftOut(output, job);
        if (context.signal.aborted || job === null) {
          output.note(`The job ${id} is asked to stop; see \`trainyard job ${id}\`.`);
          return 130;
        }
        if (options.json === true)
          output.json({ ...jobJson(job), ...(await transferLists(services, job)) });
        else if (hasEnded(job.state)) output.line(`${id}: ${job.state}`);
        else output.line(`${id}: stopped; its output is not uploaded yet`);
        if (!hasEnded(job.state)) {
          output.note(`  Its output is safe in ${job.runDirectory}/output.`);
          output.note(
            `  The upload goes on in the background; where it needs new access: \`trainyard retry ${id}\`.`,
          );
        }
        return 0;
      }),
    );
}

/** Milliseconds that the upload after a stop may show no progress. */
const UPLOAD_PATIENCE = 3_000;

/** Calls back when the workers have ended and their output makes no way: it waits for access, or for a network that does not answer. */
function watchUpload(onStuck: () => void): { look(job: JobView): void; close(): void } {
  let timer: NodeJS.Timeout | undefined;
  let seen = '';
  return {
    look(job) {
      const uploading = job.status.stages.find(({ stage }) => stage === 'uploading');
      if (uploading?.state !== 'active') return;
      const now = JSON.stringify([uploading.progress, job.status.accessAwaited]);
      if (timer !== undefined && now === seen) return;
      seen = now;
      clearTimeout(timer);
      timer = setTimeout(onStuck, job.status.accessAwaited === null ? UPLOAD_PATIENCE : 500);
    },
    close: () => clearTimeout(timer),
  };
}
