import type { RetryNews } from '../../google/retry.ts';
import { fail, problem, type Problem, type Result } from '../../shared/problem.ts';

/** How long somebody who looks at the window waits for a bucket's answer. Milliseconds. */
export const ANSWER_TIME = 10_000;

export interface Asked {
  readonly op: string;
  readonly subject: string;
  /** Ends when the question is taken back. */
  readonly signal: AbortSignal;
  readonly onRetry: (news: RetryNews) => void;
  /** Default {@link ANSWER_TIME}. Milliseconds. */
  readonly timeMs?: number;
}

/**
 * Asks a bucket on behalf of somebody who waits: all of it, access and every attempt, ends when the time is up. Then the last attempt's
 * problem is the answer, or `network.timeout` where none has ended. Errors: these, and those of `ask`.
 */
export async function withinAnswerTime<T>(
  { op, subject, signal, onRetry, timeMs = ANSWER_TIME }: Asked,
  ask: (
    bounds: Pick<Asked, 'signal' | 'onRetry'> & { readonly deadlineMs: number },
  ) => Promise<Result<T>>,
): Promise<Result<T>> {
  const timeUp = new AbortController();
  const timer = setTimeout(() => timeUp.abort(), timeMs);
  const retries: RetryNews[] = [];
  try {
    const answer = await ask({
      signal: AbortSignal.any([signal, timeUp.signal]),
      deadlineMs: timeMs,
      onRetry: (news) => {
        retries.push(news);
        onRetry(news);
      },
    });
    const isCutShort =
      !answer.ok &&
      answer.problem.code === 'job.cancelled' &&
      timeUp.signal.aborted &&
      !signal.aborted;
    return isCutShort ? fail(noAnswer({ op, subject, timeMs }, retries.at(-1))) : answer;
  } finally {
    clearTimeout(timer);
  }
}

function noAnswer(
  {
    op,
    subject,
    timeMs,
  }: { readonly op: string; readonly subject: string; readonly timeMs: number },
  last: RetryNews | undefined,
): Problem {
  const seconds = Math.max(1, Math.round(timeMs / 1_000));
  if (last !== undefined)
    return {
      ...last.problem,
      message: `${last.problem.message} Tried ${last.number + 1} times in ${seconds} s.`,
    };
  return problem({
    code: 'network.timeout',
    op,
    subject,
    message: `Google did not answer within ${seconds} s.`,
    hint: 'Check the network connection, then try again.',
    retryable: true,
  });
}
