import type { Attempt } from '../google/retry.ts';
import { fail, ok, problem, type Problem, type Result } from '../shared/problem.ts';
import { DiskFault } from './disk.ts';
import { readCreated, uploadPath, type Created, type UploadItem } from './upload-object.ts';
import {
  addressOf,
  ask,
  brokenOff,
  exchangeOnce,
  headerOf,
  retried,
  type Wire,
  type WireAnswer,
  type WireRequest,
} from './wire.ts';

/**
 * Resumable uploads (https://cloud.google.com/storage/docs/performing-resumable-uploads). A session's address lives a week and is a
 * credential of its own: it appears in no problem and no log.
 */

/** What a session is fed from. Offsets count from the first byte of the object. */
export interface SessionSource {
  /** The stretch to send from `offset`: a multiple of 256 KiB long unless it is the last. Throws a {@link DiskFault}. */
  next(offset: number): Promise<{ readonly end: number; readonly last: boolean }>;
  /** The bytes of a stretch that `next` named. May be asked for again. Throws a {@link DiskFault}. */
  read(from: number, to: number): AsyncIterable<Uint8Array>;
  /** Why the object must not be completed, asked before its last stretch; null where all is well. */
  veto(): Promise<Problem | null>;
  /** Bytes that the bucket has. */
  onOffset(offset: number): void;
}

export type SessionEnd =
  | { readonly kind: 'created'; readonly created: Created }
  /** The name is taken. */
  | { readonly kind: 'clash' }
  /** The session is not known any more. */
  | { readonly kind: 'gone' }
  /** The source must not be completed; the session was cancelled. */
  | { readonly kind: 'vetoed'; readonly problem: Problem };

type Step = SessionEnd | { readonly kind: 'offset'; readonly offset: number };

/** Opens a session for a new object. Makes nothing yet. The address is the bucket's service's, or it is refused. */
export function startSession(
  wire: Wire,
  item: Pick<UploadItem, 'name' | 'contentType'>,
  size: number | null,
): Promise<Result<{ readonly address: string } | 'clash'>> {
  return ask<{ readonly address: string } | 'clash'>(
    wire,
    'upload',
    addressOf(wire.bucket, item.name),
    () => ({
      op: 'upload',
      subject: addressOf(wire.bucket, item.name),
      object: item.name,
      method: 'POST',
      path: uploadPath(wire, 'resumable', item.name),
      permission: 'storage.objects.create',
      headers: {
        'content-type': 'application/json; charset=UTF-8',
        'x-upload-content-type': item.contentType,
        ...(size === null ? {} : { 'x-upload-content-length': String(size) }),
      },
      body: Buffer.from(JSON.stringify({ name: item.name, contentType: item.contentType })),
    }),
    async (answer, request) => {
      if (answer.statusCode !== 200 && answer.statusCode !== 201) {
        const refused = await readCreated(wire, request, answer);
        return refused.ok ? { ok: true, value: 'clash' } : refused;
      }
      await answer.body.dump();
      const location = headerOf(answer, 'location') ?? '';
      const origin = new URL(wire.endpoints.storage).origin;
      const address = URL.canParse(location) ? new URL(location) : null;
      // Only its path is kept: bytes go nowhere but to the endpoint in force.
      if (address?.origin === origin)
        return { ok: true, value: { address: address.pathname + address.search } };
      return {
        ok: false,
        problem: problem({
          code: 'storage.answer',
          op: 'upload',
          subject: request.subject,
          message: 'The bucket gave no usable address for the upload.',
          hint: 'Try again; if it goes on, a proxy may change the answers.',
          retryable: true,
        }),
      };
    },
  );
}

function sessionRequest(
  wire: Wire,
  name: string,
  address: string,
  range: string,
  body?: { readonly length: number; readonly bytes: AsyncIterable<Uint8Array> },
): WireRequest {
  return {
    op: 'upload',
    subject: addressOf(wire.bucket, name),
    object: name,
    method: 'PUT',
    path: address,
    permission: 'storage.objects.create',
    headers: { 'content-range': range, 'content-length': String(body?.length ?? 0) },
    ...(body === undefined ? {} : { body: body.bytes }),
  };
}

async function readStep(
  wire: Wire,
  answer: WireAnswer,
  request: WireRequest,
): Promise<Attempt<Step>> {
  switch (answer.statusCode) {
    case 308: {
      await answer.body.dump();
      const range = /^bytes=0-(\d+)$/.exec(headerOf(answer, 'range') ?? '');
      return {
        ok: true,
        value: { kind: 'offset', offset: range === null ? 0 : Number(range[1]) + 1 },
      };
    }
    case 404:
    case 410:
    case 499:
      await answer.body.dump();
      return { ok: true, value: { kind: 'gone' } };
    default: {
      const outcome = await readCreated(wire, request, answer);
      if (!outcome.ok) return outcome;
      if ('clash' in outcome.value) return { ok: true, value: { kind: 'clash' } };
      const { created } = outcome.value;
      // The session was begun for another name: that of the file was damaged on the way.
      if (created.name !== request.object) return { ok: true, value: { kind: 'gone' } };
      return { ok: true, value: { kind: 'created', created } };
    }
  }
}

/** Asks a session how far it is: an offset, or what became of it. `total` is null while nobody knows the size. */
function askOffset(
  wire: Wire,
  name: string,
  address: string,
  total: number | null,
): Promise<Attempt<Step>> {
  const request = sessionRequest(wire, name, address, `bytes */${total ?? '*'}`);
  return exchangeOnce(wire, null, request, (answer) => readStep(wire, answer, request));
}

/** How far a session of an earlier attempt is. */
export function sessionOffset(
  wire: Wire,
  name: string,
  address: string,
  total: number | null,
): Promise<Result<Step>> {
  return retried(
    wire,
    'upload',
    addressOf(wire.bucket, name),
    () => askOffset(wire, name, address, total),
    { anonymous: true },
  );
}

/** Gives a session up. Of no consequence when it fails: sessions end by themselves within a week. */
export async function cancelSession(wire: Wire, name: string, address: string): Promise<void> {
  const request: WireRequest = {
    op: 'upload',
    subject: addressOf(wire.bucket, name),
    object: name,
    method: 'DELETE',
    path: address,
    permission: 'storage.objects.create',
    headers: { 'content-length': '0' },
  };
  await exchangeOnce(wire, null, request, (answer) => answer.body.dump()).catch(() => undefined);
}

/** Sends one stretch; after a break the session is asked first how far it is. */
async function sendStretch(
  wire: Wire,
  item: UploadItem,
  address: string,
  source: SessionSource,
  from: number,
): Promise<Result<Step>> {
  let first: { readonly end: number; readonly last: boolean };
  try {
    first = await source.next(from);
    const veto = first.last ? await source.veto() : null;
    if (veto !== null) {
      await cancelSession(wire, item.name, address);
      return ok({ kind: 'vetoed', problem: veto });
    }
  } catch (error) {
    if (error instanceof DiskFault) return fail(error.problem);
    throw error;
  }
  const { end, last } = first;
  const total = last ? end : null;
  let doubtful = false;
  let fault: Problem | null = null;

  const attempt = async (): Promise<Attempt<Step>> => {
    if (doubtful) {
      const there = await askOffset(wire, item.name, address, total);
      // With progress, or an end, the attempts begin anew.
      if (!there.ok || there.value.kind !== 'offset' || there.value.offset !== from) return there;
    }
    const range = from === end ? '*' : `${from}-${end - 1}`;
    const request = sessionRequest(wire, item.name, address, `bytes ${range}/${total ?? '*'}`, {
      length: end - from,
      bytes: source.read(from, end),
    });
    doubtful = true;
    try {
      const step = await exchangeOnce(wire, null, request, (answer) =>
        readStep(wire, answer, request),
      );
      if (step.ok && step.value.kind === 'offset' && step.value.offset <= from)
        return stuck(request);
      return step;
    } catch (error) {
      if (error instanceof DiskFault) fault = error.problem;
      return fault === null ? brokenOff(wire, request, error) : { ok: false, problem: fault };
    }
  };
  return retried(wire, 'upload', addressOf(wire.bucket, item.name), attempt, {
    anonymous: true,
    bytes: end - from,
  });
}

const stuck = (request: WireRequest): Attempt<Step> => ({
  ok: false,
  problem: problem({
    code: 'storage.answer',
    op: request.op,
    subject: request.subject,
    message: 'The bucket took none of the bytes that were sent.',
    hint: 'Try again later.',
    retryable: true,
  }),
});

/** How often a session may say that it has less than it said before. */
const RETREATS = 5;

/** Feeds a session from `offset` to its end. One that again and again has less than it said is given up. */
export async function feedSession(
  wire: Wire,
  item: UploadItem,
  address: string,
  source: SessionSource,
  offset: number,
): Promise<Result<SessionEnd>> {
  let retreats = 0;
  for (let at = offset; ;) {
    source.onOffset(at);
    const step = await sendStretch(wire, item, address, source, at);
    if (!step.ok) return step;
    if (step.value.kind !== 'offset') return ok(step.value);
    if (step.value.offset < at && (retreats += 1) > RETREATS)
      return fail(
        problem({
          code: 'storage.answer',
          op: 'upload',
          subject: addressOf(wire.bucket, item.name),
          message: 'The bucket says again and again that it has less than it said before.',
          hint: 'Try again; if it goes on, a proxy may change the answers.',
          retryable: true,
        }),
      );
    at = step.value.offset;
  }
}
