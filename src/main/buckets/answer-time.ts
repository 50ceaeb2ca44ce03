import { watchingNetwork, type OnWait } from '../../google/network-time.ts';
import type { RetryNews } from '../../google/retry.ts';
import { fail, problem, type Problem, type Result } from '../../shared/problem.ts';

/** How long somebody who looks at the window waits for a bucket's answer, once it was asked. Milliseconds. */
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
 * Asks a bucket on behalf of somebody who waits: all of it, access and every attempt, ends when the network was waited for so long. Then the last
 * attempt's problem is the answer, or `network.timeout` where none has ended. What this machine does by itself meanwhile, such as opening the vault, is
 * not Google's silence: on a busy machine it takes longer than the whole answer. Errors: these, and those of `ask`.
 */
export async function withinAnswerTime<T>(
  { op, subject, signal, onRetry, timeMs = ANSWER_TIME }: Asked,
  ask: (
    bounds: Pick<Asked, 'signal' | 'onRetry'> & { readonly deadlineMs: number },
  ) => Promise<Result<T>>,
): Promise<Result<T>> {
  const timeUp = new AbortController();
  const clock = countdown(timeMs, () => timeUp.abort());
  const retries: RetryNews[] = [];
  let awaited: string | null = null;
  const begin: OnWait = (whom) => {
    awaited = whom ?? awaited;
    return clock.begin(whom);
  };
  try {
    const answer = await watchingNetwork(begin, () =>
      ask({
        signal: AbortSignal.any([signal, timeUp.signal]),
        deadlineMs: timeMs,
        onRetry: (news) => {
          retries.push(news);
          onRetry(news);
        },
      }),
    );
    const isCutShort =
      !answer.ok &&
      answer.problem.code === 'job.cancelled' &&
      timeUp.signal.aborted &&
      !signal.aborted;
    return isCutShort ? fail(noAnswer({ op, subject, timeMs, awaited }, retries.at(-1))) : answer;
  } finally {
    clock.stop();
  }
}

/** Counts down while at least one wait is under way, and calls once the time is used up. */
function countdown(timeMs: number, onEnd: () => void): { begin: OnWait; stop: () => void } {
  let left = timeMs;
  let waits = 0;
  let since = 0;
  let timer: NodeJS.Timeout | undefined;
  return {
    begin: () => {
      waits += 1;
      if (waits === 1) {
        since = performance.now();
        timer = setTimeout(onEnd, left);
      }
      return () => {
        waits -= 1;
        if (waits > 0) return;
        clearTimeout(timer);
        left = Math.max(0, left - (performance.now() - since));
      };
    },
    stop: () => clearTimeout(timer),
  };
}

function noAnswer(
  {
    op,
    subject,
    timeMs,
    awaited,
  }: {
    readonly op: string;
    readonly subject: string;
    readonly timeMs: number;
    readonly awaited: string | null;
  },
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
    message: `${awaited ?? 'Google'} did not answer within ${seconds} s.`,
    hint: 'Check the network connection, then try again.',
    retryable: true,
  });
}
