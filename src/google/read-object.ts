import { isBucketName } from '../shared/address.ts';
import { fail, ok, problem, type Result } from '../shared/problem.ts';
import type { StorageAccess } from './client.ts';
import { explainHttpError, type StorageContext } from './http-error.ts';
import { fetchFor } from './proxy.ts';
import { cancelledProblem, isAborted, parseRetryAfter, readUpTo } from './http.ts';
import { assertOwnListener } from './listener.ts';
import { isObjectName, type ObjectRequest } from './listing.ts';
import { explainNetworkError } from './network-problem.ts';
import { waitForNetwork } from './network-time.ts';
import { withRetry, type Attempt } from './retry.ts';

/** One attempt, its bytes included; milliseconds. */
const TIMEOUT_MS = 30_000;
/** Of an answer that is a refusal, this much is read; bytes. */
const REFUSAL_LIMIT = 65_536;

export interface ReadStartRequest extends StorageAccess, ObjectRequest {
  /** At least 1. */
  readonly maxBytes: number;
}

export interface ObjectStart {
  /** At most `maxBytes`, unpacked where the object is stored with `contentEncoding: gzip`. */
  readonly bytes: Uint8Array;
  /** The object has nothing after them. */
  readonly complete: boolean;
}

/**
 * The first bytes of an object, for a look at it, through the proxy that is set for it; whole objects are fetched by
 * src/transfer, with their checksums. Asks for a range, and reads no more than that also where the answer is longer. Needs `storage.objects.get` on it.
 * Errors: `input.object-name`, `storage.object-not-found`, `access.get-refused`, those of `explainHttpError`, `explainNetworkError` and
 * `withRetry`.
 */
export async function readObjectStart(request: ReadStartRequest): Promise<Result<ObjectStart>> {
  const { bucket, name, generation, maxBytes, endpoints, tokens, signal } = request;
  const subject = `gs://${bucket}/${name}`;
  const op = 'read an object';
  if (!isBucketName(bucket) || !isObjectName(name))
    return fail(
      problem({
        code: 'input.object-name',
        op,
        subject,
        message: 'No object can have this address.',
        hint: 'Check it for a typing mistake.',
      }),
    );
  const context: StorageContext = {
    op,
    subject,
    bucket,
    object: name,
    permission: 'storage.objects.get',
    email: tokens?.email ?? null,
  };
  const wanted = generation === undefined ? '' : `&generation=${encodeURIComponent(generation)}`;
  const address = `${endpoints.storage}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}?alt=media${wanted}`;

  const attempt = async (token: string | null): Promise<Attempt<ObjectStart>> => {
    const deadline = AbortSignal.timeout(Math.min(request.deadlineMs ?? TIMEOUT_MS, TIMEOUT_MS));
    try {
      assertOwnListener(address);
      const ask = await fetchFor(address);
      const answer = await ask(address, {
        redirect: 'manual',
        signal: AbortSignal.any([signal, deadline]),
        headers: {
          // As it is stored, so that the range holds; what is stored as gzip is unpacked here.
          'accept-encoding': 'gzip',
          range: `bytes=0-${maxBytes - 1}`,
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        },
      });
      if (answer.status === 416) {
        // No range of an empty object can be had.
        await answer.body?.cancel();
        return ok({ bytes: new Uint8Array(), complete: true });
      }
      if (answer.status !== 200 && answer.status !== 206) {
        const { bytes } = await readUpTo(answer, REFUSAL_LIMIT);
        return {
          ok: false,
          problem: explainHttpError(answer.status, bytes.toString(), context),
          retryAfterMs: parseRetryAfter(answer.headers.get('retry-after'), Date.now()),
          unauthorized: answer.status === 401,
        };
      }
      const { bytes, cut } = await readUpTo(answer, maxBytes);
      const partial = endsBefore(answer.headers.get('content-range'));
      return ok({ bytes, complete: !cut && !partial });
    } catch (error) {
      return fail(
        isAborted(signal)
          ? cancelledProblem({ op, subject })
          : explainNetworkError(error, address, { op, subject }),
      );
    }
  };

  return withRetry<ObjectStart>(op, ({ token }) => waitForNetwork(() => attempt(token)), {
    signal,
    tokens,
    subject,
    ...(request.deadlineMs === undefined ? {} : { deadlineMs: request.deadlineMs }),
    ...(request.onRetry === undefined ? {} : { onRetry: request.onRetry }),
  });
}

/** Whether `bytes 0-65535/100000` leaves something out. */
function endsBefore(range: string | null): boolean {
  const match = /^bytes \d+-(\d+)\/(\d+)$/.exec(range ?? '');
  return match !== null && Number(match[1]) + 1 < Number(match[2]);
}
