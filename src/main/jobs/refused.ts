import { problem, type Problem } from '../../shared/problem.ts';
import type { JobView } from '../../shared/views.ts';

/** Why a job is not stopped, taken up again or uploaded again: what the service of jobs says. */

/** Why nothing is done to a run that cannot be read; null where it can. */
export const unreadable = (view: JobView): Problem | null =>
  view.unreadable === true ? view.status.problem : null;

export function over(view: JobView, verb: 'stop' | 'retry'): Problem {
  return problem({
    code: verb === 'stop' ? 'input.job-over' : 'input.job-finished',
    op: `${verb} the job`,
    subject: view.id,
    message: `The job ${view.id} has ${view.state === 'stopped' ? 'been stopped already' : `${view.state} already`}.`,
    hint:
      view.state === 'finished'
        ? `Submit it again for a new run: trainyard run JOB.yaml. What is missing in the bucket: trainyard upload ${view.id}.`
        : `trainyard retry ${view.id} takes it up again.`,
  });
}

export function goesOn(view: JobView): Problem {
  return problem({
    code: 'input.job-goes-on',
    op: 'upload the output again',
    subject: view.id,
    message: `The job ${view.id} has not ended: it is ${view.state}.`,
    hint:
      view.state === 'interrupted'
        ? `Take it up again with: trainyard retry ${view.id}`
        : 'Its output is uploaded when its workers have ended.',
  });
}

export function nothingToUpload(view: JobView): Problem {
  return problem({
    code: 'input.nothing-to-upload',
    op: 'upload the output again',
    subject: view.id,
    message: `The job ${view.id} has nothing to upload: ${view.output === null ? 'it has no output address' : 'none of its workers was ever started'}.`,
    hint: '',
  });
}

export function running(id: string): Problem {
  return problem({
    code: 'input.job-running',
    op: 'retry the job',
    subject: id,
    message: `The job ${id} is running, and its access is good for a while: there is nothing to retry.`,
    hint: `Watch it with trainyard logs ${id} -f, or stop it first: trainyard stop ${id}.`,
  });
}

export function cancelled(id: string): Problem {
  return problem({
    code: 'job.cancelled',
    op: 'submit the job',
    subject: id,
    message: 'The job was not started.',
  });
}
