import type { Stage } from '../shared/events.ts';
import { problem, type Problem } from '../shared/problem.ts';
import type { Run } from './run.ts';

/** How an attempt ended: the body of the event `ended`. */
export interface Ending {
  readonly state: 'finished' | 'failed' | 'stopped';
  readonly stage: Stage | null;
  readonly problem: Problem | null;
}

/** What a step answers when the run is stopped inside it. */
export function cancelled(run: Run): Problem {
  return problem({
    code: 'job.cancelled',
    op: 'carry the run',
    subject: run.plan.id,
    message: 'The run was stopped.',
  });
}

/** The ending of a step that failed, or was stopped. What a transfer calls no room is the full disk of this host. */
export function endedAt(run: Run, stage: Stage, cause: Problem): Ending {
  return run.stop.asked.aborted
    ? { state: 'stopped', stage, problem: null }
    : {
        state: 'failed',
        stage,
        problem: cause.code === 'transfer.no-room' ? { ...cause, code: 'host.no-room' } : cause,
      };
}
