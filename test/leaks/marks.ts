import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { createSecretSearch, type SecretSearch } from '../../src/cli/demo/secret-search.ts';

/** Where the modulus of an RSA key of 2,048 bits begins in its PKCS#8 form: before it all such keys are alike. */
const MODULUS = 38;
/** Larger files are read in pieces, and as bytes alone. */
const WHOLE = 16 << 20;

/** What must be nowhere, and how it is looked for. */
export interface Marks {
  /** Another key, by its PEM. */
  readonly key: (name: string, pem: string) => void;
  /** Any text of 20 characters and more. */
  readonly text: (name: string, text: string) => void;
  /** Every token that an emulator handed out until now, by its `--token-log`; says how many of each kind. */
  readonly tokens: (file: string) => Readonly<Record<string, number>>;
  /** What of it lies in these bytes: a piece of 20 bytes in any encoding; null: nothing. */
  readonly inBytes: (bytes: Uint8Array) => string | null;
  /** Every file below the folders, their names, what links lead to. Links are not followed. */
  readonly below: (...folders: readonly string[]) => Promise<Found>;
}

export interface Found {
  readonly files: number;
  readonly bytes: number;
  readonly found: readonly { readonly file: string; readonly what: string }[];
}

export const derOf = (pem: string): Buffer =>
  createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });

/** The PEM in a key file. */
export const pemOf = (file: string): string =>
  (JSON.parse(readFileSync(file, 'utf8')) as { private_key: string }).private_key;

/** What of a credential is secret: of a signed assertion the signature, of a token all but its first letters, which all have. */
const secretPart = (kind: string, token: string): string =>
  kind === 'assertion' ? (token.split('.')[2] ?? token) : token.replace(/^ya29\.c\./, '');

export function openMarks(): Marks {
  const searches = new Map<string, SecretSearch>();
  /**
   * Files that were searched and held nothing, each as it was then, where they were last changed before the tokens were read that were looked for:
   * such a file cannot hold what was made later.
   */
  const clean = new Set<string>();
  /** When the tokens were read. Milliseconds since 1970. */
  let complete = 0;
  const look = (bytes: Uint8Array, how: string): string | null => {
    for (const [name, search] of searches) {
      const match = search.inBytes(bytes);
      if (match !== null) return `${name}, ${match.encoding}${how}, at ${match.offset}`;
    }
    return null;
  };
  const inBytes = (bytes: Uint8Array): string | null =>
    look(bytes, '') ??
    look(everySecond(bytes, 0), ' in UTF-16') ??
    look(everySecond(bytes, 1), ' in UTF-16') ??
    look(withoutGaps(bytes), ' with gaps');
  const inLargeFile = async (file: string): Promise<string | null> => {
    for (const [name, search] of searches) {
      const match = await search.inFile(file);
      if (match !== null) return `${name}, ${match.encoding}, at ${match.offset}`;
    }
    return null;
  };
  const inFile = async (file: string): Promise<string | null> => {
    const before = await stateOf(file);
    if (before === null || clean.has(before.state)) return null;
    const found =
      before.size <= WHOLE
        ? await readFile(file).then(inBytes, nothingThere)
        : await inLargeFile(file);
    // What was written while it was read is read the next time.
    if (
      found === null &&
      before.changedAt < complete &&
      (await stateOf(file))?.state === before.state
    )
      clean.add(before.state);
    return found;
  };
  return {
    key: (name, pem) => {
      clean.clear();
      searches.set(name, createSecretSearch(derOf(pem).subarray(MODULUS)));
    },
    text: (name, text) => {
      clean.clear();
      searches.set(name, createSecretSearch(Buffer.from(text)));
    },
    tokens: (file) => {
      const began = Date.now();
      const counts: Record<string, number> = {};
      const parts: Record<string, string[]> = {};
      for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
        const { kind, token } = JSON.parse(line) as { kind: string; token: string };
        counts[kind] = (counts[kind] ?? 0) + 1;
        (parts[kind] ??= []).push(secretPart(kind, token));
      }
      // One search for all of a kind: a run of 20 bytes over the border of two is in nobody's file.
      for (const [kind, list] of Object.entries(parts))
        searches.set(`a live ${kind}`, createSecretSearch(Buffer.from(list.join(''))));
      complete = began;
      return counts;
    },
    inBytes,
    below: async (...folders) => {
      let files = 0;
      let bytes = 0;
      const found: { file: string; what: string }[] = [];
      for (const folder of folders)
        for await (const { file, kind, size } of entriesBelow(folder)) {
          const named = look(Buffer.from(path.basename(file)), ' in its name');
          const inside =
            kind === 'file'
              ? await inFile(file)
              : kind === 'link'
                ? look(Buffer.from(await readlink(file).catch(() => '')), ' in the link')
                : null;
          const what = named ?? inside;
          if (what !== null) found.push({ file, what });
          if (kind !== 'file') continue;
          files += 1;
          bytes += size;
        }
      return { files, bytes, found };
    },
  };
}

/** Text of 16 bits a character, as browsers keep it: empty where there is none. */
function everySecond(bytes: Uint8Array, first: 0 | 1): Uint8Array {
  if (!bytes.includes(0)) return new Uint8Array(0);
  const half = new Uint8Array(Math.floor((bytes.length - first + 1) / 2));
  for (let at = 0; at < half.length; at += 1) half[at] = bytes[first + 2 * at] ?? 0;
  return half;
}

/** As programs print bytes when they are debugged: `<Buffer 2d 2d 2d>`; and lines that were broken and quoted. */
function withoutGaps(bytes: Uint8Array): Uint8Array {
  const kept = new Uint8Array(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    // Space, tab, line ends, NUL, quotes, comma, backslash and the "n" after one.
    if (byte === 92 && bytes[at + 1] === 110) at += 1;
    else if (byte > 32 && byte !== 34 && byte !== 39 && byte !== 44 && byte !== 92)
      kept[length++] = byte;
  }
  return kept.subarray(0, length);
}

const nothingThere = (error: unknown): null => {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENXIO') return null;
  throw error;
};

/** Tells a file from another, and from itself after a change; null: it is gone. */
async function stateOf(
  file: string,
): Promise<{ readonly state: string; readonly size: number; readonly changedAt: number } | null> {
  const status = await lstat(file, { bigint: true }).catch(nothingThere);
  if (status === null) return null;
  const { dev, ino, size, mtimeNs, ctimeNs } = status;
  const state = [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  return { state, size: Number(size), changedAt: Number(ctimeNs / 1_000_000n) };
}

interface Entry {
  readonly file: string;
  readonly kind: 'file' | 'link' | 'other';
  readonly size: number;
}

async function* entriesBelow(folder: string): AsyncGenerator<Entry> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(nothingThere);
  for (const entry of entries ?? []) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      yield { file, kind: 'other', size: 0 };
      yield* entriesBelow(file);
    } else if (entry.isFile()) {
      const status = await lstat(file).catch(nothingThere);
      if (status !== null) yield { file, kind: 'file', size: status.size };
    } else yield { file, kind: entry.isSymbolicLink() ? 'link' : 'other', size: 0 };
  }
}

/** The mode of a file or folder in octal digits: `600`. */
export const modeOf = async (file: string): Promise<string> =>
  ((await lstat(file)).mode & 0o777).toString(8);
