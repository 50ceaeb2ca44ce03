import { setTimeout as sleep } from 'node:timers/promises';

/** The emulator itself ended a connection: nobody is to be answered, and nothing went wrong. */
export class ConnectionCut extends Error {}

type Pieces = AsyncIterable<Buffer>;

/** Waits; ends with {@link ConnectionCut} as soon as the connection is closed. */
export async function pause(milliseconds: number, closed: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal: closed });
  } catch {
    throw new ConnectionCut();
  }
}

/** Passes `count` bytes, then waits for `act`, also where the body ends there; a body that is shorter passes untouched. */
export async function* actAfter(
  source: Pieces,
  count: number,
  act: () => Promise<void>,
): AsyncGenerator<Buffer> {
  let left = count;
  let acted = false;
  for await (const piece of source) {
    let rest = piece;
    if (!acted && rest.length >= left) {
      if (left > 0) yield rest.subarray(0, left);
      rest = rest.subarray(left);
      acted = true;
      await act();
    } else {
      left -= rest.length;
    }
    if (rest.length > 0) yield rest;
  }
}

/** Flips a bit of the byte at the offset. */
export async function* flipAt(
  source: Pieces,
  offset: number,
  took: () => void,
): AsyncGenerator<Buffer> {
  let from = 0;
  for await (const piece of source) {
    const at = offset - from;
    from += piece.length;
    if (at < 0 || at >= piece.length) {
      yield piece;
      continue;
    }
    const wrong = Buffer.from(piece);
    wrong[at] = (wrong[at] ?? 0) ^ 1;
    took();
    yield wrong;
  }
}

/** Leaves out the last `count` bytes. */
export async function* withoutLast(source: Pieces, count: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let size = 0;
  for await (const piece of source) {
    held.push(piece);
    size += piece.length;
    if (size <= count) continue;
    const all = Buffer.concat(held);
    yield all.subarray(0, size - count);
    held = [all.subarray(size - count)];
    size = count;
  }
}

/** Adds `count` bytes, of which none is 0. */
export async function* withMore(source: Pieces, count: number): AsyncGenerator<Buffer> {
  yield* source;
  for (let left = count; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536), '+');
}

/** How often a second bytes are let through where the bandwidth is limited. */
const TICKS = 20;

/** Passes so many bytes a second, in small portions. */
export async function* limitRate(
  source: Pieces,
  bytesPerSecond: number,
  closed: AbortSignal,
): AsyncGenerator<Buffer> {
  const portion = Math.max(1, Math.floor(bytesPerSecond / TICKS));
  const started = performance.now();
  let passed = 0;
  for await (const piece of source)
    for (let at = 0; at < piece.length; at += portion) {
      const part = piece.subarray(at, at + portion);
      passed += part.length;
      const due = started + (passed / bytesPerSecond) * 1000;
      const wait = due - performance.now();
      if (wait > 0) await pause(wait, closed);
      yield part;
    }
}
