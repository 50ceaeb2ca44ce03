/**
 * Reads a `multipart/related` body of two parts: metadata, then content (RFC 2387). Lines may end with CRLF or, as some clients send them,
 * LF alone; the first delimiter tells which. A part may lack headers.
 */
export interface MultipartContent {
  /** The text of the first part. */
  readonly metadata: string;
  /** `Content-Type` of the second part. */
  readonly contentType: string | null;
}

const HEAD_LIMIT = 1024 * 1024;

/** The boundary of a Content-Type header; `null` when it is not multipart. */
export function boundaryOf(header: string): string | null {
  const match = /^multipart\/[a-z-]+\s*;.*?boundary=(?:"([^"]+)"|'([^']+)'|([^\s;]+))/i.exec(
    header,
  );
  return match?.[1] ?? match?.[2] ?? match?.[3] ?? null;
}

/**
 * Parses the body and hands the content to `write` piece by piece. `begin` is called once the metadata is known, before any content; its
 * refusal ends the reading. Resolves to a sentence when the body is not well formed, else to what `begin` answered.
 */
export async function readMultipart<R extends object>(
  pieces: AsyncIterable<Buffer>,
  boundary: string,
  begin: (head: MultipartContent) => Promise<R | null>,
  write: (piece: Buffer) => Promise<void>,
): Promise<{ readonly malformed: string } | R | null> {
  const iterator = pieces[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    const next = await iterator.next();
    if (next.done === true) return false;
    held = held.length === 0 ? next.value : Buffer.concat([held, next.value]);
    return true;
  };

  let head: { head: MultipartContent; length: number; lineEnd: string } | null = null;
  while ((head = parseHead(held, boundary)) === null) {
    if (held.length > HEAD_LIMIT) return { malformed: 'The metadata part is too large.' };
    if (!(await more())) return { malformed: 'The multipart body has no metadata part.' };
  }
  const refusal = await begin(head.head);
  if (refusal !== null) return refusal;

  // The line end before the content is kept for now: a delimiter may begin with it, when there is no content at all.
  let skip = head.lineEnd.length;
  held = held.subarray(head.length - skip);
  const emit = async (piece: Buffer): Promise<void> => {
    const wanted = piece.subarray(skip);
    skip -= Math.min(skip, piece.length);
    if (wanted.length > 0) await write(wanted);
  };
  const delimiter = Buffer.from(`${head.lineEnd}--${boundary}`);
  let at = 0;
  for (;;) {
    const found = held.indexOf(delimiter, at);
    if (found >= 0) {
      const after = held.subarray(found + delimiter.length);
      if (after.length < 2 && (await more())) continue;
      const next = after.subarray(0, 2).toString('latin1');
      if (next === '--' || next.startsWith(head.lineEnd)) {
        await emit(held.subarray(0, found));
        while (!(await iterator.next()).done);
        return null;
      }
      at = found + 1;
      continue;
    }
    const safe = held.length - delimiter.length;
    if (safe > 0) {
      await emit(held.subarray(0, safe));
      held = held.subarray(safe);
    }
    at = 0;
    if (!(await more())) return { malformed: 'The multipart body has no closing delimiter.' };
  }
}

/** The parts' heads, once all of them is there. `length`: bytes before the content, from the first of the body. */
function parseHead(
  held: Buffer,
  boundary: string,
): { head: MultipartContent; length: number; lineEnd: string } | null {
  const text = held.toString('latin1');
  const opening = text.startsWith(`--${boundary}`) ? 0 : text.indexOf(`\n--${boundary}`) + 1;
  if (opening === 0 && !text.startsWith(`--${boundary}`)) return null;
  const firstLine = text.indexOf('\n', opening);
  if (firstLine < 0) return null;
  const lineEnd = text[firstLine - 1] === '\r' ? '\r\n' : '\n';
  const metadataFrom = bodyStart(text, firstLine + 1, lineEnd);
  if (metadataFrom === null) return null;
  const second = text.indexOf(`${lineEnd}--${boundary}${lineEnd}`, metadataFrom);
  if (second < 0) return null;
  const partFrom = second + lineEnd.length + 2 + boundary.length + lineEnd.length;
  const contentFrom = bodyStart(text, partFrom, lineEnd);
  if (contentFrom === null) return null;
  const contentType = /^content-type:[ \t]*(.*?)[ \t\r]*$/im.exec(
    text.slice(partFrom, contentFrom),
  )?.[1];
  return {
    head: {
      metadata: Buffer.from(text.slice(metadataFrom, second), 'latin1').toString('utf8'),
      contentType: contentType ?? null,
    },
    length: contentFrom,
    lineEnd,
  };
}

/** Where a part's body begins: after the blank line. `null`: not there yet. */
function bodyStart(text: string, from: number, lineEnd: string): number | null {
  if (text.startsWith(lineEnd, from)) return from + lineEnd.length;
  const blank = text.indexOf(lineEnd + lineEnd, from);
  return blank < 0 ? null : blank + 2 * lineEnd.length;
}
