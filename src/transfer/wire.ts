import { setMaxListeners } from 'node:events';
import type { Dispatcher } from 'undici';
import type { TokenSource } from '../google/access-token.ts';
import { explainHttpError } from '../google/http-error.ts';
import { cancelledProblem, parseRetryAfter } from '../google/http.ts';
import { assertOwnListener } from '../google/listener.ts';
import { explainNetworkError } from '../google/network-problem.ts';
import { withRetry, type Attempt, type AttemptContext } from '../google/retry.ts';
import type { GoogleEndpoints } from '../shared/endpoints.ts';
import { fail, type Result } from '../shared/problem.ts';
import { unlessTrickling } from './trickle.ts';

/** How many requests are under way at once: many small files are bound by requests, not bytes. */
export const CONCURRENCY = 16;
/** A download that brings no byte for so long has stalled; milliseconds. */
const STALL = 30_000;
/** An upload of no length waits so long for its answer, milliseconds; see {@link answerTimeout}. */
const ANSWER = 30_000;
/** What the system may still have on its way when the last byte was handed to it. */
const BUFFERED = 4 * 1024 * 1024;
/** So many of these bytes get the same time again: a line of 32 KB/s. */
const BUFFERED_STEP = 960_000;
/** A body that brings less than a KiB a second for so long is as good as none, milliseconds. */
const TRICKLE = 60_000;
/** So many attempts are made of each request, however long one of them lasts. */
const MIN_ATTEMPTS = 3;
/** How long one request is tried again, milliseconds: see withRetry. */
export const PATIENCE = 120_000;
/** Of an answer that is no object, this much is read. */
const ANSWER_LIMIT = 1 << 20;

/** Connections to the bucket's service, kept alive, and what every request of a transfer needs. */
export interface Wire {
  readonly endpoints: GoogleEndpoints;
  /** Null: no credential is sent. */
  readonly tokens: TokenSource | null;
  readonly bucket: string;
  /** What the transfer is limited to: narrows the grants that problems ask for. */
  readonly prefix?: string;
  readonly signal: AbortSignal;
  readonly concurrency: number;
  readonly patienceMs: number;
  readonly stallMs: number;
  readonly answerMs: number;
  readonly trickleMs: number;
  readonly agent: Dispatcher;
  close(): Promise<void>;
}

export interface WireOptions {
  readonly endpoints: GoogleEndpoints;
  readonly tokens: TokenSource | null;
  readonly bucket: string;
  readonly prefix?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Requests at once. Default {@link CONCURRENCY}. */
  readonly concurrency?: number | undefined;
  /** How long each request is tried again while the network or the service is away, milliseconds. Default {@link PATIENCE}. */
  readonly patienceMs?: number | undefined;
  /** A download that brings no byte for so long is broken off and tried again, milliseconds. Default 30,000. */
  readonly stallMs?: number | undefined;
  /** The answer to an upload is waited for so long, and longer with its length, milliseconds. Default 30,000. */
  readonly answerMs?: number | undefined;
  /** A body that brings less than a KiB a second for so long is broken off and tried again, milliseconds. Default 60,000. */
  readonly trickleMs?: number | undefined;
}

/** Opens no connection yet. `close` ends all. */
export async function openWire(options: WireOptions): Promise<Wire> {
  const { endpoints, tokens, bucket } = options;
  const concurrency = options.concurrency ?? CONCURRENCY;
  const signal = AbortSignal.any(options.signal === undefined ? [] : [options.signal]);
  setMaxListeners(0, signal);
  const { connectionsTo } = await import('./connections.ts');
  const agent = await connectionsTo(endpoints.storage, concurrency);
  return {
    endpoints,
    tokens,
    bucket,
    ...(options.prefix === undefined ? {} : { prefix: options.prefix }),
    signal,
    concurrency,
    patienceMs: options.patienceMs ?? PATIENCE,
    stallMs: options.stallMs ?? STALL,
    answerMs: options.answerMs ?? ANSWER,
    trickleMs: options.trickleMs ?? TRICKLE,
    agent,
    close: () => agent.destroy(),
  };
}

export interface WireRequest {
  /** What is being done, a verb phrase, for problems. */
  readonly op: string;
  /** To what, for problems: an address or a path, never a session's address. */
  readonly subject: string;
  readonly object: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the storage endpoint, or absolute. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  /** The permission that the request needs, for explaining a 403. */
  readonly permission: 'storage.objects.get' | 'storage.objects.create';
}

export type WireAnswer = Dispatcher.ResponseData;

export const addressOf = (bucket: string, object: string): string => `gs://${bucket}/${object}`;

export function headerOf(answer: WireAnswer, name: string): string | null {
  const value = answer.headers[name];
  return typeof value === 'string' ? value : (value?.[0] ?? null);
}

/** An answer's text, of which no more than a mebibyte is read. */
export async function textOf(wire: Wire, answer: WireAnswer): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of unlessTrickling(wire, answer)) {
    parts.push(part);
    length += part.length;
    if (length > ANSWER_LIMIT) break;
  }
  return Buffer.concat(parts).toString('utf8');
}

/** The failure that an answer of 400 and above is. Reads the answer to its end, unless it was read: `read`. */
export async function refusalOf<T>(
  wire: Wire,
  request: WireRequest,
  answer: WireAnswer,
  read?: string,
): Promise<Attempt<T>> {
  const text = read ?? (await textOf(wire, answer));
  return {
    ok: false,
    problem: explainHttpError(answer.statusCode, text, {
      op: request.op,
      subject: request.subject,
      bucket: wire.bucket,
      object: request.object,
      ...(wire.prefix === undefined ? {} : { prefix: wire.prefix }),
      permission: request.permission,
      email: wire.tokens?.email ?? null,
    }),
    retryAfterMs: parseRetryAfter(headerOf(answer, 'retry-after'), Date.now()),
    unauthorized: answer.statusCode === 401,
  };
}

/**
 * The failure that an exception on the way of one attempt is; what no network brings about is thrown on. A proxy that finds no way is asked again: a
 * transfer of hours outlasts it.
 */
export function brokenOff<T>(
  wire: Wire,
  request: Pick<WireRequest, 'op' | 'subject'>,
  error: unknown,
): Attempt<T> {
  const context = { op: request.op, subject: request.subject };
  if (wire.signal.aborted) return fail(cancelledProblem(context));
  const problem = explainNetworkError(error, wire.endpoints.storage, context);
  return fail(problem.code === 'network.proxy-no-way' ? { ...problem, retryable: true } : problem);
}

export interface AskOptions {
  /** Send no token: the address of a session is a credential of its own. */
  readonly anonymous?: boolean;
  /** How many bytes one attempt moves: more time to try again where that takes long. */
  readonly bytes?: number;
}

/** The slowest connection that is still waited for, bytes per millisecond. */
const SLOWEST = 200;

/**
 * Runs attempts by the one retry policy. What an attempt meets elsewhere than on the network (a disk) it must return as a problem. Throws what is a
 * mistake of this program.
 */
export function retried<T>(
  wire: Wire,
  op: string,
  subject: string,
  attempt: (context: AttemptContext) => Promise<Attempt<T>>,
  options: AskOptions = {},
): Promise<Result<T>> {
  return withRetry(
    op,
    async (context) => {
      try {
        return await attempt(context);
      } catch (error) {
        return brokenOff(wire, { op, subject }, error);
      }
    },
    {
      signal: wire.signal,
      tokens: options.anonymous === true ? null : wire.tokens,
      deadlineMs: wire.patienceMs + (options.bytes ?? 0) / SLOWEST,
      maxAttempts: 50,
      minAttempts: MIN_ATTEMPTS,
      subject,
    },
  );
}

/** How long the answer is waited for since the last byte was handed to the system: what that buffered must pass a slow line first. */
function answerTimeout(wire: Wire, request: WireRequest): number {
  if (request.body === undefined) return wire.stallMs;
  const bytes =
    request.body instanceof Uint8Array
      ? request.body.length
      : Number(request.headers?.['content-length'] ?? BUFFERED);
  return wire.answerMs * (1 + Math.min(bytes, BUFFERED) / BUFFERED_STEP);
}

/** One request and its answer, within an attempt. Exceptions: of the connection, and those of `read`. */
export async function exchangeOnce<T>(
  wire: Wire,
  token: string | null,
  request: WireRequest,
  read: (answer: WireAnswer, request: WireRequest) => Promise<T>,
): Promise<T> {
  const url = new URL(request.path, wire.endpoints.storage);
  assertOwnListener(url.origin);
  const answer = await wire.agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: request.method,
    headers: {
      ...request.headers,
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    },
    body: (request.body ?? null) as Uint8Array | null,
    signal: wire.signal,
    bodyTimeout: wire.stallMs,
    headersTimeout: answerTimeout(wire, request),
  });
  try {
    return await read(answer, request);
  } finally {
    // What was not read would keep the connection busy. Whoever reads has its errors; nobody waits for those of the rest.
    answer.body.on('error', () => undefined);
    if (!answer.body.readableEnded) answer.body.destroy();
  }
}

/** Asks until there is an answer that `read` takes. `request` is made anew for each attempt. */
export function ask<T>(
  wire: Wire,
  op: string,
  subject: string,
  request: () => WireRequest,
  read: (answer: WireAnswer, request: WireRequest) => Promise<Attempt<T>>,
  options: AskOptions = {},
): Promise<Result<T>> {
  return retried(
    wire,
    op,
    subject,
    ({ token }) => exchangeOnce(wire, token, request(), read),
    options,
  );
}
