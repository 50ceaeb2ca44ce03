import type { Wire, WireAnswer } from './wire.ts';

/** Bytes per millisecond below which a body is as good as none: a KiB a second. */
const LEAST_RATE = 1024 / 1000;

class TooSlow extends Error {
  readonly code = 'TOO_SLOW';
  constructor() {
    super('too slow');
    this.name = 'TimeoutError';
  }
}

export const isTooSlow = (error: unknown): boolean => error instanceof TooSlow;

/**
 * The body of an answer, broken off where it brings hardly anything for `wire.trickleMs`: each byte comes before the connection counts as
 * stalled, and the end never does. Only the time that is spent waiting for it counts.
 */
export async function* unlessTrickling(wire: Wire, answer: WireAnswer): AsyncGenerator<Uint8Array> {
  const parts = (answer.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  let waited = 0;
  let bytes = 0;
  try {
    for (;;) {
      const asked = performance.now();
      const part = await parts.next();
      waited += performance.now() - asked;
      if (part.done === true) return;
      bytes += part.value.length;
      if (waited >= wire.trickleMs) {
        if (bytes < waited * LEAST_RATE) throw new TooSlow();
        waited = 0;
        bytes = 0;
      }
      yield part.value;
    }
  } finally {
    await parts.return?.();
  }
}
