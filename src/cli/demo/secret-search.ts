import { readFileSync } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import path from 'node:path';

/**
 * Looks for any piece of a private key in files: every window of 20 bytes of its DER, raw, as hexadecimal digits of either case,
 * and as base64 (also the variant for addresses) in each of the three alignments, which covers the lines of a PEM too.
 *
 * How: an occurrence of a window is a run of at least 20 equal bytes (40 hexadecimal digits, 26 base64 characters). Such a run holds
 * a group of four bytes at one of every {@link STRIDE} places of the file, so only those places are looked up in a table of all
 * groups of all encodings; a hit is then widened byte by byte to tell a real run from chance.
 */
export interface SecretSearch {
  /** The first piece found, or null. */
  inBytes(bytes: Uint8Array): SecretMatch | null;
  /** Streams the file. A file that vanished holds nothing. */
  inFile(file: string): Promise<SecretMatch | null>;
  /** Every regular file below the folder; links are not followed. */
  inTree(folder: string): Promise<TreeSearch>;
}

export interface SecretMatch {
  readonly encoding: string;
  /** Where in the file the run begins. */
  readonly offset: number;
  /** How long it is, in bytes of the file. */
  readonly length: number;
}

export interface TreeSearch {
  readonly files: number;
  readonly bytes: number;
  readonly found: readonly { readonly file: string; readonly match: SecretMatch }[];
}

interface Encoding {
  readonly name: string;
  readonly text: Buffer;
  /** The run that a window of {@link WINDOW} bytes leaves in this encoding. */
  readonly shortest: number;
}

/** Bytes of a piece that counts as leaked. */
export const WINDOW = 20;
/** A run of 20 bytes holds a group of four at each of 17 consecutive places. */
const STRIDE = 16;
const TABLE_BITS = 20;
const CHUNK = 4 << 20;
/** Bytes up to which a file is read in one go. */
const SMALL = 64 << 10;
/** Longer than the longest shortest run, so that a run over the border of two chunks lies whole in one of them. */
const OVERLAP = 64;

/** Every way in which the bytes might be written down. */
export function encodingsOf(secret: Uint8Array): readonly Encoding[] {
  const raw = Buffer.from(secret);
  const hexadecimal = raw.toString('hex');
  const encodings: Encoding[] = [
    { name: 'raw bytes', text: raw, shortest: WINDOW },
    { name: 'hexadecimal', text: Buffer.from(hexadecimal), shortest: WINDOW * 2 },
    {
      name: 'hexadecimal in capitals',
      text: Buffer.from(hexadecimal.toUpperCase()),
      shortest: WINDOW * 2,
    },
  ];
  for (const before of [0, 1, 2]) {
    // Bytes in front shift the alignment; the characters that they take part in are cut off, and so is an unfinished last one.
    const whole = Buffer.concat([Buffer.alloc(before), raw]);
    const first = Math.ceil((before * 8) / 6);
    const last = Math.floor((whole.length * 8) / 6);
    const text = whole.toString('base64').slice(first, last);
    const shortest = Math.floor((WINDOW * 8 - (first * 6 - before * 8)) / 6);
    const name = `base64, alignment ${before}`;
    encodings.push({ name, text: Buffer.from(text), shortest });
    const forAddresses = text.replaceAll('+', '-').replaceAll('/', '_');
    encodings.push({ name: `${name}, for addresses`, text: Buffer.from(forAddresses), shortest });
  }
  return encodings;
}

/** Prepares the search for one secret, for example the PKCS#8 DER of a private key; at least {@link WINDOW} bytes. */
export function createSecretSearch(secret: Uint8Array): SecretSearch {
  if (secret.length < WINDOW)
    throw new Error(`A secret of fewer than ${WINDOW} bytes cannot be searched for.`);
  const encodings = encodingsOf(secret);
  const groups = new Uint8Array(1 << TABLE_BITS);
  const places = new Map<number, { encoding: Encoding; at: number }[]>();
  for (const encoding of encodings)
    for (let at = 0; at + 4 <= encoding.text.length; at += 1) {
      const group = encoding.text.readUInt32LE(at);
      groups[slot(group)] = 1;
      const known = places.get(group);
      if (known === undefined) places.set(group, [{ encoding, at }]);
      else known.push({ encoding, at });
    }

  const inBuffer = (bytes: Buffer): SecretMatch | null => {
    const end = bytes.length - 4;
    for (let offset = 0; offset <= end; offset += STRIDE) {
      const group = bytes.readUInt32LE(offset);
      if (groups[slot(group)] === 0) continue;
      for (const { encoding, at } of places.get(group) ?? []) {
        const match = widen(bytes, offset, encoding, at);
        if (match !== null) return match;
      }
    }
    return null;
  };

  const inFile = async (file: string): Promise<SecretMatch | null> => {
    const handle = await open(file, 'r').catch((error: unknown) => {
      if (isGone(error)) return null;
      throw error;
    });
    if (handle === null) return null;
    try {
      const size = Math.min((await handle.stat()).size, CHUNK);
      const buffer = Buffer.allocUnsafe(OVERLAP + Math.max(size, 1) + 1);
      let kept = 0;
      let start = 0;
      for (;;) {
        const { bytesRead } = await handle.read(buffer, kept, buffer.length - kept);
        if (bytesRead === 0) return null;
        const length = kept + bytesRead;
        const match = inBuffer(buffer.subarray(0, length));
        if (match !== null) return { ...match, offset: match.offset + start };
        kept = Math.min(OVERLAP, length);
        buffer.copy(buffer, 0, length - kept, length);
        start += length - kept;
      }
    } finally {
      await handle.close();
    }
  };

  /** Thousands of small files are read faster in one go each. */
  const inSmallFile = (file: string): SecretMatch | null => {
    try {
      return inBuffer(readFileSync(file));
    } catch (error) {
      if (isGone(error)) return null;
      throw error;
    }
  };

  const inTree = async (folder: string): Promise<TreeSearch> => {
    let files = 0;
    let bytes = 0;
    const found: { file: string; match: SecretMatch }[] = [];
    for await (const { file, size } of regularFiles(folder)) {
      files += 1;
      bytes += size;
      const match = size <= SMALL ? inSmallFile(file) : await inFile(file);
      if (match !== null) found.push({ file, match });
    }
    return { files, bytes, found };
  };

  return {
    inBytes: (bytes) => inBuffer(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)),
    inFile,
    inTree,
  };
}

const slot = (group: number): number => Math.imul(group, 0x9e3779b1) >>> (32 - TABLE_BITS);

/** The run of equal bytes around a place, or null where it is too short to hold a window. */
function widen(bytes: Buffer, offset: number, encoding: Encoding, at: number): SecretMatch | null {
  const { text, shortest, name } = encoding;
  let before = 0;
  while (before < offset && before < at && bytes[offset - before - 1] === text[at - before - 1])
    before += 1;
  let after = 4;
  while (
    offset + after < bytes.length &&
    at + after < text.length &&
    bytes[offset + after] === text[at + after]
  )
    after += 1;
  const length = before + after;
  return length >= shortest ? { encoding: name, offset: offset - before, length } : null;
}

async function* regularFiles(folder: string): AsyncGenerator<{ file: string; size: number }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isGone(error)) return [];
    throw error;
  });
  for (const entry of entries) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* regularFiles(file);
    else if (entry.isFile()) {
      const size = await lstat(file).then(
        (status) => status.size,
        () => 0,
      );
      yield { file, size };
    }
  }
}

/** The file went away between the listing and the reading: a run goes on meanwhile. */
function isGone(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ENOENT' || error.code === 'ENOTDIR')
  );
}
