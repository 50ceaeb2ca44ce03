import { ok, type Result } from '../../shared/problem.ts';
import type { LogPiece } from './read-log.ts';

/** Bytes searched at a time: small enough that the process answers others in between. */
const PIECE = 1_048_576;
const NEWLINE = 10;

export interface FindOptions {
  /** At most `maxBytes` of the log from a byte. */
  readonly read: (offset: number, maxBytes: number) => Promise<Result<LogPiece>>;
  readonly text: string;
  readonly from: number;
  readonly direction: 'next' | 'previous';
  readonly piece?: number;
}

/**
 * The byte where the nearest line begins that has the text in it, or null. `next`: of the lines that begin at `from` or later; `previous`:
 * before `from`. Case of ASCII letters is not looked at; control sequences inside the text hide it. A line longer than a piece is found in parts.
 */
export async function findInLog(options: FindOptions): Promise<Result<number | null>> {
  return options.direction === 'next' ? findNext(options) : findPrevious(options);
}

/** Bytes as characters, one each, in lower case: offsets in the text are offsets in the file. */
const lower = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1').toLowerCase();

async function findNext({
  read,
  text,
  from,
  piece = PIECE,
}: FindOptions): Promise<Result<number | null>> {
  const wanted = lower(Buffer.from(text, 'utf8'));
  // From the byte before: where that ends a line, a line begins at `from`.
  let offset = Math.max(0, from - 1);
  let skips = from > 0;
  for (;;) {
    const chunk = await read(offset, piece);
    if (!chunk.ok) return chunk;
    const { bytes, size } = chunk.value;
    if (bytes.length === 0) return ok(null);
    const isLast = offset + bytes.length >= size;
    const begin = skips ? bytes.indexOf(NEWLINE) + 1 : 0;
    if (skips && begin === 0) {
      if (isLast) return ok(null);
      offset += bytes.length;
      continue;
    }
    skips = false;
    const end = isLast ? bytes.length : wholeLines(bytes);
    const found = lower(bytes.subarray(begin, end)).indexOf(wanted);
    if (found >= 0) return ok(offset + lineStart(bytes, begin + found));
    if (isLast) return ok(null);
    offset += end;
  }
}

async function findPrevious({
  read,
  text,
  from,
  piece = PIECE,
}: FindOptions): Promise<Result<number | null>> {
  const wanted = lower(Buffer.from(text, 'utf8'));
  const known = await read(0, 1);
  if (!known.ok) return known;
  let end = Math.min(from, known.value.size);
  while (end > 0) {
    const begin = Math.max(0, end - piece);
    const chunk = await read(begin, end - begin);
    if (!chunk.ok) return chunk;
    const { bytes } = chunk.value;
    if (bytes.length === 0) return ok(null);
    // The first line is whole only at the beginning of the log; otherwise it is searched with the piece before.
    const first = begin === 0 ? 0 : bytes.indexOf(NEWLINE) + 1;
    const cut = first === bytes.length ? 0 : first;
    const found = lower(bytes.subarray(cut)).lastIndexOf(wanted);
    if (found >= 0) return ok(begin + lineStart(bytes, cut + found));
    end = begin === 0 ? 0 : cut === 0 ? begin : begin + cut;
  }
  return ok(null);
}

/** The length of the whole lines of a piece; of one that has none, all of it. */
function wholeLines(bytes: Uint8Array): number {
  const end = bytes.lastIndexOf(NEWLINE) + 1;
  return end === 0 ? bytes.length : end;
}

function lineStart(bytes: Uint8Array, at: number): number {
  return at === 0 ? 0 : bytes.lastIndexOf(NEWLINE, at - 1) + 1;
}
