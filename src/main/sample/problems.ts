import { problem, type Problem } from '../../shared/problem.ts';
import type { JobView } from '../../shared/views.ts';

/** What can be wrong with the sample data. */

const about = { op: 'use the sample data', subject: 'the sample data' } as const;

export const NOT_HERE: Problem = problem({
  ...about,
  code: 'host.sample-missing',
  message: 'The sample data did not come with this Trainyard.',
  hint: 'Install Trainyard again; in a checkout run `npm run setup`.',
});

export const EMULATED: Problem = problem({
  ...about,
  code: 'input.sample-emulated',
  message: 'Variables of the environment move the addresses of Google to this machine already.',
  hint: 'Start Trainyard without them.',
});

export const ENDED: Problem = problem({
  ...about,
  code: 'host.sample-ended',
  message: 'The embedded Google of the sample data has ended.',
  hint: 'Start it again: its buckets are where they were.',
  retryable: true,
});

export function inUse(job: JobView, count: number): Problem {
  return problem({
    ...about,
    code: 'input.sample-in-use',
    message:
      count === 1
        ? `The job ${job.name} needs the sample data.`
        : `${job.name} and ${count - 1} more jobs need the sample data.`,
    hint: 'Wait until it ends, or stop it.',
  });
}

export function noFolder(folder: string, error: unknown): Problem {
  const reason = error instanceof Error ? error.message : String(error);
  return problem({
    ...about,
    code: 'host.sample-folder',
    subject: folder,
    message: `The sample data could not be put into ${folder}: ${reason}`,
    hint: 'See that the disk has room and that the folder is yours.',
    retryable: true,
  });
}
