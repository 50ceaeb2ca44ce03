import { bodyPieces } from '../body.ts';
import type { Context } from '../context.ts';
import { empty, invalid, isError, json, refuse, type Reply } from '../reply.ts';
import { GRANULARITY, type ContentWriter } from './content.ts';
import { objectResource } from './resources.ts';
import type { Session } from './sessions.ts';
import { completeUpload, hashesOfHeader } from './upload.ts';

/** What `Content-Range` says: the first byte, the last one and the total, each unknown as `null`. `query`: only the state is asked for. */
export interface ContentRange {
  readonly query: boolean;
  readonly start: number;
  readonly last: number | null;
  readonly total: number | null;
}

// Accepted: bytes A-B/T, bytes A-B/*, bytes A-*/*, bytes A-*/T, bytes */T, bytes */*.
/** Parses `Content-Range`. `null`: not well formed. Absent: everything from the first byte. */
export function parseContentRange(header: string | undefined): ContentRange | null {
  if (header === undefined) return { query: false, start: 0, last: null, total: null };
  const match = /^bytes\s+(?:(\d+)-(\d+|\*)|\*)\/(\d+|\*)$/.exec(header.trim());
  if (match === null) return null;
  const number = (text: string | undefined): number | null =>
    text === undefined || text === '*' ? null : Number(text);
  const start = number(match[1]);
  const last = number(match[2]);
  const total = number(match[3]);
  if (start !== null && last !== null && last < start) return null;
  if (total !== null && last !== null && last >= total) return null;
  return { query: start === null, start: start ?? 0, last, total };
}

/** Google's own Go client asks for 200 with the real status in a header, so that no proxy takes 308 for a redirect. */
async function incomplete(
  context: Context,
  session: Session,
  { size }: ContentWriter,
): Promise<Reply> {
  await context.emulator.sessions.secure(session);
  const disguised = context.request.headers['x-guploader-no-308'] === 'yes';
  return empty(disguised ? 200 : 308, {
    ...(size === 0 ? {} : { range: `bytes=0-${size - 1}` }),
    ...(disguised ? { 'x-http-status-code-override': '308' } : {}),
  });
}

/** PUT, POST or DELETE on a session's address. */
export async function resumable(context: Context, id: string): Promise<Reply> {
  const session = context.emulator.sessions.find(id);
  if (session === null) return refuse(404, 'notFound', 'Not Found');
  if (session === 'expired') return refuse(410, 'uploadBrokenConnection', 'Gone');
  context.subject.object = session.record.target.name;
  const answer = session.turn.then(() => answerTurn(context, session));
  session.turn = answer.catch(() => undefined);
  return answer;
}

async function answerTurn(context: Context, session: Session): Promise<Reply> {
  const { state, record } = session;
  const { sessions } = context.emulator;
  if (context.method === 'DELETE') {
    if (state === 'receiving') {
      await (await sessions.writer(session)).discard();
      await sessions.end(session, 'cancelled');
    }
    return refuse(499, 'cancelled', 'Client Closed Request');
  }
  if (state === 'cancelled' || state === 'expired') return refuse(410, 'gone', 'Gone');
  if (typeof state === 'object')
    return json(objectResource(state.completed, context.emulator.origin));
  const range = parseContentRange(context.request.headers['content-range']);
  if (range === null) return invalid('Failed to parse Content-Range header.');
  const writer = await sessions.writer(session);
  const total = range.total ?? record.declaredLength;
  if (range.query)
    return range.total !== null && range.total === writer.size
      ? complete(context, session, writer, range.total)
      : incomplete(context, session, writer);
  if (range.start > writer.size)
    return invalid(
      `Invalid request.  According to the Content-Range header, the upload offset is ${range.start} byte(s), which exceeds already uploaded size of ${writer.size} byte(s).`,
    );
  const received = await receive(context, writer, range, total);
  // The client ended its answer where it said it would: the rest is still to come, or nothing is.
  const wanted = range.last === null ? null : range.last + 1;
  if (wanted !== null && received > wanted)
    return invalid(
      `Invalid request.  There were ${received - range.start} byte(s) in the request body.  There should have been ${wanted - range.start} byte(s) (starting at offset ${range.start} and ending at offset ${range.last ?? 0}) according to the Content-Range header.`,
    );
  const ended = wanted === null ? true : received === wanted && total !== null && wanted === total;
  if (ended) return complete(context, session, writer, total);
  return incomplete(context, session, writer);
}

/**
 * Writes the body from the offset on; bytes that are there already are passed over. Where the connection is cut, or a part ends that is not the
 * last, what is kept ends at a multiple of 256 KiB. Answers the offset after the last byte of the body.
 */
async function receive(
  context: Context,
  writer: ContentWriter,
  range: ContentRange,
  total: number | null,
): Promise<number> {
  let offset = range.start;
  let mark = writer.mark();
  const limit = range.last === null ? Infinity : range.last + 1;
  const final = range.last === null || (total !== null && limit === total);
  try {
    for await (const piece of bodyPieces(context.request)) {
      let rest = piece.subarray(Math.min(piece.length, Math.max(0, writer.size - offset)));
      offset += piece.length;
      rest = rest.subarray(0, Math.max(0, rest.length - Math.max(0, offset - limit)));
      while (rest.length > 0) {
        const room = GRANULARITY - (writer.size % GRANULARITY);
        await writer.write(rest.subarray(0, room));
        rest = rest.subarray(room);
        if (writer.size % GRANULARITY === 0) mark = writer.mark();
      }
    }
  } catch (error) {
    await writer.back(mark);
    throw error;
  }
  if (!final || offset < limit)
    if (Number.isFinite(limit) && writer.size !== mark.size) await writer.back(mark);
  return offset;
}

async function complete(
  context: Context,
  session: Session,
  writer: ContentWriter,
  total: number | null,
): Promise<Reply> {
  if (total !== null && writer.size < total) return incomplete(context, session, writer);
  if (total !== null && writer.size > total)
    return invalid(
      `Invalid request.  ${writer.size} byte(s) were uploaded, ${total} byte(s) were announced.`,
    );
  const expected = hashesOfHeader(context.request.headers['x-goog-hash']);
  const { target, file } = session.record;
  const object = await completeUpload(context, target, writer, expected, file);
  if (isError(object)) {
    await context.emulator.sessions.end(session, 'cancelled');
    return object;
  }
  await context.emulator.sessions.end(session, { completed: object });
  return json(objectResource(object, context.emulator.origin));
}
