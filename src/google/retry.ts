import { fail, problem, type Problem, type Result } from '../shared/problem.ts';
import type { TokenSource } from './access-token.ts';
import { cancelledProblem, isAborted } from './http.ts';
import { waitForNetwork } from './network-time.ts';

/** What one attempt came to. A failure is tried again where its problem is `retryable`. */
export type Attempt<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly problem: Problem;
      /** The least wait that the server asked for (`Retry-After`), milliseconds. */
      readonly retryAfterMs?: number | null;
      /** The server refused the token (401): another is fetched once, at once. */
      readonly unauthorized?: boolean;
    };

export interface AttemptContext {
  /** The access token to send as `Authorization: Bearer`; null where no credential is sent. */
  readonly token: string | null;
  readonly signal: AbortSignal;
  /** 1 for the first. */
  readonly number: number;
}

/** A wait before another attempt, for logs and screens. */
export interface RetryNews {
  /** Why the last attempt failed. */
  readonly problem: Problem;
  /** Until the next one, milliseconds. */
  readonly waitMs: number;
  /** Of the attempt that failed. */
  readonly number: number;
}

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** For all attempts and the waits between them, milliseconds, without the time that {@link tokens} took to answer. Default 60,000. */
  readonly deadlineMs?: number;
  /** Default 8. */
  readonly maxAttempts?: number;
  /** So many attempts are made whatever the deadline says: one slow attempt may last longer. Default 1. */
  readonly minAttempts?: number;
  /** Where the token of each attempt comes from; without it, and with null, attempts get none. */
  readonly tokens?: TokenSource | null;
  /** What problems of this function itself name as their subject. */
  readonly subject?: string;
  /** Called before each wait, those of the token source included. */
  readonly onRetry?: (news: RetryNews) => void;
  /** 0 to 1; Math.random by default. */
  readonly random?: () => number;
}

export const RETRY = {
  deadlineMs: 60_000,
  maxAttempts: 8,
  firstWaitMs: 400,
  longestWaitMs: 30_000,
};

/**
 * The wait after failed attempt `number` (1 is the first), milliseconds: doubling from {@link RETRY}.firstWaitMs to longestWaitMs, of which a
 * random part between a half and the whole, so that many clients do not come back at once; never less than the server asked for.
 */
export function backoffMs(
  number: number,
  random: () => number,
  retryAfterMs: number | null = null,
): number {
  const ceiling = Math.min(RETRY.longestWaitMs, RETRY.firstWaitMs * 2 ** Math.min(number - 1, 20));
  return Math.max(ceiling * (0.5 + random() / 2), retryAfterMs ?? 0);
}

function sleep(ms: number, signal: AbortSignal): Promise<'slept' | 'aborted'> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve('aborted');
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      resolve('aborted');
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve('slept');
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

const seconds = (milliseconds: number): number => Math.max(1, Math.round(milliseconds / 1_000));

/** The last problem, with how long it was tried, and the wait asked for where that was too long: the caller's own retries are over. */
function givenUp(
  last: Problem,
  tried: { readonly attempts: number; readonly milliseconds: number },
  askedWaitMs: number | null,
): Problem {
  const { attempts, milliseconds } = tried;
  const often = attempts <= 1 ? '' : ` Tried ${attempts} times in ${seconds(milliseconds)} s.`;
  const asked =
    askedWaitMs === null
      ? ''
      : ` It asks to wait ${seconds(askedWaitMs)} s before it is tried again.`;
  return { ...last, message: `${last.message}${often}${asked}` };
}

function refusedToken(op: string, subject: string, email: string | null): Problem {
  return problem({
    code: 'access.token-refused',
    op,
    subject,
    message: `Google refuses the access token${email === null ? '' : ` of ${email}`}, also a fresh one.`,
    hint: 'The key or its account may have been disabled or deleted: check the key, or ask the administrator of its project.',
  });
}

/**
 * The one place that retries. Runs `attempt` until it succeeds, fails for good (`retryable: false`), the attempts or the time are used up, or
 * `signal` is aborted. A 401 (`unauthorized`) fetches another token once and goes on at once; a second one is final.
 * The deadline cannot cut an attempt short: attempts have timeouts of their own, and their `signal` is the caller's. It does not run while the
 * token source is asked: that may wait for hours until somebody renews the access.
 *
 * Errors: the last attempt's problem; the token source's; `access.token-refused`; `job.cancelled`.
 */
export async function withRetry<T>(
  op: string,
  attempt: (context: AttemptContext) => Promise<Attempt<T>>,
  options: RetryOptions,
): Promise<Result<T>> {
  const { signal, tokens = null, subject = '' } = options;
  const deadlineMs = options.deadlineMs ?? RETRY.deadlineMs;
  const maxAttempts = options.maxAttempts ?? RETRY.maxAttempts;
  const minAttempts = options.minAttempts ?? 1;
  const random = options.random ?? Math.random;
  const started = performance.now();
  let waited = 0;
  let refused: string | null = null;
  for (let number = 1; ; number += 1) {
    if (isAborted(signal)) return fail(cancelledProblem({ op, subject }));
    let token: string | null = null;
    if (tokens !== null) {
      const asked = performance.now();
      const access = await tokens.token({
        signal,
        ...(refused === null ? {} : { refused }),
        ...(options.onRetry === undefined ? {} : { onRetry: options.onRetry }),
      });
      waited += performance.now() - asked;
      if (!access.ok) return access;
      token = access.value.token;
    }
    const outcome = await attempt({ token, signal, number });
    if (outcome.ok) return outcome;
    if (isAborted(signal)) return fail(cancelledProblem({ op, subject: outcome.problem.subject }));
    if (outcome.unauthorized === true && token !== null && tokens !== null) {
      if (refused !== null) return fail(refusedToken(op, outcome.problem.subject, tokens.email));
      refused = token;
      continue;
    }
    const spent = performance.now() - started - waited;
    const asked = outcome.retryAfterMs ?? null;
    const waitMs = backoffMs(number, random, asked);
    if (!outcome.problem.retryable) return fail(outcome.problem);
    // A wait that is longer than all the time there is makes no attempt worth it.
    const late = spent + waitMs > deadlineMs && (number >= minAttempts || waitMs > deadlineMs);
    if (number >= maxAttempts || late) {
      const tooLong = asked !== null && spent + asked > deadlineMs ? asked : null;
      return fail(givenUp(outcome.problem, { attempts: number, milliseconds: spent }, tooLong));
    }
    options.onRetry?.({ problem: outcome.problem, waitMs, number });
    if ((await waitForNetwork(() => sleep(waitMs, signal))) === 'aborted')
      return fail(cancelledProblem({ op, subject: outcome.problem.subject }));
  }
}
