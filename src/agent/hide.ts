const MASK = Buffer.from('[hidden]');

/** Takes a secret out of a stream of bytes, also where it comes in pieces. */
export interface Hider {
  /** What may be shown of what came so far. */
  take(chunk: Buffer): Buffer;
  /** What was held back: it was no secret after all. */
  rest(): Buffer;
}

export function hide(secret: string): Hider {
  const wanted = Buffer.from(secret);
  let held: Buffer = Buffer.alloc(0);
  /** How many bytes at the end may be the beginning of the secret. */
  const begun = (data: Buffer): number => {
    for (let size = Math.min(wanted.length - 1, data.length); size > 0; size -= 1)
      if (data.subarray(-size).equals(wanted.subarray(0, size))) return size;
    return 0;
  };
  return {
    take(chunk) {
      const shown: Buffer[] = [];
      let data = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      for (let at = data.indexOf(wanted); at >= 0; at = data.indexOf(wanted)) {
        shown.push(data.subarray(0, at), MASK);
        data = data.subarray(at + wanted.length);
      }
      const kept = begun(data);
      shown.push(data.subarray(0, data.length - kept));
      held = Buffer.from(data.subarray(data.length - kept));
      return Buffer.concat(shown);
    },
    rest() {
      const rest = held;
      held = Buffer.alloc(0);
      return rest;
    },
  };
}
