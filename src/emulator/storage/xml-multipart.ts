import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { bodyPieces, readBody } from '../body.ts';
import type { Context, Emulator } from '../context.ts';
import { empty, invalid, isError, refuse, type ErrorReply, type Reply } from '../reply.ts';
import type { ObjectMetadata } from '../state/model.ts';
import type { Content } from '../state/store.ts';
import { ContentWriter } from './content.ts';
import { objectEtag } from './resources.ts';
import {
  compareHashes,
  completeUpload,
  hashesOfHeader,
  prepareUpload,
  type UploadTarget,
} from './upload.ts';
import { escapeXml, writtenHeaders, xml } from './xml.ts';

/** An upload in parts of the XML API that goes on. It is in memory alone: a restart forgets it. */
interface Upload {
  readonly target: UploadTarget;
  readonly parts: Map<number, Content>;
}

const uploads = new WeakMap<Emulator, Map<string, Upload>>();

function uploadsOf(emulator: Emulator): Map<string, Upload> {
  const known = uploads.get(emulator) ?? new Map<string, Upload>();
  uploads.set(emulator, known);
  return known;
}

const noSuchUpload = (): ErrorReply =>
  refuse(404, 'notFound', 'The specified upload does not exist.');

/** As clients know a part: its MD5. */
const etagOf = ({ md5 }: Content): string => Buffer.from(md5 ?? '', 'base64').toString('hex');

/** The largest list of parts: 10,000 of them. Bytes. */
const LIST_LIMIT = 8 * 1024 * 1024;

/** POST ?uploads: the grants are checked now, and once more at the end. */
export async function startMultipart(
  context: Context,
  bucket: string,
  name: string,
  attributes: ObjectMetadata,
): Promise<Reply> {
  const query = new URLSearchParams(context.query);
  query.set('name', name);
  const target = prepareUpload({ ...context, query }, bucket, attributes, null);
  if ('kind' in target) return target;
  const id = randomBytes(24).toString('base64url');
  uploadsOf(context.emulator).set(id, { target, parts: new Map() });
  return xml(
    `<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>${bucket}</Bucket><Key>${escapeXml(name)}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
  );
}

/** PUT ?partNumber=N&uploadId=ID: a part of the same number takes the place of an earlier one. */
export async function takePart(context: Context, id: string): Promise<Reply> {
  const upload = uploadsOf(context.emulator).get(id);
  if (upload === undefined) return noSuchUpload();
  const text = context.query.get('partNumber') ?? '';
  const number = Number(text);
  if (!/^\d{1,5}$/.test(text) || number < 1 || number > 10_000)
    return invalid('The part number must be between 1 and 10000.');
  const writer = new ContentWriter(context.emulator.store.incomingPath());
  try {
    for await (const piece of bodyPieces(context.request)) await writer.write(piece);
  } catch (error) {
    await writer.discard();
    throw error;
  }
  const content = await writer.finish();
  const { headers } = context.request;
  const hashes = hashesOfHeader(headers['x-goog-hash']);
  const md5 = headers['content-md5'];
  const wrong = compareHashes(content, typeof md5 === 'string' ? { ...hashes, md5 } : hashes);
  if (wrong !== null) {
    await rm(content.path, { force: true });
    return wrong;
  }
  const before = upload.parts.get(number);
  upload.parts.set(number, content);
  if (before !== undefined) await rm(before.path, { force: true });
  return empty(200, { etag: `"${etagOf(content)}"`, 'x-goog-hash': `crc32c=${content.crc32c}` });
}

/** The parts that a request names, in its order; null where it is not as the service takes it. Pure. */
export function readParts(
  body: string,
): readonly { readonly number: number; readonly etag: string }[] | null {
  const parts = [...body.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
    number: Number(/<PartNumber>\s*(\d{1,5})\s*<\/PartNumber>/.exec(part)?.[1] ?? Number.NaN),
    etag: (/<ETag>(.*?)<\/ETag>/s.exec(part)?.[1] ?? '').replaceAll(/&quot;|&#34;|"/g, '').trim(),
  }));
  const isRising = parts.every(
    ({ number }, at) => at === 0 || number > (parts[at - 1]?.number ?? 0),
  );
  return parts.length > 0 && parts.every(({ number }) => number > 0) && isRising ? parts : null;
}

/** POST ?uploadId=ID: the named parts, one after the other, become the object; the others are gone. */
export async function completeMultipart(context: Context, id: string): Promise<Reply> {
  const known = uploadsOf(context.emulator);
  const upload = known.get(id);
  if (upload === undefined) return noSuchUpload();
  const body = await readBody(context.request, LIST_LIMIT);
  const named = body === null ? null : readParts(body.toString('utf8'));
  if (named === null)
    return invalid('The list of parts is empty, out of order or not well formed.');
  const contents: Content[] = [];
  for (const { number, etag } of named) {
    const part = upload.parts.get(number);
    if (part === undefined || etagOf(part) !== etag)
      return invalid(`Part ${number} is not there, or has another ETag.`);
    contents.push(part);
  }
  const writer = new ContentWriter(context.emulator.store.incomingPath());
  try {
    for (const { path } of contents)
      for await (const piece of createReadStream(path)) await writer.write(piece as Buffer);
  } catch (error) {
    await writer.discard();
    throw error;
  }
  const object = await completeUpload(context, upload.target, writer, { crc32c: null, md5: null });
  if (isError(object)) return object;
  known.delete(id);
  await removeParts(upload);
  const { bucket, name } = upload.target;
  return xml(
    `<CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Location>${context.emulator.origin}/${bucket}/${encodeURIComponent(name)}</Location><Bucket>${bucket}</Bucket><Key>${escapeXml(name)}</Key><ETag>"${objectEtag(object)}"</ETag></CompleteMultipartUploadResult>`,
    writtenHeaders(object),
  );
}

/** DELETE ?uploadId=ID. */
export async function abortMultipart(context: Context, id: string): Promise<Reply> {
  const known = uploadsOf(context.emulator);
  const upload = known.get(id);
  if (upload === undefined) return noSuchUpload();
  known.delete(id);
  await removeParts(upload);
  return empty(204);
}

async function removeParts({ parts }: Upload): Promise<void> {
  for (const { path } of parts.values()) await rm(path, { force: true });
}
