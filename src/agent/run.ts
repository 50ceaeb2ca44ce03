import path from 'node:path';
import type { ServiceAccountKey } from '../shared/key.ts';
import type { JobPlan, RunPlan } from '../shared/plan.ts';
import type { ProcessIdentity } from '../shared/process-identity.ts';
import type { AccessDesk } from './access.ts';
import type { WorkersEnvironment } from './environment/open.ts';
import type { EventLog } from './event-log.ts';
import type { History } from './history.ts';
import type { StopWatch } from './stop-watch.ts';

/** The run's lock (see lock.ts); `lock` beside it names the present holder for readers. */
export const runLockFolder = (directory: string): string => path.join(directory, 'control/lock');

/** One run, carried by this process. */
export interface Run<Plan extends RunPlan = RunPlan> {
  readonly directory: string;
  /** The folder that holds `runs/` and is shared by all runs of this user on this host. */
  readonly home: string;
  readonly plan: Plan;
  readonly agent: ProcessIdentity;
  /** 1 for the first. */
  readonly attempt: number;
  readonly history: History;
  readonly events: EventLog;
  readonly stop: StopWatch;
  readonly access: AccessDesk;
  /** Keys that the plan hands over, by id. */
  readonly keys: ReadonlyMap<string, ServiceAccountKey>;
  /** The user's own file mode mask, octal: for workers. */
  readonly umask: string;
  /** What workers begin with: asked of the login shell at the first call. */
  environment(): Promise<WorkersEnvironment>;
  /** Aborted at the end of the attempt. */
  readonly over: AbortController;
  /** A path inside the run directory. */
  at(name: string): string;
}

export type JobRun = Run<JobPlan>;

/** One line in logs/agent.log. Never a secret. */
export function note(text: string): void {
  process.stdout.write(`${new Date().toISOString()} ${text}\n`);
}
