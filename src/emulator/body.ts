import type { IncomingMessage } from 'node:http';
import type * as z from 'zod';
import { bodyNotServed } from './not-served.ts';
import { invalid, refuse, type ErrorReply } from './reply.ts';

/** Largest JSON body that is read, bytes. */
const JSON_LIMIT = 1024 * 1024;

/** The whole body; `null` when it is longer than `limit` bytes. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer | null> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of bodyPieces(request)) {
    size += piece.length;
    if (size > limit) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** How a request's body is read: the one place where its bytes pass, so that faults can be put in between. */
interface Body {
  readonly source: AsyncIterator<Buffer>;
  /** Pieces that were looked at before they were asked for. */
  readonly ahead: Buffer[];
  received: number;
  shape: ((pieces: AsyncIterable<Buffer>) => AsyncIterable<Buffer>) | null;
}

const bodies = new WeakMap<IncomingMessage, Body>();

function bodyOf(request: IncomingMessage): Body {
  const known = bodies.get(request);
  if (known !== undefined) return known;
  const source = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  const body: Body = { source, ahead: [], received: 0, shape: null };
  bodies.set(request, body);
  return body;
}

/** The bytes of a request's body that were read so far. */
export function bytesReceived(request: IncomingMessage): number {
  return bodies.get(request)?.received ?? 0;
}

/** Has the body pass through `shape` when it is read. */
export function shapeBody(request: IncomingMessage, shape: NonNullable<Body['shape']>): void {
  bodyOf(request).shape = shape;
}

/** Looks at the beginning of the body, until it is `enough` or `limit` bytes long or ends; who reads the body later gets it all the same. */
export async function peekBody(
  request: IncomingMessage,
  limit: number,
  enough: (text: string) => boolean,
): Promise<string> {
  const { source, ahead } = bodyOf(request);
  let text = '';
  while (text.length < limit && !enough(text)) {
    const next = await source.next();
    if (next.done === true) break;
    ahead.push(next.value);
    text = Buffer.concat(ahead).toString('utf8');
  }
  return text;
}

/** Reads on to nowhere what is left of a body that was begun, so that the connection can serve the next request. */
export async function dropBody(request: IncomingMessage): Promise<void> {
  const body = bodies.get(request);
  if (body === undefined || request.readableEnded || request.destroyed) return;
  await body.source.return?.();
  request.resume();
}

/**
 * A request's body piece by piece, as buffers. Ends with an exception when the connection is cut. Who stops early leaves the connection open, so
 * that an answer can still be given.
 */
export function bodyPieces(request: IncomingMessage): AsyncIterable<Buffer> {
  const body = bodyOf(request);
  const pieces = rawPieces(body);
  return body.shape === null ? pieces : body.shape(pieces);
}

async function* rawPieces(body: Body): AsyncGenerator<Buffer> {
  while (true) {
    const ahead = body.ahead.shift();
    const next =
      ahead === undefined ? await body.source.next() : { done: false as const, value: ahead };
    if (next.done === true) return;
    body.received += next.value.length;
    yield next.value;
  }
}

export type JsonBody<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reply: ErrorReply };

/** Checks JSON text against a schema; an empty text, and `null`, which some clients send for nothing, is `{}`. Errors: 400 as Google words it. */
export function parseJson<T>(text: string, schema: z.ZodType<T>): JsonBody<T> {
  let value: unknown;
  try {
    value = (text.trim() === '' ? null : JSON.parse(text)) ?? {};
  } catch {
    return { ok: false, reply: refuse(400, 'parseError', 'Parse Error') };
  }
  const notServed = bodyNotServed(value);
  if (notServed !== null) return { ok: false, reply: notServed };
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, value: parsed.data };
  const issue = parsed.error.issues[0];
  const where = issue?.path.map(String).join('.') ?? '';
  return { ok: false, reply: invalid(`Invalid value for: ${where}: ${issue?.message ?? ''}`) };
}

/** Reads a JSON body and checks it. */
export async function readJson<T>(
  request: IncomingMessage,
  schema: z.ZodType<T>,
): Promise<JsonBody<T>> {
  const body = await readBody(request, JSON_LIMIT);
  if (body === null)
    return { ok: false, reply: refuse(413, 'uploadTooLarge', 'The body is too large.') };
  return parseJson(body.toString('utf8'), schema);
}
