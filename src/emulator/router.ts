import type { Context } from './context.ts';
import { CONTROL_PATH } from './faults/control.ts';
import { answerExchange } from './oauth/exchange.ts';
import { answerToken } from './oauth/token.ts';
import { partNotServed, requestNotServed } from './not-served.ts';
import { notFound, plainJson, refuse, type Reply } from './reply.ts';
import {
  createBucket,
  deleteBucket,
  getBucket,
  getPolicy,
  getStorageLayout,
  listBuckets,
  setPolicy,
  testPermissions,
  testProjectPermissions,
  updateBucket,
} from './storage/buckets.ts';
import { listObjects } from './storage/list.ts';
import {
  createManagedFolder,
  listManagedFolders,
  managedFolder,
  managedFolderPolicy,
} from './storage/managed-folders.ts';
import {
  composeObject,
  copyObject,
  deleteObject,
  getObject,
  updateObject,
} from './storage/objects.ts';
import { resumable } from './storage/resumable.ts';
import { routeXml } from './storage/xml.ts';
import { mediaUpload, multipartUpload, startResumable } from './storage/upload.ts';

/** Which service a path belongs to. `below`: what follows its prefix, split at `/` and decoded. */
export type Target =
  | { readonly service: 'token' | 'security-token' | 'nothing'; readonly below: readonly string[] }
  | { readonly service: 'project' | 'key-set'; readonly below: readonly string[] }
  | {
      readonly service: 'storage' | 'download' | 'upload';
      readonly prefix: string;
      readonly below: readonly string[];
    }
  | { readonly service: 'plain'; readonly below: readonly [string, string] };

const PREFIXES = [
  ['/storage/v1', 'storage'],
  ['/download/storage/v1', 'download'],
  ['/upload/storage/v1', 'upload'],
  ['/resumable/upload/storage/v1', 'upload'],
] as const;

/** Where Google publishes the public halves of an account's keys (at www.googleapis.com). */
const KEY_SET = '/service_accounts/v1/jwk/';

/**
 * Reads the path of a request, as it came, without its query. `null`: percent signs that do not decode.
 * Besides the APIs: `/b/...` (a client library that takes the host alone for the JSON API), and `/BUCKET/OBJECT` and `/BUCKET` (the XML API's addresses, both names decoded).
 */
export function readTarget(path: string): Target | null {
  try {
    for (const [prefix, service] of PREFIXES)
      if (path.startsWith(`${prefix}/`))
        return { service, prefix, below: split(path.slice(prefix.length + 1)) };
    if (path === '/token') return { service: 'token', below: [] };
    if (path === '/v1/token') return { service: 'security-token', below: [] };
    if (path.startsWith(KEY_SET))
      return { service: 'key-set', below: split(path.slice(KEY_SET.length)) };
    if (path.startsWith('/v1/projects/'))
      return { service: 'project', below: split(path.slice('/v1/projects/'.length)) };
    if (path === '/b' || path.startsWith('/b/'))
      return { service: 'storage', prefix: '', below: split(path.slice(1)) };
    if (path.startsWith('/batch/')) return { service: 'nothing', below: ['batch'] };
    const [bucket = '', ...object] = path.slice(1).split('/');
    const name = decodeURIComponent(bucket);
    if (/^[a-z0-9][a-z0-9._-]{2,}$/.test(name))
      return { service: 'plain', below: [name, decodeURIComponent(object.join('/'))] };
    return { service: 'nothing', below: [] };
  } catch {
    return null;
  }
}

const split = (path: string): string[] => path.split('/').map(decodeURIComponent);

/** The bucket and object that a request is about, for the log. */
export function subjectOf(target: Target, query: URLSearchParams): Context['subject'] {
  if (target.service === 'plain')
    return { bucket: target.below[0], object: target.below[1] === '' ? null : target.below[1] };
  if (!('prefix' in target)) return { bucket: null, object: null };
  const [, bucket = null, , object = null] = target.below;
  return { bucket, object: object ?? (target.service === 'upload' ? query.get('name') : null) };
}

/** How an error is written: JSON, plain text where content was asked for, XML at the XML API's address. */
export function styleOf(target: Target, query: URLSearchParams): 'json' | 'media' | 'xml' {
  if (target.service === 'plain') return 'xml';
  if (target.service === 'download') return 'media';
  return target.service === 'storage' && query.get('alt') === 'media' ? 'media' : 'json';
}

const noSuchMethod = (): Reply => notFound('Not Found');
const wrongMethod = (): Reply =>
  refuse(405, 'methodNotAllowed', 'This method is not allowed on this resource.');

/** Answers a request whose caller is known. */
export async function route(context: Context, target: Target): Promise<Reply> {
  const { emulator, request } = context;
  const notServed = requestNotServed(context.query, request.headers);
  if (notServed !== null) return notServed;
  switch (target.service) {
    case 'token':
      return answerToken(
        request,
        emulator.accounts,
        emulator.tokens,
        `${emulator.origin}/token`,
        Date.now() + context.clockOffset,
      );
    case 'security-token':
      return answerExchange(
        request,
        emulator.tokens,
        emulator.rules.roles,
        emulator.narrowedTokensTellExpiry,
      );
    case 'key-set': {
      const set =
        target.below.length === 1 ? emulator.accounts.keySet(target.below[0] ?? '') : null;
      return set === null ? noSuchMethod() : isRead(context) ? plainJson(set) : wrongMethod();
    }
    case 'project':
      return target.below.length === 1 && target.below[0]?.endsWith(':testIamPermissions') === true
        ? context.method === 'POST'
          ? testProjectPermissions(context)
          : wrongMethod()
        : noSuchMethod();
    case 'plain':
      // Where rules may not be changed, nothing that looks like one becomes an object.
      return target.below.join('/') === CONTROL_PATH.slice(1) && !isRead(context)
        ? wrongMethod()
        : routeXml(context, ...target.below);
    case 'upload':
      return routeUpload(context, target.below, target.prefix);
    case 'storage':
    case 'download':
      return routeStorage(context, target.below, target.service === 'download');
    case 'nothing':
      return partNotServed(target.below[0]) ?? noSuchMethod();
  }
}

const isRead = (context: Context): boolean => context.method === 'GET' || context.method === 'HEAD';

async function routeUpload(
  context: Context,
  below: readonly string[],
  prefix: string,
): Promise<Reply> {
  const [b, bucket = '', o, ...more] = below;
  if (b !== 'b' || o !== 'o' || more.length > 0) return noSuchMethod();
  const session = context.query.get('upload_id');
  if (session !== null) return resumable(context, session);
  if (context.method !== 'POST') return wrongMethod();
  switch (context.query.get('uploadType')) {
    case 'media':
      return mediaUpload(context, bucket);
    case 'multipart':
      return multipartUpload(context, bucket);
    case 'resumable':
      return startResumable(context, bucket, prefix);
    default:
      return refuse(400, 'badRequest', 'Upload requests must name a known uploadType.');
  }
}

async function routeStorage(
  context: Context,
  below: readonly string[],
  download: boolean,
): Promise<Reply> {
  const [b, bucket, collection, object, action, ...more] = below;
  // `projects/P/serviceAccount`, `projects/P/hmacKeys`, `channels/stop`.
  if (b !== 'b') return partNotServed(b === 'projects' ? collection : b) ?? noSuchMethod();
  const { method } = context;
  if (bucket === undefined) {
    if (method === 'POST') return createBucket(context);
    return isRead(context) ? listBuckets(context) : wrongMethod();
  }
  if (collection === undefined) return routeBucket(context, bucket);
  if (object === undefined) return routeBucketPart(context, bucket, collection);
  if (collection === 'iam')
    return object === 'testPermissions' && action === undefined && isRead(context)
      ? testPermissions(context, bucket)
      : noSuchMethod();
  if (collection === 'managedFolders' && more.length === 0) {
    if (action === undefined)
      return isRead(context) || method === 'DELETE'
        ? managedFolder(context, bucket, object)
        : wrongMethod();
    if (action !== 'iam') return noSuchMethod();
    return isRead(context) || method === 'PUT'
      ? managedFolderPolicy(context, bucket, object)
      : wrongMethod();
  }
  if (collection !== 'o') return partNotServed(collection) ?? noSuchMethod();
  if (action === undefined) {
    if (isRead(context))
      return getObject(context, bucket, object, download || context.query.get('alt') === 'media');
    if (method === 'DELETE') return deleteObject(context, bucket, object);
    return method === 'PATCH' || method === 'PUT'
      ? updateObject(context, bucket, object)
      : wrongMethod();
  }
  const notServed = partNotServed(action);
  if (notServed !== null) return notServed;
  if (method !== 'POST') return noSuchMethod();
  if (action === 'compose' && more.length === 0) return composeObject(context, bucket, object);
  const [toB, toBucket, toO, toObject, ...rest] = more;
  if (
    (action === 'rewriteTo' || action === 'copyTo') &&
    toB === 'b' &&
    toBucket !== undefined &&
    toO === 'o' &&
    toObject !== undefined &&
    rest.length === 0
  )
    return copyObject(
      context,
      { bucket, name: object },
      { bucket: toBucket, name: toObject },
      action === 'rewriteTo',
    );
  return noSuchMethod();
}

async function routeBucket(context: Context, bucket: string): Promise<Reply> {
  if (isRead(context)) return getBucket(context, bucket);
  if (context.method === 'DELETE') return deleteBucket(context, bucket);
  return context.method === 'PATCH' || context.method === 'PUT'
    ? updateBucket(context, bucket)
    : wrongMethod();
}

async function routeBucketPart(
  context: Context,
  bucket: string,
  collection: string,
): Promise<Reply> {
  switch (collection) {
    case 'o':
      return isRead(context) ? listObjects(context, bucket) : wrongMethod();
    case 'iam':
      if (isRead(context)) return getPolicy(context, bucket);
      return context.method === 'PUT' ? setPolicy(context, bucket) : wrongMethod();
    case 'managedFolders':
      if (context.method === 'POST') return createManagedFolder(context, bucket);
      return isRead(context) ? listManagedFolders(context, bucket) : wrongMethod();
    case 'storageLayout':
      return isRead(context) ? getStorageLayout(context, bucket) : wrongMethod();
    default:
      return partNotServed(collection) ?? noSuchMethod();
  }
}
