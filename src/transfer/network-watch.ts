import { areaOf, type Problem } from '../shared/problem.ts';

/** Tells from what becomes of single objects whether there is a network at all. */
export interface NetworkWatch {
  arrived(): void;
  failed(problem: Problem): void;
  /** Why nothing more is tried; null while it makes sense to. */
  gone(): Problem | null;
}

/** Nobody is there to answer, whatever is asked for. */
const NOBODY: readonly string[] = ['network.unreachable', 'network.certificate'];
/** So many objects in a row are no accident, even where few are asked for at once. */
const LEAST = 4;

/**
 * The network counts as gone where its other end cannot be reached, and where as many objects as are asked for at once fail by it one after
 * the other, none arriving between. What befalls single objects (a busy server, an answer of somebody else) stops no other.
 */
export function networkWatch(concurrency: number, isCancelled: () => boolean): NetworkWatch {
  let inARow = 0;
  let gone: Problem | null = null;
  return {
    arrived: () => {
      inARow = 0;
    },
    failed(problem) {
      if (areaOf(problem) === 'network') inARow += 1;
      const over = NOBODY.includes(problem.code) || inARow >= Math.max(LEAST, concurrency);
      if (isCancelled() || over) gone ??= problem;
    },
    gone: () => gone,
  };
}

/** The problem of an object that is not asked for any more. */
export const notTried = (cause: Problem, subject: string): Problem => ({
  ...cause,
  subject,
  message: `Not tried, because others failed: ${cause.message}`,
});
