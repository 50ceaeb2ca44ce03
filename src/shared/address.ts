import { fail, ok, problem, type Result } from './problem.ts';

/**
 * A parsed `gs://` address. `path` is what follows `gs://bucket/`, byte for byte, perhaps empty.
 * Whether it names an object or a folder is only known after asking the bucket: see `src/google/input.ts`.
 */
export interface GcsAddress {
  readonly bucket: string;
  readonly path: string;
}

export const GCS_SCHEME = 'gs://';

/**
 * Bucket names: 3 to 63 characters of lower case letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit;
 * up to 222 with dots (https://cloud.google.com/storage/docs/buckets#naming).
 */
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/;

/** UTF-8 length in bytes; lone surrogates count as the three bytes of U+FFFD. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}

export function isBucketName(name: string): boolean {
  return (
    BUCKET.test(name) &&
    !name.includes('..') &&
    name.split('.').every((part) => part.length <= 63) &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name)
  );
}

/** Reads `gs://bucket[/path]`. Errors: `input.address`. */
export function parseGcsAddress(text: string): Result<GcsAddress> {
  const refuse = (message: string, hint: string) =>
    fail(problem({ code: 'input.address', op: 'read the address', subject: text, message, hint }));
  if (/^https?:\/\//.test(text))
    return refuse(
      `"${text}" is a web address, not a gs:// address.`,
      'Write it as gs://bucket/path.',
    );
  if (!text.startsWith(GCS_SCHEME))
    return refuse(`"${text}" does not begin with gs://.`, 'Write it as gs://bucket/path.');
  const rest = text.slice(GCS_SCHEME.length);
  const slash = rest.indexOf('/');
  const bucket = slash < 0 ? rest : rest.slice(0, slash);
  const path = slash < 0 ? '' : rest.slice(slash + 1);
  if (bucket === '') return refuse(`"${text}" names no bucket.`, 'Write it as gs://bucket/path.');
  if (!isBucketName(bucket))
    return refuse(
      `"${bucket}" is not a bucket name.`,
      'Bucket names have 3 to 63 lower case letters, digits, "-", "_" and ".", and begin and end with a letter or digit.',
    );
  if (utf8Length(path) > 1024)
    return refuse('The path is longer than 1,024 bytes.', 'No object can have such a name.');
  if (/[\r\n]/.test(path))
    return refuse('The path holds a line break.', 'No object can have such a name.');
  return ok({ bucket, path });
}

export function formatGcsAddress(address: GcsAddress): string {
  return `${GCS_SCHEME}${address.bucket}/${address.path}`;
}

/** The prefix of everything below a path: with one slash at its end, or empty for the whole bucket. */
export function asPrefix(path: string): string {
  return path === '' || path.endsWith('/') ? path : `${path}/`;
}
