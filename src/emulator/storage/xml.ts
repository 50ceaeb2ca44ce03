import { bodyPieces } from '../body.ts';
import type { Context } from '../context.ts';
import { notImplemented } from '../not-served.ts';
import {
  empty,
  invalid,
  isError,
  noSuchBucket,
  refuse,
  text,
  type ErrorReply,
  type Reply,
} from '../reply.ts';
import type { ObjectMetadata, ObjectRecord } from '../state/model.ts';
import { allow, findObject, readPreconditions } from './access.ts';
import { ContentWriter } from './content.ts';
import { decodeMark, encodeMark, listPage } from './list.ts';
import { deleteObject, getObject, writeCopy } from './objects.ts';
import { objectEtag } from './resources.ts';
import { completeUpload, hashesOfHeader, prepareUpload } from './upload.ts';
import { abortMultipart, completeMultipart, startMultipart, takePart } from './xml-multipart.ts';

/**
 * The XML API at `/BUCKET/OBJECT` and `/BUCKET`, as far as clients use it that have no other (Rust's `object_store`, S3 clients): reading, writing,
 * copying, deleting, uploads in parts, listing.
 */
export async function routeXml(context: Context, bucket: string, object: string): Promise<Reply> {
  const { method, query, request } = context;
  const subresource = [...query.keys()].find((name) => Object.hasOwn(SUBRESOURCES, name));
  if (subresource !== undefined) return notImplemented(SUBRESOURCES[subresource] ?? subresource);
  const asked = { ...context, query: withConditions(query, request.headers) };
  if (object === '') return onBucket(asked, bucket);
  const uploadId = query.get('uploadId');
  switch (method) {
    case 'GET':
    case 'HEAD':
      return uploadId === null
        ? getObject(asked, bucket, object, true)
        : notImplemented('listings of parts');
    case 'PUT':
      if (uploadId !== null) return takePart(asked, uploadId);
      return request.headers['x-goog-copy-source'] === undefined
        ? put(asked, bucket, object)
        : copy(asked, bucket, object);
    case 'POST':
      if (query.has('uploads'))
        return startMultipart(asked, bucket, object, attributesOf(request.headers));
      return uploadId === null
        ? notImplemented('uploads of forms')
        : completeMultipart(asked, uploadId);
    case 'DELETE':
      return uploadId === null
        ? deleteObject(asked, bucket, object)
        : abortMultipart(asked, uploadId);
    default:
      return refuse(405, 'methodNotAllowed', 'This method is not allowed on this resource.');
  }
}

const SUBRESOURCES: Readonly<Record<string, string>> = {
  acl: 'access control lists',
  defaultObjectAcl: 'access control lists',
  lifecycle: 'lifecycle rules',
  versioning: 'versioning',
  versions: 'versioning',
  cors: 'CORS',
  encryption: 'keys of Cloud KMS',
  logging: 'usage logs',
  website: 'websites',
  tagging: 'tags',
  billing: 'requester pays',
  compose: 'compositions by the XML API',
};

/** The conditions of the XML API stand in headers; here they are read where those of the JSON API stand. */
function withConditions(
  query: URLSearchParams,
  headers: Context['request']['headers'],
): URLSearchParams {
  const read = new URLSearchParams(query);
  for (const [header, parameter] of [
    ['x-goog-if-generation-match', 'ifGenerationMatch'],
    ['x-goog-if-metageneration-match', 'ifMetagenerationMatch'],
  ] as const) {
    const value = headers[header];
    if (typeof value === 'string') read.set(parameter, value);
  }
  return read;
}

const ATTRIBUTES = [
  ['content-type', 'contentType'],
  ['content-encoding', 'contentEncoding'],
  ['content-language', 'contentLanguage'],
  ['content-disposition', 'contentDisposition'],
  ['cache-control', 'cacheControl'],
  ['x-goog-custom-time', 'customTime'],
  ['x-goog-storage-class', 'storageClass'],
] as const;
const META = 'x-goog-meta-';

/** What an upload's headers say of the object. Pure. */
function attributesOf(headers: Context['request']['headers']): ObjectMetadata {
  const metadata = Object.entries(headers).flatMap(([name, value]) =>
    name.startsWith(META) && typeof value === 'string' ? [[name.slice(META.length), value]] : [],
  );
  return {
    ...Object.fromEntries(
      ATTRIBUTES.flatMap(([header, field]) => {
        const value = headers[header];
        return typeof value === 'string' ? [[field, value]] : [];
      }),
    ),
    ...(metadata.length === 0
      ? {}
      : { metadata: Object.fromEntries(metadata) as Record<string, string> }),
  };
}

/** The answer to a write: everything of the object is in its headers. */
export const written = (object: ObjectRecord): Reply => empty(200, writtenHeaders(object));

export const writtenHeaders = (object: ObjectRecord): Record<string, string> => ({
  etag: `"${objectEtag(object)}"`,
  'x-goog-generation': String(object.generation),
  'x-goog-metageneration': String(object.metageneration),
  'x-goog-hash': `crc32c=${object.crc32c}${object.md5 === null ? '' : `,md5=${object.md5}`}`,
  'x-goog-stored-content-length': String(object.size),
  'x-goog-stored-content-encoding': object.attributes.contentEncoding ?? 'identity',
});

async function put(context: Context, bucket: string, name: string): Promise<Reply> {
  const { headers } = context.request;
  const query = new URLSearchParams(context.query);
  query.set('name', name);
  const target = prepareUpload({ ...context, query }, bucket, attributesOf(headers), null);
  if ('kind' in target) return target;
  const writer = new ContentWriter(context.emulator.store.incomingPath());
  try {
    for await (const piece of bodyPieces(context.request)) await writer.write(piece);
  } catch (error) {
    await writer.discard();
    throw error;
  }
  const hashes = hashesOfHeader(headers['x-goog-hash']);
  const md5 = headers['content-md5'];
  const expected = typeof md5 === 'string' ? { ...hashes, md5 } : hashes;
  const object = await completeUpload(context, target, writer, expected);
  return isError(object) ? object : written(object);
}

async function copy(context: Context, bucket: string, name: string): Promise<Reply> {
  const from = readSource(String(context.request.headers['x-goog-copy-source']));
  if (from === null) return invalid('The copy source is no BUCKET/OBJECT.');
  const source = findObject(context, from.bucket, from.name, 'storage.objects.get', NO_QUERY);
  if (isError(source)) return source;
  const conditions = readPreconditions(context.query);
  if (isError(conditions)) return conditions;
  const object = await writeCopy(context, [source], { bucket, name }, source.attributes, {
    conditions,
    composed: source.componentCount !== null,
  });
  if (isError(object)) return object;
  const result = `<CopyObjectResult><LastModified>${object.updated}</LastModified><ETag>"${objectEtag(object)}"</ETag></CopyObjectResult>`;
  return xml(result, writtenHeaders(object));
}

const NO_QUERY = new URLSearchParams();

function readSource(header: string): { readonly bucket: string; readonly name: string } | null {
  try {
    const [, bucket, name] = /^\/?([^/]+)\/(.+)$/s.exec(header) ?? [];
    if (bucket === undefined || name === undefined) return null;
    return { bucket: decodeURIComponent(bucket), name: decodeURIComponent(name) };
  } catch {
    return null;
  }
}

/** Text within XML. Pure. */
export const escapeXml = (content: string): string =>
  content.replace(/[<>&"\x00-\x1f]/g, (character) => `&#${character.charCodeAt(0)};`);

export const xml = (content: string, headers: Readonly<Record<string, string>> = {}): Reply =>
  text(200, `<?xml version='1.0' encoding='UTF-8'?>${content}`, {
    'content-type': 'application/xml; charset=UTF-8',
    ...headers,
  });

async function onBucket(context: Context, bucket: string): Promise<Reply> {
  switch (context.method) {
    case 'GET':
      return listXml(context, bucket);
    case 'HEAD':
      return (
        (context.emulator.store.bucket(bucket) === null
          ? noSuchBucket()
          : allow(context, 'storage.buckets.get', { kind: 'bucket', bucket })) ?? empty(200)
      );
    default:
      return notImplemented('changes to buckets by the XML API');
  }
}

/** GET /BUCKET: version 1 with `marker`, version 2 with `list-type=2`, `start-after` and `continuation-token`. */
function listXml(context: Context, bucket: string): Reply | ErrorReply {
  const { query, emulator } = context;
  const { store } = emulator;
  if (store.bucket(bucket) === null) return noSuchBucket();
  const prefix = query.get('prefix') ?? '';
  const scope = { kind: 'bucket', bucket, listPrefix: prefix } as const;
  const refusal = allow(context, 'storage.objects.list', scope);
  if (refusal !== null) return refusal;
  const keys = query.get('max-keys') ?? '1000';
  if (!/^\d{1,9}$/.test(keys)) return invalid(`Invalid value '${keys}' for max-keys.`);
  const token = query.get('continuation-token');
  const first = query.get('start-after') ?? query.get('marker') ?? '';
  const mark = first === '' ? null : { name: first, prefix: first.endsWith('/') };
  const after = token === null ? mark : decodeMark(token);
  if (isError(after)) return after;
  const delimiter = query.get('delimiter') ?? '';
  const page = listPage(store.names(bucket), {
    prefix,
    delimiter,
    includeTrailingDelimiter: false,
    startOffset: '',
    endOffset: '',
    matches: null,
    maxResults: Math.min(Number(keys), 1000),
    after,
  });
  const contents = page.items.flatMap((name) => {
    const object = store.object(bucket, name);
    return object === null
      ? []
      : [
          `<Contents><Key>${escapeXml(name)}</Key><Generation>${object.generation}</Generation><MetaGeneration>${object.metageneration}</MetaGeneration><LastModified>${object.updated}</LastModified><ETag>"${objectEtag(object)}"</ETag><Size>${object.size}</Size><StorageClass>${object.attributes.storageClass ?? 'STANDARD'}</StorageClass></Contents>`,
        ];
  });
  const prefixes = page.prefixes.map(
    (name) => `<CommonPrefixes><Prefix>${escapeXml(name)}</Prefix></CommonPrefixes>`,
  );
  const next =
    page.next === null
      ? ''
      : `<NextContinuationToken>${encodeMark(page.next)}</NextContinuationToken><NextMarker>${escapeXml(page.next.name)}</NextMarker>`;
  return xml(
    `<ListBucketResult xmlns="http://doc.s3.amazonaws.com/2006-03-01"><Name>${bucket}</Name><Prefix>${escapeXml(prefix)}</Prefix>${delimiter === '' ? '' : `<Delimiter>${escapeXml(delimiter)}</Delimiter>`}<KeyCount>${contents.length + prefixes.length}</KeyCount><MaxKeys>${keys}</MaxKeys><IsTruncated>${page.next !== null}</IsTruncated>${next}${contents.join('')}${prefixes.join('')}</ListBucketResult>`,
  );
}
