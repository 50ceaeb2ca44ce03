import { randomBytes } from 'node:crypto';
import { fail, ok, problem, type Result } from '../shared/problem.ts';
import type { StorageAccess } from './client.ts';
import { explainHttpError, type StorageContext } from './http-error.ts';
import { exchange, parseRetryAfter } from './http.ts';
import { withRetry, type Attempt } from './retry.ts';

/** Each of the two requests, milliseconds. */
const REQUEST_TIME = 15_000;

export interface TryCreateRequest extends StorageAccess {
  readonly bucket: string;
  /** Ends with a slash, or empty for the whole bucket. */
  readonly prefix: string;
}

/**
 * Whether an object could be created below a prefix: begins a resumable upload and cancels it. No byte is sent, so no object is made and none
 * has to be deleted, which a key that may only create could not do. Needs `storage.objects.create`.
 * `cancelled: false`: the upload was begun and not cancelled; it lapses by itself after a week, without an object.
 * Errors: those of `explainHttpError`, `explainNetworkError` and `withRetry`; `network.unexpected-answer`.
 */
export async function tryCreate(
  request: TryCreateRequest,
): Promise<Result<{ readonly cancelled: boolean }>> {
  const { bucket, prefix, endpoints, tokens, signal, deadlineMs } = request;
  const op = 'try to create an object';
  const subject = `gs://${bucket}/${prefix}`;
  const context: StorageContext = {
    op,
    subject,
    bucket,
    prefix,
    permission: 'storage.objects.create',
    email: tokens?.email ?? null,
  };
  const name = `${prefix}trainyard-access-check-${randomBytes(6).toString('hex')}`;
  const query = new URLSearchParams({ uploadType: 'resumable', name, ifGenerationMatch: '0' });
  const address = `${endpoints.storage}/upload/storage/v1/b/${encodeURIComponent(bucket)}/o?${query.toString()}`;
  const timeoutMs = Math.min(deadlineMs ?? REQUEST_TIME, REQUEST_TIME);

  const begin = async (token: string | null): Promise<Attempt<string>> => {
    const sent = await exchange(
      address,
      {
        method: 'POST',
        headers: {
          accept: 'application/json',
          'content-type': 'application/json',
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        },
        body: '{}',
      },
      { op, subject, signal, timeoutMs },
    );
    if (!sent.ok) return sent;
    const { status, headers, text } = sent.answer;
    const session = headers.get('location');
    if (status === 200 && session !== null) return ok(session);
    return {
      ok: false,
      problem: explainHttpError(status, status === 200 ? '<' : text, context),
      retryAfterMs: parseRetryAfter(headers.get('retry-after'), Date.now()),
      unauthorized: status === 401,
    };
  };

  const begun = await withRetry<string>(op, ({ token }) => begin(token), {
    signal,
    tokens,
    subject,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
  if (!begun.ok) return begun;
  const session = begun.value;
  // Whoever has the address of a session may write to it: it is sent nowhere else.
  if (!URL.canParse(session) || new URL(session).origin !== new URL(endpoints.storage).origin)
    return fail(
      problem({
        code: 'network.unexpected-answer',
        op,
        subject,
        message: 'Cloud Storage named an address for the upload that is not its own.',
        hint: 'A proxy may stand between.',
      }),
    );
  const gone = await exchange(
    session,
    { method: 'DELETE', headers: { 'content-length': '0' } },
    { op, subject, signal, timeoutMs },
  );
  // 499 is how Cloud Storage says that a session was cancelled; 404 and 410, that it is over.
  return ok({ cancelled: gone.ok && [200, 204, 404, 410, 499].includes(gone.answer.status) });
}
