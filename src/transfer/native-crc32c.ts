import { createRequire } from 'node:module';

/** CRC32C (Castagnoli) of `bytes`, continued from `previous`, the checksum of what came before (0 at the beginning). */
export type Crc32cFunction = (bytes: Uint8Array, previous: number) => number;

/** Which implementation is at work: told by `trainyard hosts check` and the bench. */
export type Crc32cKind = 'native' | 'javascript';

interface Native {
  crc32c(bytes: Uint8Array, previous?: number | null): number;
}

/**
 * Where the native code is looked for: beside the bundle (the agent's folder holds `crc32c.node`), then the installed package,
 * which also brings the WebAssembly build where there is one.
 */
const PLACES = ['./crc32c.node', '@node-rs/crc32'];

/** The check value of CRC32C: the checksum of the nine digits (https://reveng.sourceforge.io/crc-catalogue/all.htm). */
const CHECK = { text: '123456789', value: 0xe3069283 };

const TABLE = Int32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** The same in plain JavaScript: right everywhere, about twenty times slower. */
export const javascriptCrc32c: Crc32cFunction = (bytes, previous) => {
  let crc = ~previous;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return ~crc >>> 0;
};

function isNative(value: unknown): value is Native {
  return (
    typeof value === 'object' &&
    value !== null &&
    'crc32c' in value &&
    typeof value.crc32c === 'function'
  );
}

function load(): { readonly kind: Crc32cKind; readonly crc32c: Crc32cFunction } {
  const require = createRequire(import.meta.url);
  for (const place of PLACES) {
    try {
      const loaded: unknown = require(place);
      if (!isNative(loaded)) continue;
      const crc32c: Crc32cFunction = (bytes, previous) => loaded.crc32c(bytes, previous);
      if (crc32c(new TextEncoder().encode(CHECK.text), 0) === CHECK.value)
        return { kind: 'native', crc32c };
    } catch {
      // Not there, or made for another platform: the next one.
    }
  }
  return { kind: 'javascript', crc32c: javascriptCrc32c };
}

const loaded = load();

export const crc32cKind: Crc32cKind = loaded.kind;
/** The fastest implementation that is there. */
export const crc32c: Crc32cFunction = loaded.crc32c;
