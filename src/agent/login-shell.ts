import { availableParallelism, loadavg, userInfo } from 'node:os';
import { variablesIn } from '../shared/raw-text.ts';
import { askShell, between, type ShellAnswer } from './environment/ask-shell.ts';
import { keepAnswer, keptAnswer } from './environment/kept-answer.ts';
import { joinPaths } from './environment/merge.ts';
import { openFilesAbove } from './environment/soft-limits.ts';
import { loginEnvironment, withoutControls, withoutOurs } from './own-environment.ts';

export { joinPaths } from './environment/merge.ts';

/** How long a login shell may take on a machine that has nothing else to do, and at most. Milliseconds. */
const TIME_LIMIT = 15_000;
const LONGEST_TIME = 60_000;

/** How long a login shell may take where so many programs want to run for each processor. Pure. Milliseconds. */
export const timeLimitAt = (load: number): number =>
  Math.min(LONGEST_TIME, TIME_LIMIT * Math.max(1, load));

/** From which of these the environment is: the whole login shell, without what is for terminals, its last answer, or the agent's own. */
export const SOURCES = ['login', 'login-only', 'kept', 'own'] as const;
export type Source = (typeof SOURCES)[number];

export interface CapturedEnvironment {
  /** Without Trainyard's controls. */
  readonly variables: Readonly<Record<string, string>>;
  /** The shell that was asked, or null where it could not be. */
  readonly shell: string | null;
  readonly source: Source;
  /** The shell's soft limits, by the letter of `ulimit`. */
  readonly limits: ReadonlyMap<string, string>;
  /** Set where the shell could not be asked whole: what stands in. */
  readonly warning: { readonly message: string; readonly hint: string } | null;
}

/** The user's login shell: `$SHELL`, else the one of the user database. */
export function loginShell(): string {
  try {
    return process.env['SHELL'] ?? userInfo().shell ?? '/bin/sh';
  } catch {
    return '/bin/sh';
  }
}

/**
 * The variables between two markers in a shell's output, as `env -0` printed them; null where the markers or the list are missing.
 * What start-up files print before stays outside.
 */
export function parseEnvironment(output: string, marker: string): Record<string, string> | null {
  const entries = between(output, marker);
  const variables = entries === null ? {} : variablesIn(entries);
  return Object.keys(variables).length === 0 ? null : variables;
}

export interface CaptureOptions {
  /** Where the last whole answer is kept; null: nowhere. Without it the memory file system. */
  readonly kept?: string | null;
  readonly signal?: AbortSignal;
}

/**
 * The environment that the user's login shell makes (conda, modules), asked once, as it is in a terminal. Where that fails within the time, the
 * same shell without what is for terminals alone, for half that time; then what it said last; then the agent's own environment. Each of these is
 * told by a warning: a job never gets another environment silently. `timeLimit`: milliseconds.
 */
export async function captureEnvironment(
  shell: string = loginShell(),
  timeLimit: number = timeLimitAt((loadavg()[0] ?? 0) / availableParallelism()),
  { kept, signal }: CaptureOptions = {},
): Promise<CapturedEnvironment> {
  const openFiles = openFilesAbove();
  const ask = (way: 'full' | 'login-only', time: number) =>
    askShell(shell, way, {
      timeLimit: time,
      environment: loginEnvironment(process.env),
      openFiles,
      signal,
    });
  const full = await ask('full', timeLimit);
  if (full.answer !== null) {
    if (kept !== null) keepAnswer(shell, full.answer, kept);
    return captured(shell, 'login', full.answer, null);
  }
  const failure = `The login shell ${shell} ${full.failure}`;
  const look = `Look at its start-up files: \`${shell} -l -i -c env\` must print and end by itself.`;
  const login = await ask('login-only', timeLimit / 2);
  if (login.answer !== null)
    return captured(shell, 'login-only', login.answer, {
      message: `${failure}. Workers get what it says when it is no shell of a terminal: what its start-up files set for terminals alone is not there.`,
      hint: look,
    });
  const last = kept === null ? null : keptAnswer(shell, kept);
  if (last !== null)
    return captured(shell, 'kept', last.answer, {
      message: `${failure}. Workers get the environment that it told at ${last.time}.`,
      hint: look,
    });
  const own = withoutControls(process.env);
  return {
    variables: { ...own, PATH: joinPaths(undefined, process.env['PATH']) },
    shell: null,
    source: 'own',
    limits: new Map(openFiles === null ? [] : [['n', openFiles]]),
    warning: {
      message: `${failure}. Workers get the environment that Trainyard was started with.`,
      hint: look,
    },
  };
}

function captured(
  shell: string,
  source: Source,
  answer: ShellAnswer,
  warning: CapturedEnvironment['warning'],
): CapturedEnvironment {
  return {
    variables: withoutOurs(answer.variables),
    shell,
    source,
    limits: answer.limits,
    warning,
  };
}
