import type { Context } from '../context.ts';
import { empty, refuse, type Reply } from '../reply.ts';
import type { ObjectRecord } from '../state/model.ts';
import { objectEtag } from './resources.ts';

/** `start` and `end` (exclusive) of one range of `size` bytes; `null` to send everything; `unsatisfiable` for a 416. */
export function parseRange(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | 'unsatisfiable' | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  const [, from = '', to = ''] = match ?? [];
  if (match === null || (from === '' && to === '')) return null;
  if (from === '') {
    const last = Number(to);
    return last === 0 || size === 0
      ? 'unsatisfiable'
      : { start: Math.max(0, size - last), end: size };
  }
  const start = Number(from);
  if (to !== '' && Number(to) < start) return null;
  if (start >= size) return 'unsatisfiable';
  return { start, end: to === '' ? size : Math.min(size, Number(to) + 1) };
}

function acceptsGzip(context: Context): boolean {
  return /(^|,)\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*(,|$))[^,]*)?(,|$)/.test(
    context.request.headers['accept-encoding'] ?? '',
  );
}

function describe(object: ObjectRecord): Record<string, string> {
  const { contentType, contentLanguage, contentDisposition, cacheControl, metadata } =
    object.attributes;
  const optional = {
    'content-language': contentLanguage,
    'content-disposition': contentDisposition,
    'cache-control': cacheControl,
  };
  const headers: Record<string, string> = {
    'content-type': contentType ?? 'application/octet-stream',
    etag: `"${objectEtag(object)}"`,
    'last-modified': new Date(object.updated).toUTCString(),
    'x-goog-generation': String(object.generation),
    'x-goog-metageneration': String(object.metageneration),
    'x-goog-hash': `crc32c=${object.crc32c}${object.md5 === null ? '' : `,md5=${object.md5}`}`,
    'x-goog-storage-class': object.attributes.storageClass ?? 'STANDARD',
    'x-goog-stored-content-encoding': object.attributes.contentEncoding ?? 'identity',
    'x-goog-stored-content-length': String(object.size),
  };
  if (object.componentCount !== null)
    headers['x-goog-component-count'] = String(object.componentCount);
  for (const [name, value] of Object.entries(optional))
    if (value !== undefined) headers[name] = headerValue(value);
  for (const [name, value] of Object.entries(metadata ?? {}))
    if (/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
      headers[`x-goog-meta-${name}`] = headerValue(value);
  return headers;
}

/** Header values hold bytes: anything else is percent-encoded. */
function headerValue(text: string): string {
  return /^[\t\x20-\x7e]*$/.test(text) ? text : encodeURIComponent(text);
}

/** The content of an object: whole, a range of it, or decompressed where it is stored as gzip and the caller does not accept that. */
export async function media(context: Context, object: ObjectRecord): Promise<Reply> {
  const headers = describe(object);
  const { 'if-none-match': unless, 'if-match': only, range } = context.request.headers;
  const names = (header: string): boolean =>
    header.split(',').some((etag) => ['*', headers['etag']].includes(etag.trim()));
  if (only !== undefined && !names(only))
    return refuse(412, 'conditionNotMet', 'Precondition Failed');
  if (unless !== undefined && names(unless)) return empty(304, headers);

  const encoding = object.attributes.contentEncoding;
  const gunzip =
    encoding === 'gzip' &&
    !acceptsGzip(context) &&
    object.attributes.cacheControl?.includes('no-transform') !== true;
  const part = gunzip ? null : parseRange(range, object.size);
  if (part === 'unsatisfiable')
    return refuse(416, 'requestedRangeNotSatisfiable', 'The requested range cannot be satisfied.', {
      'content-range': `bytes */${object.size}`,
    });

  let file;
  try {
    file = await context.emulator.store.openContent(object);
  } catch (error) {
    // Replaced or deleted between the look at the index and here: the client asks again.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return refuse(503, 'backendError', 'The object changed. Please try again.');
    throw error;
  }
  const { start, end } = part ?? { start: 0, end: object.size };
  return {
    kind: 'media',
    status: part === null ? 200 : 206,
    file,
    start,
    end,
    gunzip,
    headers: {
      ...headers,
      ...(gunzip
        ? { warning: '214 UploadServer gunzipped', vary: 'Accept-Encoding' }
        : { 'accept-ranges': 'bytes', 'content-length': String(end - start) }),
      ...(encoding !== undefined && !gunzip ? { 'content-encoding': headerValue(encoding) } : {}),
      ...(part === null ? {} : { 'content-range': `bytes ${start}-${end - 1}/${object.size}` }),
    },
  };
}
