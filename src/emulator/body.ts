import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
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

const received = new WeakMap<IncomingMessage, number>();

/** The bytes of a request's body that were read so far. */
export function bytesReceived(request: IncomingMessage): number {
  return received.get(request) ?? 0;
}

/**
 * A request's body piece by piece, as buffers. Ends with an exception when the connection is cut. Who stops early leaves the connection open, so
 * that an answer can still be given.
 */
export async function* bodyPieces(request: IncomingMessage): AsyncGenerator<Buffer> {
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    const bytes = piece as Buffer;
    received.set(request, bytesReceived(request) + bytes.length);
    yield bytes;
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
