import type { RunEvent, Stage } from '../shared/events.ts';
import type { Activated } from '../shared/terminal-environment.ts';
import type { Problem } from '../shared/problem.ts';

/** What earlier attempts already said of one worker. */
export interface WorkerHistory {
  /** Its last start; 0 before the first. */
  readonly start: number;
  /** Whether the end of that start was told. */
  readonly endTold: boolean;
  readonly logFullTold: boolean;
  /** How many processes that were left at the end of that start were told. */
  readonly leftTold: number;
}

/** What earlier attempts did, told from their events alone: what a new attempt need not do again. */
export interface History {
  readonly attempts: number;
  /** How the last attempt ended; null where it was interrupted, or there was none. */
  readonly ended: {
    readonly state: 'finished' | 'failed' | 'stopped';
    readonly stage: Stage | null;
    readonly problem: Problem | null;
  } | null;
  /** The attempt that was interrupted had been asked to stop. */
  readonly stopAsked: boolean;
  readonly codeStaged: boolean;
  readonly setupDone: boolean;
  readonly dataStaged: boolean;
  readonly stagingDone: boolean;
  /** What the last attempt told of its workers' environment: the Python environment, and the names of what came from a terminal. */
  readonly environment: {
    readonly activated: Activated | null;
    readonly terminal: readonly string[];
  } | null;
  worker(index: number): WorkerHistory;
}

export function readHistory(events: readonly RunEvent[]): History {
  let attempts = 0;
  let ended: History['ended'] = null;
  let stopAsked = false;
  let codeStaged = false;
  let setupDone = false;
  let dataStaged = false;
  let stagingDone = false;
  let environment: History['environment'] = null;
  const workers = new Map<number, WorkerHistory>();
  const of = (index: number): WorkerHistory =>
    workers.get(index) ?? { start: 0, endTold: false, logFullTold: false, leftTold: 0 };
  for (const event of events) {
    if (event.kind === 'agent-started') {
      attempts += 1;
      ended = null;
    } else if (event.kind === 'ended') {
      ended = { state: event.state, stage: event.stage, problem: event.problem };
      stopAsked = false;
    } else if (event.kind === 'stop-requested') {
      stopAsked = true;
    } else if (event.kind === 'code-staged') {
      codeStaged = true;
    } else if (event.kind === 'setup-ended') {
      setupDone ||= event.exitCode === 0;
    } else if (event.kind === 'data-staged') {
      dataStaged = true;
    } else if (event.kind === 'environment') {
      environment = { activated: event.activated, terminal: event.terminal };
    } else if (event.kind === 'stage-ended') {
      stagingDone ||= event.stage === 'staging';
    } else if (event.kind === 'worker-started') {
      workers.set(event.worker, {
        ...of(event.worker),
        start: event.start,
        endTold: false,
        leftTold: 0,
      });
    } else if (event.kind === 'processes-left' && event.worker !== null) {
      const known = of(event.worker);
      workers.set(event.worker, { ...known, leftTold: known.leftTold + event.count });
    } else if (event.kind === 'worker-ended') {
      workers.set(event.worker, { ...of(event.worker), endTold: true });
    } else if (event.kind === 'worker-log-full') {
      workers.set(event.worker, { ...of(event.worker), logFullTold: true });
    }
  }
  return {
    attempts,
    ended,
    stopAsked,
    codeStaged,
    setupDone,
    dataStaged,
    stagingDone,
    environment,
    worker: of,
  };
}
