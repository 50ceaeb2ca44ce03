import type { JobPlan, RunPlan } from '../../shared/plan.ts';
import type { EventLog } from '../event-log.ts';
import type { History } from '../history.ts';
import { captureEnvironment } from '../login-shell.ts';
import { withOwnVariables } from '../own-variables.ts';
import { findProgram } from './find-program.ts';
import { mergeTerminal } from './merge.ts';
import { limitsOf, limitsToSet, type SoftLimit } from './soft-limits.ts';

/** What the processes of a run begin with. */
export interface WorkersEnvironment {
  readonly variables: Readonly<Record<string, string>>;
  /** Those that a process of the agent's does not have already. */
  readonly limits: readonly SoftLimit[];
}

/** How many names of variables one warning tells. */
const NAMED = 10;

/**
 * The environment of a run's workers: the login shell is asked at the first call, and the event `environment` tells what came of it. Where the run is
 * over before that, nothing is told any more.
 */
export function openEnvironment(parts: {
  readonly plan: RunPlan;
  /** The variables of the terminal in which this attempt was started; null: none. */
  readonly terminal: Readonly<Record<string, string>> | null;
  readonly history: History;
  readonly events: Pick<EventLog, 'append'>;
  readonly over: AbortSignal;
}): () => Promise<WorkersEnvironment> {
  let asked: Promise<WorkersEnvironment> | null = null;
  return () => (asked ??= ask(parts));
}

async function ask({
  plan,
  terminal,
  history,
  events,
  over,
}: Parameters<typeof openEnvironment>[0]): Promise<WorkersEnvironment> {
  const captured = await captureEnvironment(undefined, undefined, { signal: over });
  const { variables, activated, fromTerminal } = mergeTerminal({
    login: captured.variables,
    terminal,
    before: history.environment?.activated ?? null,
    ownPath: process.env['PATH'],
  });
  const limits = limitsToSet(captured.limits, limitsOf('self'));
  if (over.aborted) return { variables, limits };
  if (captured.warning !== null) events.append({ kind: 'warning', ...captured.warning });
  const gone = (history.environment?.terminal ?? []).filter((name) => !(name in variables));
  if (gone.length > 0)
    events.append({
      kind: 'warning',
      message: `Variables that the terminal had in which the job was started are not there any more: ${gone.slice(0, NAMED).join(', ')}${gone.length > NAMED ? ` and ${gone.length - NAMED} more` : ''}.`,
      hint: 'Their values were not kept. If the workers need them, stop the job, set them in a terminal and take the job up there.',
    });
  const whole = withOwnVariables(variables, plan.kind === 'transfer' ? {} : ownOf(plan));
  const python = findProgram('python', whole['PATH']) ?? findProgram('python3', whole['PATH']);
  events.append({
    kind: 'environment',
    source: captured.source,
    shell: captured.shell,
    python,
    activated,
    terminal: [...fromTerminal],
  });
  return { variables, limits };
}

const ownOf = ({ env }: JobPlan): Readonly<Record<string, string>> => env;
