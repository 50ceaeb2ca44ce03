import type { Bridge, CallArguments, CallName, CallValue } from '../shared/ipc.ts';
import type { Problem } from '../shared/problem.ts';

declare global {
  interface Window {
    /** Put there by the preload. */
    readonly trainyard: Bridge;
  }
}

/** An expected failure on its way through React Query, which carries failures as exceptions. */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.name = 'ProblemError';
    this.problem = problem;
  }
}

/** Asks the main process. Throws {@link ProblemError} where the answer is a problem: for query and mutation functions. */
export async function ask<Name extends CallName>(
  name: Name,
  args: CallArguments<Name>,
): Promise<CallValue<Name>> {
  const result = await window.trainyard.call(name, args);
  if (!result.ok) throw new ProblemError(result.problem);
  return result.value;
}

/** The problem in whatever a query threw. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  return {
    code: 'internal.window',
    op: 'show the window',
    subject: 'the window',
    message: 'Something went wrong inside Trainyard.',
    hint: error instanceof Error ? error.message : '',
    retryable: false,
  };
}
