import { utf8Length } from '../shared/address.ts';
import { formatBytes } from '../shared/format.ts';

/** A file below the source folder. */
export interface SourceFile {
  /** With `/`. */
  readonly relativePath: string;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970, whole or not: compared, never calculated with. */
  readonly mtimeMs: number;
}

export interface PlannedUpload extends SourceFile {
  /** The object's name. */
  readonly name: string;
}

/** A file that is not uploaded, and why: a sentence without the path. */
export interface RefusedFile {
  readonly path: string;
  readonly reason: string;
}

export interface UploadPlan {
  readonly objects: readonly PlannedUpload[];
  readonly refused: readonly RefusedFile[];
  /** Of the refused, those that are too large for an object. */
  readonly tooLarge: readonly RefusedFile[];
  readonly bytes: number;
}

export const NOT_UTF8 = 'its name is not UTF-8, which names of objects must be';

/** Whether a name was read from bytes that are not UTF-8, or cannot be written as such. */
export const isNotUtf8 = (name: string): boolean => /\p{Surrogate}|\ufffd/u.test(name);

/**
 * Why a text cannot be the name of an object, or null where it can
 * (https://cloud.google.com/storage/docs/objects#naming).
 */
export function objectNameReason(name: string): string | null {
  if (name === '') return 'an object needs a name';
  if (utf8Length(name) > 1024) return 'the name of the object would be longer than 1,024 bytes';
  if (/[\r\n]/.test(name)) return 'the name of an object can hold no line break';
  if (name === '.' || name === '..') return `no object can be called "${name}"`;
  if (name.startsWith('.well-known/acme-challenge/'))
    return 'no object can lie below .well-known/acme-challenge/';
  if (isNotUtf8(name)) return NOT_UTF8;
  return null;
}

/** The most bytes that an object can have: 5 TiB (https://cloud.google.com/storage/quotas#objects). */
export const MAX_OBJECT_SIZE = 5 * 1024 ** 4;

/** Why no object can hold so many bytes, or null where one can. */
export const objectSizeReason = (size: number): string | null =>
  size > MAX_OBJECT_SIZE
    ? `it has ${formatBytes(size)}, and an object holds 5 TiB at most: split it, or pack it`
    : null;

/** Decides the name of each file's object: the prefix and the path below the source folder. Pure. */
export function planUpload(
  files: readonly SourceFile[],
  options: { readonly prefix: string },
): UploadPlan {
  const objects: PlannedUpload[] = [];
  const refused: RefusedFile[] = [];
  const tooLarge: RefusedFile[] = [];
  for (const file of files) {
    const name = options.prefix + file.relativePath;
    const size = objectSizeReason(file.size);
    const reason = objectNameReason(name) ?? size;
    if (reason === null) objects.push({ ...file, name });
    else refused.push({ path: file.relativePath, reason });
    if (size !== null) tooLarge.push({ path: file.relativePath, reason: size });
  }
  return { objects, refused, tooLarge, bytes: objects.reduce((sum, { size }) => sum + size, 0) };
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv',
  gif: 'image/gif',
  gz: 'application/gzip',
  htm: 'text/html',
  html: 'text/html',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  json: 'application/json',
  jsonl: 'application/jsonl',
  log: 'text/plain',
  md: 'text/markdown',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  tar: 'application/x-tar',
  tgz: 'application/gzip',
  tsv: 'text/tab-separated-values',
  txt: 'text/plain',
  webp: 'image/webp',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  zip: 'application/zip',
};

/** The content type that a file's ending tells, `application/octet-stream` for others. */
export function contentTypeOf(path: string): string {
  const ending = /\.([A-Za-z0-9]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
  return CONTENT_TYPES[ending] ?? 'application/octet-stream';
}
