import { exitStatusOf, problem, type Problem, type Result } from '../shared/problem.ts';
import { printable } from './format.ts';
import type { Output } from './output.ts';

/**
 * The exit status of the command line: 0 done, 1 the job failed, was stopped or left something out, or part of a copy failed, 2 bad input,
 * 3 access refused, 4 host or network, 130 interrupted by the user, 141 the reader of the output went away, 143 ended by SIGTERM.
 */
export type ExitStatus = 0 | 1 | 2 | 3 | 4 | 130 | 141 | 143;

/** Prints what happened, then what to do about it; with `json` also the one document. Returns the exit status. */
export function reportProblem(output: Output, problem: Problem, json: boolean): ExitStatus {
  output.endLive();
  if (json) output.json({ problem });
  output.note(`${output.paint('red', 'Error:')} ${printableLines(problem.message)}`);
  if (problem.hint !== '')
    output.note(`  ${printableLines(problem.hint).replaceAll('\n', '\n  ')}`);
  return exitStatusOf(problem);
}

/** A text made safe for a terminal. Messages of several lines (a job file with several mistakes) keep their lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** A mistake in the arguments: exit 2. */
export function usageProblem(message: string, hint: string, subject = ''): Problem {
  return problem({ code: 'input.usage', op: 'read the command line', subject, message, hint });
}

/** Thrown by {@link valueOf} inside a command, caught by the one place that runs commands. */
export class ProblemExit extends Error {
  readonly problem: Problem;
  constructor(found: Problem) {
    super(found.message);
    this.problem = found;
  }
}

/** The value, or the end of the command with the problem. Commands are straight lines because of it. */
export function valueOf<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new ProblemExit(result.problem);
}
