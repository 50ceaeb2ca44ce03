import { problem, type Problem } from '../shared/problem.ts';
import { fetchFor } from './proxy.ts';
import { assertOwnListener } from './listener.ts';
import { explainNetworkError, type ProblemContext } from './network-problem.ts';
import { waitForNetwork } from './network-time.ts';

/** One HTTP exchange, whole: for small answers (tokens, listings, metadata), never for an object's bytes. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export type HttpResult =
  | { readonly ok: true; readonly answer: HttpAnswer }
  | { readonly ok: false; readonly problem: Problem };

/** More of an answer than this is read of none: the largest that Google gives, a page of a listing with all its metadata, is a fraction of it. Bytes. */
const ANSWER_LIMIT = 32 * 1024 * 1024;
/** Of an answer that is a refusal, this much is read. Bytes. */
const REFUSAL_LIMIT = 1024 * 1024;

/** Whether a signal is aborted by now: asked anew at each call, which the compiler cannot know of the property alone. */
export function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** The problem of an operation that its caller cancelled. Never retried. */
export function cancelledProblem(context: ProblemContext): Problem {
  return problem({
    code: 'job.cancelled',
    ...context,
    message: 'It was cancelled before it ended.',
  });
}

/** A promise's outcome, or the signal's reason as soon as it is aborted. */
export async function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop = (): void => undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        const onAbort = (): void => reject(signal.reason as Error);
        signal.addEventListener('abort', onAbort, { once: true });
        stop = () => signal.removeEventListener('abort', onAbort);
      }),
    ]);
  } finally {
    stop();
  }
}

/**
 * Reads a body up to a limit and lets go of the rest. What is packed is counted as it is when unpacked, and unpacked piece by piece: a small answer that
 * stands for gigabytes is left as soon as it is too long.
 */
export async function readUpTo(
  response: Response,
  limit: number,
): Promise<{ readonly bytes: Buffer; readonly cut: boolean }> {
  const pieces: Uint8Array[] = [];
  if (response.body === null) return { bytes: Buffer.alloc(0), cut: false };
  let length = 0;
  // Leaving the loop lets go of the connection.
  for await (const value of response.body as AsyncIterable<Uint8Array>) {
    const piece = value.subarray(0, limit - length);
    pieces.push(piece);
    length += piece.length;
    if (piece.length < value.length) return { bytes: Buffer.concat(pieces), cut: true };
  }
  return { bytes: Buffer.concat(pieces), cut: false };
}

const tooLarge = (address: string, context: ProblemContext): Problem =>
  problem({
    code: 'network.unexpected-answer',
    ...context,
    message: `The answer of ${new URL(address).host} is larger than any that Google gives, and was left.`,
    hint: 'Something else may answer in place of Google: a proxy, or the sign-in page of a network. Check the network connection, then try again.',
  });

/**
 * One exchange, through the proxy that is set for the address, with the deadline `timeoutMs` for the whole of it, body included. Redirects are not
 * followed (Google's services send none). Errors: `job.cancelled` when `signal` was aborted, `network.unexpected-answer` for one that is too large,
 * else those of {@link explainNetworkError}. Any HTTP status is an answer.
 */
export async function exchange(
  address: string,
  request: HttpRequest,
  options: ProblemContext & { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<HttpResult> {
  const { op, subject, signal, timeoutMs } = options;
  if (signal.aborted) return { ok: false, problem: cancelledProblem({ op, subject }) };
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new DOMException('The time is up.', 'TimeoutError')),
    timeoutMs,
  );
  try {
    assertOwnListener(address);
    const ask = await fetchFor(address);
    const answer = await waitForNetwork(async () => {
      const response = await ask(address, {
        method: request.method,
        headers: request.headers,
        redirect: 'manual',
        signal: AbortSignal.any([signal, deadline.signal]),
        ...(request.body === undefined ? {} : { body: request.body }),
      });
      const { status, headers } = response;
      const limit = response.ok ? ANSWER_LIMIT : REFUSAL_LIMIT;
      const { bytes, cut } = await readUpTo(response, limit);
      return { status, headers, text: bytes.toString('utf8'), cut };
    });
    return answer.cut && answer.status < 300
      ? { ok: false, problem: tooLarge(address, { op, subject }) }
      : { ok: true, answer };
  } catch (error) {
    return {
      ok: false,
      problem: isAborted(signal)
        ? cancelledProblem({ op, subject })
        : explainNetworkError(error, address, { op, subject }),
    };
  } finally {
    clearTimeout(timer);
  }
}

/** Reads a `Retry-After` header (seconds or an HTTP date) as milliseconds from `now`; null where there is none that can be read. */
export function parseRetryAfter(value: string | null | undefined, now: number): number | null {
  if (value === null || value === undefined) return null;
  const text = value.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  if (!/^[A-Z][a-z]{2}/.test(text)) return null;
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : Math.max(0, time - now);
}
