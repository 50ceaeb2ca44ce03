import * as z from 'zod';
import { formatGcsAddress, GCS_SCHEME, parseGcsAddress, type GcsAddress } from './address.ts';
import { fail, ok, problem, type Result } from './problem.ts';

/** What an address is written for: at a place to write to nobody notices a name that was not meant. */
export type AddressUse = 'read' | 'write';

/** An address as a person wrote or pasted it, read. */
export interface WrittenAddress {
  readonly address: GcsAddress;
  /** Another address that may be meant: this one is taken as it is written. Null where there is no doubt. */
  readonly doubt: string | null;
}

/** Blanks of any kind, and marks of no width, which nobody types on purpose before or behind an address. */
const EDGE =
  /^[\s\p{Z}\u200b-\u200f\u2060\ufeff\u00ad]+|[\s\p{Z}\u200b-\u200f\u2060\ufeff\u00ad]+$/gu;
/** Within a name; joiners of letters and pictures have their use. */
const UNSEEN = /[\u200b\u200e\u200f\u2060\ufeff\u00ad]/g;
const QUOTES: readonly (readonly [string, string])[] = [
  ['"', '"'],
  ["'", "'"],
  ['`', '`'],
  ['“', '”'],
  ['„', '“'],
  ['‘', '’'],
  ['«', '»'],
  ['<', '>'],
];
/** Hosts at which `/BUCKET/OBJECT` is an object, and `BUCKET.HOST/OBJECT` for two of them. */
const OBJECT_HOSTS: readonly string[] = [
  'storage.googleapis.com',
  'storage.cloud.google.com',
  'commondatastorage.googleapis.com',
];
const CONSOLE_HOSTS: readonly string[] = [
  'console.cloud.google.com',
  'console.developers.google.com',
];
const API_HOSTS: readonly string[] = [
  ...OBJECT_HOSTS,
  'www.googleapis.com',
  'content-storage.googleapis.com',
];
const HOST_START =
  /^(console\.(cloud|developers)\.google\.com|(www|storage|commondatastorage|[a-z0-9._-]+\.storage)\.(googleapis|cloud\.google)\.com)\//i;

const HOW = 'Write it as gs://bucket/path.';
const OTHER_STORES: Readonly<Record<string, string>> = {
  s3: 'Amazon S3',
  s3a: 'Amazon S3',
  s3n: 'Amazon S3',
  az: 'Azure Storage',
  abfs: 'Azure Storage',
  abfss: 'Azure Storage',
  wasb: 'Azure Storage',
  wasbs: 'Azure Storage',
  hdfs: 'a Hadoop file system',
  r2: 'Cloudflare R2',
  oss: 'Alibaba Cloud',
};

type Refusal = ReturnType<typeof fail>;

/** What stands behind the first `?` or `#` of a web address may be a signature: it is never repeated. */
const plain = (text: string): string =>
  /^https?:/i.test(text) ? text.replace(/[?#].*$/s, '') : text;

function refuse(text: string, message: string, hint = HOW): Refusal {
  return fail(
    problem({ code: 'input.address', op: 'read the address', subject: plain(text), message, hint }),
  );
}

const isMeant = (text: string, meant: string, why: string): Refusal =>
  refuse(
    text,
    `"${plain(text)}" ${why} Write ${meant} if that is meant.`,
    `Write ${meant}, or the name as it is.`,
  );

/** Takes off what pasting adds around an address: blanks, marks of no width, quotes. Pure. */
export function withoutEdges(text: string): string {
  let inner = text.replace(EDGE, '');
  for (let depth = 0; depth < 2; depth += 1) {
    const pair = QUOTES.find(
      ([open, close]) => inner.length > 1 && inner.startsWith(open) && inner.endsWith(close),
    );
    if (pair === undefined) break;
    inner = inner.slice(1, -1).replace(EDGE, '');
  }
  return inner;
}

/** Undoes `%20` and the like; null where that is no text. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/**
 * Reads an address as people write and paste it: `gs://...` in any letters, with blanks or quotes around it; of Google's console, of
 * `storage.googleapis.com` in all its forms, and as grants name it. What is not clear is refused, with the address that is meant; for reading, a name that
 * only looks wrong is taken as it is, and the doubt is told. What {@link formatGcsAddress} writes is read as the same, but for edges and such doubts.
 * Pure. Errors: `input.address`.
 */
export function readAddress(written: string, use: AddressUse = 'read'): Result<WrittenAddress> {
  const text = withoutEdges(written);
  if (/^https?:\/\//i.test(text) || HOST_START.test(text)) return readWebAddress(text);
  const named =
    /^(?:\/\/storage\.googleapis\.com\/)?projects\/_\/buckets\/([^/]+)(?:\/(?:objects|folders|managedFolders)\/(.*))?$/s.exec(
      text,
    );
  if (named !== null) return done(text, `${named[1] ?? ''}/${named[2] ?? ''}`);
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase();
  const store = scheme === undefined ? undefined : OTHER_STORES[scheme];
  if (store !== undefined)
    return refuse(
      text,
      `"${text}" does not begin with gs://. It is an address of ${store}, which Trainyard does not read.`,
      'Copy the data to a bucket of Google Cloud Storage first, then write gs://bucket/path.',
    );
  if (scheme === 'gs' || scheme === 'gcs') return readGsAddress(text, use);
  if (scheme === undefined && /^[a-z0-9][a-z0-9._-]+(\/|$)/.test(text) && text.includes('/'))
    return refuse(
      text,
      `"${text}" does not begin with gs://. Write gs://${text} if that is meant.`,
      'Write it as gs://bucket/path.',
    );
  return refuse(text, `"${text}" does not begin with gs://.`);
}

/** `gs://b/p`, `GS:\\b\p`, `gcs:/b/p`, each in what is clear. */
function readGsAddress(text: string, use: AddressUse): Result<WrittenAddress> {
  const [, separator = '', rest = ''] = /^gc?s:([/\\]*)(.*)$/is.exec(text) ?? [];
  if (separator.length > 2) {
    const meant = `${GCS_SCHEME}${rest.replaceAll('\\', '/')}`;
    return refuse(text, `"${text}" names no bucket. Write ${meant} if that is meant.`, HOW);
  }
  // A bucket's name has no backslash: such an address was written as a path of Windows.
  const slashed =
    separator.includes('\\') || /^[^/]*\\/.test(rest) ? rest.replaceAll('\\', '/') : rest;
  return doubts(text, slashed, use);
}

/** What a name holds that is mostly no part of it. */
function doubts(text: string, rest: string, use: AddressUse): Result<WrittenAddress> {
  const slash = rest.indexOf('/');
  if (slash < 0) return done(text, rest.replace(/[#?].*$/s, ''));
  const bucket = rest.slice(0, slash);
  const path = rest.slice(slash + 1);
  const at = (name: string): string => formatGcsAddress({ bucket, path: name });
  const [generation] = /#\d{10,}$/.exec(path) ?? [];
  if (generation !== undefined)
    return isMeant(
      text,
      at(path.slice(0, -generation.length)),
      `names one generation (${generation}); Trainyard takes the newest of each object.`,
    );
  const query = /\?[a-z][a-zA-Z_-]*=[^/]*$/i.exec(path);
  if (query !== null)
    return isMeant(text, at(path.slice(0, query.index)), 'ends with the query of a web address.');
  const wildcard = /^(.*\/)?\*{1,2}(\/\*{1,2})*$/s.exec(path);
  if (wildcard !== null && use === 'read') return done(text, `${bucket}/${wildcard[1] ?? ''}`);
  if (path.includes('*'))
    return isMeant(
      text,
      at(path.slice(0, path.slice(0, path.indexOf('*')).lastIndexOf('/') + 1)),
      'has a wildcard, which Trainyard does not know: a folder is everything below it.',
    );
  const seen = path.replace(UNSEEN, '');
  if (seen !== path) return isMeant(text, at(seen), 'holds a character that nobody sees.');
  const likely = [path.replaceAll('\\', '/'), path.replace(/^\/+/, ''), escapes(path)].find(
    (other) => other !== path,
  );
  if (likely === undefined) return done(text, rest);
  if (use === 'write')
    return isMeant(text, at(likely), 'would make objects of names that are mostly not meant.');
  return done(text, rest, at(likely));
}

/** A path with `%20` and the like undone, where that is text of one line. */
function escapes(path: string): string {
  if (!/%[0-9a-f]{2}/i.test(path)) return path;
  const other = decoded(path);
  return other === null || /\p{Cc}/u.test(other) ? path : other;
}

function done(text: string, rest: string, doubt: string | null = null): Result<WrittenAddress> {
  const parsed = parseGcsAddress(`${GCS_SCHEME}${rest}`);
  if (parsed.ok) return ok({ address: parsed.value, doubt });
  const { message, hint } = parsed.problem;
  const lower = /^[^/]*/.exec(rest)?.[0] ?? '';
  const small = lower.toLowerCase();
  const other = `${small}${rest.slice(lower.length)}`;
  if (small !== lower && parseGcsAddress(`${GCS_SCHEME}${other}`).ok)
    return isMeant(
      text,
      `${GCS_SCHEME}${other}`,
      'has capital letters in the name of the bucket, which has none.',
    );
  return refuse(
    text,
    text.startsWith(GCS_SCHEME)
      ? message
      : `${message.replace(/\.$/, '')}: "${plain(text)}" reads as ${GCS_SCHEME}${rest}.`,
    hint,
  );
}

/** Addresses of Google's console and of Cloud Storage itself. Their paths are written with `%20`. */
function readWebAddress(text: string): Result<WrittenAddress> {
  const [, site = '', pathname = '/', query = '', mark = ''] =
    /^(?:https?:\/\/)?([^/?#]+)(\/[^?#]*)?(\?[^#]*)?(#.*)?$/is.exec(text) ?? [];
  const host = site.replace(/^.*@/s, '').replace(/:\d+$/, '').toLowerCase();
  const foreign = (): Refusal =>
    refuse(text, `"${plain(text)}" is a web address, not a gs:// address.`);
  const parameter = (name: string): string | null => {
    const [, value] = new RegExp(`[?&]${name}=([^&]*)`).exec(query) ?? [];
    return value === undefined ? null : decoded(value.replaceAll('+', ' '));
  };
  const path = decoded(pathname);
  if (path === null)
    return refuse(text, `"${plain(text)}" is written with a % that stands for nothing.`);
  const generation = parameter('generation');
  const pinned = (rest: string): Result<WrittenAddress> =>
    generation === null && !/^#\d{10,}$/.test(mark)
      ? done(text, rest)
      : isMeant(
          text,
          `${GCS_SCHEME}${rest}`,
          'names one generation; Trainyard takes the newest of each object.',
        );
  if (CONSOLE_HOSTS.includes(host)) {
    const [, details, place] =
      /^\/(?:m\/cloudstorage\/b|storage\/browser)\/(_details\/)?([^;]+)/s.exec(
        path.replace(/^\/u\/\d+/, ''),
      ) ?? [];
    if (place === undefined)
      return refuse(
        text,
        `"${plain(text)}" is a page of the Google Cloud console that names no bucket.`,
        'Open the folder there under Cloud Storage, Buckets, and copy that address, or write gs://bucket/path.',
      );
    if (details !== undefined) return pinned(place);
    const prefix = /^[^/]+\/?$/.test(place) ? (parameter('prefix') ?? '') : '';
    const folder = place.endsWith('/') ? place : `${place}/`;
    // The page of a folder: everything below it.
    return done(text, `${folder}${prefix}`);
  }
  const api =
    /^\/(?:(?:upload|download|resumable\/upload)\/)?storage\/v1(?:beta2)?\/b\/([^/]+)(?:\/o(?:\/(.*))?)?$/s;
  if (API_HOSTS.includes(host)) {
    // The object's own slashes are %2F there: it is taken apart before that is undone.
    const [, bucket, object] = api.exec(pathname) ?? [];
    if (bucket !== undefined)
      return pinned(
        `${decoded(bucket) ?? ''}/${decoded(object ?? '') ?? ''}${object === undefined ? (parameter('prefix') ?? '') : ''}`,
      );
  }
  if (OBJECT_HOSTS.includes(host)) {
    const rest = path.slice(1);
    return rest === ''
      ? refuse(text, `"${plain(text)}" names no bucket.`)
      : pinned(/^[^/]+$/.test(rest) ? `${rest}/${parameter('prefix') ?? ''}` : rest);
  }
  const own = OBJECT_HOSTS.find((known) => host.endsWith(`.${known}`));
  if (own !== undefined) {
    const bucket = host.slice(0, -own.length - 1);
    const object = path.slice(1);
    return pinned(`${bucket}/${object === '' ? (parameter('prefix') ?? '') : object}`);
  }
  return foreign();
}

/** {@link readAddress} without its doubts. Errors: `input.address`. */
export function addressOfText(written: string, use: AddressUse = 'read'): Result<GcsAddress> {
  const read = readAddress(written, use);
  return read.ok ? ok(read.value.address) : read;
}

/** What is written as `gs://bucket/path`, or as it is where it is no address. Pure. */
function canonical(written: string, use: AddressUse): string {
  const read = readAddress(written, use);
  return read.ok && written !== ''
    ? keepBucketForm(written, formatGcsAddress(read.value.address))
    : written;
}

/** `gs://bucket` stays as it is: the slash says nothing more. */
const keepBucketForm = (written: string, text: string): string =>
  `${written}/` === text ? written : text;

/** An address as a string, in any form that {@link readAddress} takes; what comes out is `gs://bucket/path`. */
export const writtenAddressSchema = (use: AddressUse) =>
  z
    .string()
    .overwrite((text) => canonical(text, use))
    .superRefine((text, context) => {
      const read = readAddress(text, use);
      if (!read.ok) context.addIssue({ code: 'custom', message: read.problem.message });
    });
