import { problem, type Problem } from '../shared/problem.ts';
import { assertOwnListener, EmulatorEndedError, StrangerListensError } from './listener.ts';
import { waitForNetwork } from './network-time.ts';
import { fetchFor, isLoopback } from './proxy.ts';

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

/** What a problem says of itself: the operation and its subject. */
export interface ProblemContext {
  readonly op: string;
  readonly subject: string;
}

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

const UNREACHABLE = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EAI_NODATA',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
]);
const TIMED_OUT = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
const CERTIFICATE = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_|HOSTNAME_MISMATCH)/;

/** The first error code in an error, its causes and the errors it stands for. */
function errorCode(error: unknown, depth = 0): string | null {
  if (typeof error !== 'object' || error === null || depth > 5) return null;
  if ('code' in error && typeof error.code === 'string') return error.code;
  if ('errors' in error && Array.isArray(error.errors))
    for (const one of error.errors as unknown[]) {
      const code = errorCode(one, depth + 1);
      if (code !== null) return code;
    }
  return 'cause' in error ? errorCode(error.cause, depth + 1) : null;
}

/** Google's services answer at a loopback address only where the environment moved them. */
function isLoopbackHost(host: string): boolean {
  return URL.canParse(`http://${host}`) && isLoopback(new URL(`http://${host}`).hostname);
}

function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : 'the server';
}

/**
 * Explains an error that came in place of an HTTP answer.
 * Codes: `network.unreachable`, `network.timeout`, `network.broken`, which are retryable; `network.certificate`, `network.stranger-listens` and
 * `network.emulator-ended`, which are not.
 */
export function explainNetworkError(
  error: unknown,
  address: string,
  context: ProblemContext,
): Problem {
  const host = hostOf(address);
  if (error instanceof StrangerListensError)
    return problem({
      code: 'network.stranger-listens',
      ...context,
      message: `Trainyard sent nothing to ${error.host}: another user's program (user number ${String(error.uid)}) listens there.`,
      hint: 'Environment variables move the addresses of Google to this machine. Start the emulator as yourself and use the addresses that it prints, or unset STORAGE_EMULATOR_HOST and the TRAINYARD_..._ENDPOINT variables.',
    });
  if (error instanceof EmulatorEndedError)
    return problem({
      code: 'network.emulator-ended',
      ...context,
      message: 'The emulated Google of the sample data is not running, so nothing was asked.',
      hint: 'Start the sample data again, or stop using it to work with the real Google.',
    });
  const code = errorCode(error);
  const name = error instanceof Error ? error.name : '';
  const detail = code === null ? '' : ` (${code})`;
  if (name === 'TimeoutError' || (code !== null && TIMED_OUT.has(code)))
    return problem({
      code: 'network.timeout',
      ...context,
      message: `${host} did not answer in time${detail}.`,
      hint: 'Check the network connection, then try again.',
      retryable: true,
    });
  if (code === 'ECONNREFUSED') {
    const emulated = isLoopbackHost(host);
    return problem({
      code: 'network.unreachable',
      ...context,
      message: emulated
        ? `Nothing listens at ${host} (ECONNREFUSED).`
        : `${host} cannot be reached: it refuses the connection, or the proxy does (ECONNREFUSED).`,
      hint: emulated
        ? 'Environment variables move the addresses of Google to this machine, and the emulator there may have ended: start it again, or unset STORAGE_EMULATOR_HOST and the TRAINYARD_..._ENDPOINT variables.'
        : 'Check the network connection of this machine and its proxy settings, then try again.',
      retryable: true,
    });
  }
  if (code !== null && UNREACHABLE.has(code))
    return problem({
      code: 'network.unreachable',
      ...context,
      message: `${host} cannot be reached${detail}.`,
      hint: 'Check the network connection of this machine, its name server and its proxy settings, then try again.',
      retryable: true,
    });
  if (code !== null && CERTIFICATE.test(code))
    return problem({
      code: 'network.certificate',
      ...context,
      message: `The certificate of ${host} is not trusted${detail}.`,
      hint: 'A proxy of your organisation may inspect connections: set NODE_EXTRA_CA_CERTS to its certificate file. Also check that the clock of this machine is right.',
    });
  return problem({
    code: 'network.broken',
    ...context,
    message: `The connection to ${host} broke${detail}.`,
    hint: 'Try again; if it goes on, check the network connection.',
    retryable: true,
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
 * One exchange, through the proxy of the environment if there is one, with the deadline `timeoutMs` for the whole of it, body included. Redirects are not followed (Google's services send none).
 * Errors: `job.cancelled` when `signal` was aborted, else those of {@link explainNetworkError}. Any HTTP status is an answer.
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
      const text = await response.text();
      return { status: response.status, headers: response.headers, text };
    });
    return { ok: true, answer };
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
