import type { Storage } from '@google-cloud/storage';
import type { GoogleEndpoints } from '../shared/endpoints.ts';
import { fail, problem, type Problem, type Result } from '../shared/problem.ts';
import type { TokenSource } from './access-token.ts';
import { exchange, parseRetryAfter } from './http.ts';
import { explainHttpError, type StorageContext } from './http-error.ts';
import { withRetry, type Attempt, type RetryNews } from './retry.ts';

/** The whole of one request for a listing or metadata, milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;

/** What a request of the library ended with in place of an answer that it can use. */
class StorageRequestError extends Error {
  readonly failure: Extract<Attempt<never>, { ok: false }>;

  constructor(failure: Extract<Attempt<never>, { ok: false }>) {
    super(failure.problem.message);
    this.failure = failure;
  }
}

interface CarriedRequest {
  readonly uri: string;
  readonly method?: string;
  readonly qs?: Readonly<Record<string, unknown>>;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

type Callback = (error: Error | null, body?: unknown, response?: unknown) => void;

/** Fields of a query that mean something to the library alone. */
const LIBRARY_FIELDS = new Set(['autoPaginate', 'autoPaginateVal', 'maxApiCalls']);

function addressWithQuery(request: CarriedRequest): string {
  const url = new URL(request.uri);
  for (const [name, value] of Object.entries(request.qs ?? {})) {
    if (LIBRARY_FIELDS.has(name) || value === undefined || value === null) continue;
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value])
      url.searchParams.append(name, String(one));
  }
  return url.href;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** What every request of one {@link createStorage} is sent with. */
export interface StorageCall {
  readonly token: string | null;
  readonly signal: AbortSignal;
  readonly context: StorageContext;
  readonly timeoutMs?: number;
}

async function carry(request: CarriedRequest, call: StorageCall): Promise<unknown> {
  const { op } = call.context;
  const subject = call.context.subject ?? `gs://${call.context.bucket}/`;
  const method =
    METHODS.find((known) => known === (request.method ?? 'GET').toUpperCase()) ?? 'GET';
  const sent = await exchange(
    addressWithQuery(request),
    {
      method,
      headers: {
        accept: 'application/json',
        ...(request.json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(call.token === null ? {} : { authorization: `Bearer ${call.token}` }),
      },
      ...(request.json === undefined ? {} : { body: JSON.stringify(request.json) }),
    },
    { op, subject, signal: call.signal, timeoutMs: call.timeoutMs ?? REQUEST_TIMEOUT_MS },
  );
  if (!sent.ok) throw new StorageRequestError(sent);
  const { status, headers, text } = sent.answer;
  if (status < 200 || status > 299)
    throw new StorageRequestError({
      ok: false,
      problem: explainHttpError(status, text, call.context),
      retryAfterMs: parseRetryAfter(headers.get('retry-after'), Date.now()),
      unauthorized: status === 401,
    });
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new StorageRequestError({
      ok: false,
      problem: explainHttpError(status, '<', call.context),
    });
  }
}

/**
 * A Storage object of Google's library for the requests of one attempt: listings, metadata, permissions; an object's bytes never pass
 * through it. The library makes the addresses and knows the shapes; its requests are carried by `fetch` here, because its own carrier has
 * neither a timeout nor a way to cancel (both options are dropped on the way to its HTTP library), takes a proxy for loopback addresses too,
 * and resends in ways that cannot be told. The library is loaded at the first use: most commands need none of it. It finds no credential of its own and sends none but `call.token`.
 */
export async function createStorage(
  endpoints: GoogleEndpoints,
  call: StorageCall,
): Promise<Storage> {
  const library = await import('./library.ts');
  const storage = new library.Storage({
    apiEndpoint: endpoints.storage,
    useAuthWithCustomEndpoint: true,
    authClient: new library.PassThroughClient(),
    projectId: 'not-used',
    retryOptions: { autoRetry: false, maxRetries: 0 },
  });
  // With STORAGE_EMULATOR_HOST set the library would take that address, without the path, in place of the endpoint in force.
  storage.baseUrl = `${endpoints.storage}/storage/v1`;
  const { authClient, getCredentials } = storage.makeAuthenticatedRequest;
  const request = (options: CarriedRequest, callback?: Callback): void => {
    if (typeof callback !== 'function')
      throw new Error('This Storage object carries no streams: bytes are moved by src/transfer.');
    carry(options, call).then(
      (body) => {
        try {
          callback(null, body, {});
        } catch {
          // The library trusts the shape of an answer: what it stumbles over is not Cloud Storage's.
          callback(new StorageRequestError({ ok: false, problem: wrongShape(call.context) }));
        }
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
    );
  };
  storage.makeAuthenticatedRequest = Object.assign(request, {
    authClient,
    getCredentials,
  }) as unknown as Storage['makeAuthenticatedRequest'];
  return storage;
}

/** What every question to a bucket is asked with. */
export interface StorageAccess {
  readonly endpoints: GoogleEndpoints;
  /** Null sends no credential. */
  readonly tokens: TokenSource | null;
  readonly signal: AbortSignal;
  /** For all attempts, milliseconds; default that of {@link withRetry}. */
  readonly deadlineMs?: number;
  /** Told of each wait before another attempt. */
  readonly onRetry?: (news: RetryNews) => void;
}

/**
 * Asks Cloud Storage something through the library, under the one retry policy.
 * Errors: those of `explainHttpError` and of {@link withRetry}; `network.unexpected-answer` where `ask` returns null (an answer of the wrong shape).
 */
export async function askStorage<T>(
  access: StorageAccess,
  context: Omit<StorageContext, 'email'>,
  ask: (storage: Storage) => Promise<T | null>,
): Promise<Result<T>> {
  const full: StorageContext = { ...context, email: access.tokens?.email ?? null };
  return withRetry<T>(
    context.op,
    async ({ token, signal }) => {
      try {
        const timeout =
          access.deadlineMs === undefined
            ? {}
            : { timeoutMs: Math.min(access.deadlineMs, REQUEST_TIMEOUT_MS) };
        const value = await ask(
          await createStorage(access.endpoints, { token, signal, context: full, ...timeout }),
        );
        return value === null ? fail(wrongShape(full)) : { ok: true, value };
      } catch (error) {
        if (error instanceof StorageRequestError) return error.failure;
        throw error;
      }
    },
    {
      signal: access.signal,
      tokens: access.tokens,
      subject: context.subject ?? `gs://${context.bucket}/`,
      ...(access.deadlineMs === undefined ? {} : { deadlineMs: access.deadlineMs }),
      ...(access.onRetry === undefined ? {} : { onRetry: access.onRetry }),
    },
  );
}

function wrongShape(context: StorageContext): Problem {
  return problem({
    code: 'network.unexpected-answer',
    op: context.op,
    subject: context.subject ?? `gs://${context.bucket}/`,
    message: 'The answer is JSON, but not as Cloud Storage writes it.',
    hint: 'A proxy may stand between, or an emulator may answer in another way.',
  });
}
