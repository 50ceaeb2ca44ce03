import type { Context } from '../context.ts';
import { invalid, isError, json, noSuchBucket, type ErrorReply, type Reply } from '../reply.ts';
import { compareUtf8 } from '../state/store.ts';
import { allow } from './access.ts';
import { parseGlob } from './glob.ts';
import { objectResource } from './resources.ts';

export interface ListRequest {
  readonly prefix: string;
  /** Empty: none. */
  readonly delimiter: string;
  readonly includeTrailingDelimiter: boolean;
  /** Inclusive. Empty: from the first. */
  readonly startOffset: string;
  /** Exclusive. Empty: to the last. */
  readonly endOffset: string;
  /** What names of items and prefixes must be like; null for all. */
  readonly matches: RegExp | null;
  /** Items and prefixes together. */
  readonly maxResults: number;
  readonly after: PageMark | null;
}

/** The last thing of a page: an item's name, or a prefix whose items are all done. */
export interface PageMark {
  readonly name: string;
  readonly prefix: boolean;
}

export interface Page {
  readonly items: readonly string[];
  readonly prefixes: readonly string[];
  readonly next: PageMark | null;
}

/** The first index whose name is not before `bound`. */
function lowerBound(names: readonly string[], bound: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareUtf8(names[middle] ?? '', bound) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One page of a listing over names in UTF-8 order. */
export function listPage(names: readonly string[], request: ListRequest): Page {
  const { prefix, delimiter, after, endOffset } = request;
  const items: string[] = [];
  const prefixes: string[] = [];
  let last: PageMark | null = null;
  const from = [prefix, request.startOffset, after?.name ?? ''].sort(compareUtf8).at(-1) ?? '';
  for (let index = lowerBound(names, from); index < names.length; index++) {
    const name = names[index] ?? '';
    if (!name.startsWith(prefix)) break;
    if (endOffset !== '' && compareUtf8(name, endOffset) >= 0) break;
    if (after !== null && (after.prefix ? name.startsWith(after.name) : name === after.name))
      continue;
    const cut = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
    const common = cut < 0 ? null : name.slice(0, cut + delimiter.length);
    const isItem = common === null || (common === name && request.includeTrailingDelimiter);
    const isNewPrefix = common !== null && common !== prefixes.at(-1);
    if (!isItem && !isNewPrefix) continue;
    if (request.matches?.test(common ?? name) === false) continue;
    if (items.length + prefixes.length >= request.maxResults)
      return { items, prefixes, next: last };
    if (isNewPrefix) prefixes.push(common);
    if (isItem) items.push(name);
    last = common === null ? { name, prefix: false } : { name: common, prefix: true };
  }
  return { items, prefixes, next: null };
}

export const encodeMark = (mark: PageMark): string =>
  Buffer.from(`${mark.prefix ? 'p' : 'n'}${mark.name}`).toString('base64url');

export function decodeMark(token: string): PageMark | ErrorReply {
  const text = Buffer.from(token, 'base64url').toString('utf8');
  if (!/^[pn]/.test(text)) return invalid('Invalid page token.');
  return { name: text.slice(1), prefix: text.startsWith('p') };
}

export function readMaxResults(query: URLSearchParams): number | ErrorReply {
  const text = query.get('maxResults');
  if (text === null) return 1000;
  if (!/^\d{1,9}$/.test(text)) return invalid(`Invalid value '${text}' for maxResults.`);
  const count = Number(text);
  return count === 0 ? 1000 : Math.min(count, 1000);
}

/** GET /b/{bucket}/o: checked on the bucket, whatever the prefix. */
export function listObjects(context: Context, bucket: string): Reply {
  const { query, emulator } = context;
  const { store } = emulator;
  if (store.bucket(bucket) === null) return noSuchBucket();
  const prefix = query.get('prefix') ?? '';
  const refusal = allow(context, 'storage.objects.list', {
    kind: 'bucket',
    bucket,
    listPrefix: prefix,
  });
  if (refusal !== null) return refusal;
  const maxResults = readMaxResults(query);
  if (typeof maxResults !== 'number') return maxResults;
  const token = query.get('pageToken') ?? '';
  const after = token === '' ? null : decodeMark(token);
  if (isError(after)) return after;
  const glob = query.get('matchGlob');
  const matches = glob === null ? null : parseGlob(glob);
  if (glob !== null && matches === null) return invalid(`Invalid value '${glob}' for matchGlob.`);
  const page = listPage(store.names(bucket), {
    prefix,
    delimiter: query.get('delimiter') ?? '',
    includeTrailingDelimiter: query.get('includeTrailingDelimiter') === 'true',
    startOffset: query.get('startOffset') ?? '',
    endOffset: query.get('endOffset') ?? '',
    matches,
    maxResults,
    after,
  });
  const items = page.items.flatMap((name) => {
    const object = store.object(bucket, name);
    return object === null ? [] : [objectResource(object, emulator.origin)];
  });
  return json({
    kind: 'storage#objects',
    ...(page.next === null ? {} : { nextPageToken: encodeMark(page.next) }),
    ...(page.prefixes.length === 0 ? {} : { prefixes: page.prefixes }),
    ...(items.length === 0 ? {} : { items }),
  });
}
