import * as z from 'zod';
import { bodyPieces, parseJson, readJson } from '../body.ts';
import type { Context } from '../context.ts';
import {
  empty,
  invalid,
  isError,
  json,
  noSuchBucket,
  refuse,
  type ErrorReply,
  type Reply,
} from '../reply.ts';
import type { Principal } from '../iam/evaluate.ts';
import { objectMetadataSchema, type ObjectRecord, type SessionRecord } from '../state/model.ts';
import type { Content } from '../state/store.ts';
import { mayWrite, readPreconditions, refuseName, wholeNumber } from './access.ts';
import { ContentWriter } from './content.ts';
import { boundaryOf, readMultipart } from './multipart.ts';
import { objectResource } from './resources.ts';

/** Checksums that the client says the content has. */
export interface ExpectedHashes {
  readonly crc32c: string | null;
  readonly md5: string | null;
}

const uploadBodySchema = objectMetadataSchema.extend({
  name: z.string().optional(),
  crc32c: z.string().optional(),
  md5Hash: z.string().optional(),
});
type UploadBody = z.infer<typeof uploadBodySchema>;

/** Where an upload goes, by whom and under which conditions: what is known before any content. */
export type UploadTarget = SessionRecord['target'];

/** Puts together what query, metadata and the content's own type say; the grants and preconditions are checked before content is read. */
export function prepareUpload(
  context: Context,
  bucket: string,
  body: UploadBody,
  contentType: string | null,
): UploadTarget | ErrorReply {
  const { query, emulator, principal } = context;
  const { name: bodyName, crc32c, md5Hash, ...attributes } = body;
  if (emulator.store.bucket(bucket) === null) return noSuchBucket();
  const name = query.get('name') ?? bodyName ?? '';
  context.subject.object = name;
  const refusedName = refuseName(name);
  if (refusedName !== null) return refusedName;
  const conditions = readPreconditions(query);
  if (isError(conditions)) return conditions;
  const check = mayWrite(emulator, principal, { bucket, name }, conditions);
  const refusal = check(emulator.store.object(bucket, name));
  if (refusal !== null) return refusal;
  const type = attributes.contentType ?? contentType;
  const encoding = attributes.contentEncoding ?? query.get('contentEncoding');
  return {
    bucket,
    name,
    attributes: {
      ...attributes,
      ...(type === null ? {} : { contentType: type }),
      ...(encoding === null ? {} : { contentEncoding: encoding }),
    },
    expected: { crc32c: crc32c ?? null, md5: md5Hash ?? null },
    principal: principal.kind === 'account' ? accountOf(principal) : principal,
    conditions,
  };
}

const accountOf = (principal: Extract<Principal, { kind: 'account' }>) => ({
  kind: principal.kind,
  email: principal.email,
  scopes: [...principal.scopes],
  boundary: principal.boundary,
});

/** `x-goog-hash: crc32c=...,md5=...` of an upload request. */
export function hashesOfHeader(header: string | string[] | undefined): ExpectedHashes {
  const text = [header ?? []].flat().join(',');
  return {
    crc32c: /crc32c=([A-Za-z0-9+/=]+)/.exec(text)?.[1] ?? null,
    md5: /md5=([A-Za-z0-9+/=]+)/.exec(text)?.[1] ?? null,
  };
}

/** `null` when the content has the checksums that the client gave. */
export function compareHashes(content: Content, expected: ExpectedHashes): ErrorReply | null {
  if (expected.crc32c !== null && expected.crc32c !== content.crc32c)
    return invalid(
      `Provided CRC32C "${expected.crc32c}" doesn't match calculated CRC32C "${content.crc32c}".`,
    );
  if (expected.md5 !== null && content.md5 !== null && expected.md5 !== content.md5)
    return invalid(
      `Provided MD5 hash "${expected.md5}" doesn't match calculated MD5 hash "${content.md5}".`,
    );
  return null;
}

/** Makes the written content the object, if its checksums are as told and all that was checked before still holds. */
export async function completeUpload(
  context: Context,
  target: UploadTarget,
  writer: ContentWriter,
  alsoExpected: ExpectedHashes,
  session?: string,
): Promise<ObjectRecord | ErrorReply> {
  const content = await writer.finish();
  const check = mayWrite(context.emulator, target.principal, target, target.conditions);
  return context.emulator.store.commit(
    target.bucket,
    target.name,
    content,
    target.attributes,
    (existing) =>
      compareHashes(content, target.expected) ??
      compareHashes(content, alsoExpected) ??
      check(existing),
    session,
  );
}

function answer(context: Context, object: ObjectRecord | ErrorReply): Reply {
  return isError(object) ? object : json(objectResource(object, context.emulator.origin));
}

/** POST /upload/.../o?uploadType=media: the body is the content. */
export async function mediaUpload(context: Context, bucket: string): Promise<Reply> {
  const headers = context.request.headers;
  const target = prepareUpload(context, bucket, {}, headers['content-type'] ?? null);
  if ('kind' in target) return target;
  const writer = new ContentWriter(context.emulator.store.incomingPath());
  try {
    for await (const piece of bodyPieces(context.request)) await writer.write(piece);
  } catch (error) {
    await writer.discard();
    throw error;
  }
  const expected = hashesOfHeader(headers['x-goog-hash']);
  return answer(context, await completeUpload(context, target, writer, expected));
}

/** POST /upload/.../o?uploadType=multipart: metadata and content in one body. */
export async function multipartUpload(context: Context, bucket: string): Promise<Reply> {
  const headers = context.request.headers;
  const boundary = boundaryOf(headers['content-type'] ?? '');
  if (boundary === null)
    return refuse(400, 'badContent', 'The Content-Type of a multipart upload names no boundary.');
  const { store } = context.emulator;
  const upload: { target?: UploadTarget; writer?: ContentWriter } = {};
  try {
    const problem = await readMultipart(
      bodyPieces(context.request),
      boundary,
      async ({ metadata, contentType }) => {
        const body = parseJson(metadata, uploadBodySchema);
        if (!body.ok) return body.reply;
        const target = prepareUpload(context, bucket, body.value, contentType);
        if ('kind' in target) return target;
        upload.target = target;
        upload.writer = new ContentWriter(store.incomingPath());
        return null;
      },
      async (piece) => upload.writer?.write(piece),
    );
    if (problem !== null) {
      await upload.writer?.discard();
      return 'malformed' in problem ? refuse(400, 'badContent', problem.malformed) : problem;
    }
  } catch (error) {
    await upload.writer?.discard();
    throw error;
  }
  if (upload.target === undefined || upload.writer === undefined)
    return refuse(400, 'badContent', 'The multipart body has no metadata part.');
  const expected = hashesOfHeader(headers['x-goog-hash']);
  return answer(context, await completeUpload(context, upload.target, upload.writer, expected));
}

/** POST /upload/.../o?uploadType=resumable: starts a session, whose address is the `location` of the answer. */
export async function startResumable(
  context: Context,
  bucket: string,
  prefix: string,
): Promise<Reply> {
  const { request, query, emulator } = context;
  const body = await readJson(request, uploadBodySchema);
  if (!body.ok) return body.reply;
  const type = request.headers['x-upload-content-type'];
  const target = prepareUpload(context, bucket, body.value, typeof type === 'string' ? type : null);
  if ('kind' in target) return target;
  const declared = wholeNumber(
    new URLSearchParams({ length: String(request.headers['x-upload-content-length'] ?? '') }),
    'length',
  );
  const id = await emulator.sessions.start(target, typeof declared === 'number' ? declared : null);
  const address = new URLSearchParams([
    ['uploadType', 'resumable'],
    ...[...query].filter(([name]) => name === 'name'),
    ['upload_id', id],
  ]);
  // Cloud Storage names the host that it was asked at, which is another behind a proxy.
  const { host } = request.headers;
  const origin = host === undefined ? emulator.origin : `http://${host}`;
  return empty(200, {
    location: `${origin}${prefix}/b/${bucket}/o?${address.toString()}`,
    'x-guploader-uploadid': id,
  });
}
