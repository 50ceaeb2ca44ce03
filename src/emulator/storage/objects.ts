import * as z from 'zod';
import { readJson } from '../body.ts';
import type { Context } from '../context.ts';
import {
  conditionNotMet,
  empty,
  invalid,
  isError,
  json,
  notFound,
  type ErrorReply,
  type Reply,
} from '../reply.ts';
import { objectMetadataSchema, type ObjectMetadata, type ObjectRecord } from '../state/model.ts';
import { createReadStream } from 'node:fs';
import {
  failedPrecondition,
  findObject,
  mayWrite,
  readPreconditions,
  refuseName,
  wholeNumber,
} from './access.ts';
import { ContentWriter } from './content.ts';
import { media } from './media.ts';
import { objectResource } from './resources.ts';

/** GET /b/{bucket}/o/{object}: metadata, or content when `asMedia`. */
export async function getObject(
  context: Context,
  bucket: string,
  name: string,
  asMedia: boolean,
): Promise<Reply> {
  const object = findObject(context, bucket, name, 'storage.objects.get');
  if (isError(object)) return object;
  const conditions = readPreconditions(context.query);
  if (isError(conditions)) return conditions;
  const failed = failedPrecondition(conditions, object);
  if (failed === 'match') return conditionNotMet();
  if (failed === 'notMatch') return empty(304);
  return asMedia ? media(context, object) : json(objectResource(object, context.emulator.origin));
}

/** DELETE /b/{bucket}/o/{object}. */
export async function deleteObject(context: Context, bucket: string, name: string): Promise<Reply> {
  const object = findObject(context, bucket, name, 'storage.objects.delete');
  if (isError(object)) return object;
  const conditions = readPreconditions(context.query);
  if (isError(conditions)) return conditions;
  if (failedPrecondition(conditions, object) !== null) return conditionNotMet();
  await context.emulator.store.deleteObject(object);
  return empty(204);
}

const nullableMetadata = objectMetadataSchema
  .omit({ metadata: true })
  .extend({ metadata: z.record(z.string(), z.string().nullable()).optional().nullable() });
const patchSchema = z.object(
  Object.fromEntries(
    Object.entries(nullableMetadata.shape).map(([key, schema]) => [key, schema.nullable()]),
  ),
);

/** PATCH (named attributes; null removes) or PUT (all of them) /b/{bucket}/o/{object}. */
export async function updateObject(context: Context, bucket: string, name: string): Promise<Reply> {
  const body = await readJson(context.request, patchSchema);
  if (!body.ok) return body.reply;
  const object = findObject(context, bucket, name, 'storage.objects.update');
  if (isError(object)) return object;
  const conditions = readPreconditions(context.query);
  if (isError(conditions)) return conditions;
  if (failedPrecondition(conditions, object) !== null) return conditionNotMet();
  const before = context.method === 'PATCH' ? object.attributes : {};
  const { metadata: changes, ...attributes } = body.value;
  const merged: Record<string, unknown> = { ...before, ...attributes };
  if (changes === null) delete merged['metadata'];
  else if (typeof changes === 'object') merged['metadata'] = { ...before.metadata, ...changes };
  const checked = objectMetadataSchema.parse(dropNulls(merged));
  const updated = await context.emulator.store.updateObject(object, checked);
  return json(objectResource(updated, context.emulator.origin));
}

function dropNulls(value: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
      inner === null || inner === undefined
        ? []
        : [[key, typeof inner === 'object' ? dropNulls(inner) : inner]],
    ),
  );
}

const composeSchema = z.object({
  sourceObjects: z
    .array(
      z.object({
        name: z.string(),
        generation: z.union([z.string(), z.number()]).optional(),
        objectPreconditions: z
          .object({ ifGenerationMatch: z.union([z.string(), z.number()]).optional() })
          .optional(),
      }),
    )
    .default([]),
  destination: objectMetadataSchema.optional(),
});

/** POST /b/{bucket}/o/{object}/compose: 1 to 32 objects of the bucket, one after the other. */
export async function composeObject(
  context: Context,
  bucket: string,
  name: string,
): Promise<Reply> {
  const body = await readJson(context.request, composeSchema);
  if (!body.ok) return body.reply;
  const refusal = refuseName(name);
  if (refusal !== null) return refusal;
  const { sourceObjects, destination } = body.value;
  if (sourceObjects.length === 0 || sourceObjects.length > 32)
    return invalid('The number of source components must be between 1 and 32.');
  const conditions = readPreconditions(context.query);
  if (isError(conditions)) return conditions;
  const sources: ObjectRecord[] = [];
  for (const source of sourceObjects) {
    const query = new URLSearchParams(
      source.generation === undefined ? {} : { generation: String(source.generation) },
    );
    const object = findObject(context, bucket, source.name, 'storage.objects.get', query);
    if (isError(object))
      return object.status === 404 ? notFound(`Object ${source.name} not found.`) : object;
    const match = source.objectPreconditions?.ifGenerationMatch;
    if (match !== undefined && String(match) !== String(object.generation))
      return conditionNotMet();
    sources.push(object);
  }
  return copyContent(context, sources, { bucket, name }, destination ?? {}, {
    conditions,
    composed: true,
    answer: (object) => objectResource(object, context.emulator.origin),
  });
}

/** POST .../copyTo/... and .../rewriteTo/...: always done in one request. */
export async function copyObject(
  context: Context,
  from: { readonly bucket: string; readonly name: string },
  to: { readonly bucket: string; readonly name: string },
  rewrite: boolean,
): Promise<Reply> {
  const body = await readJson(context.request, objectMetadataSchema);
  if (!body.ok) return body.reply;
  const { query, emulator } = context;
  const refusal = refuseName(to.name);
  if (refusal !== null) return refusal;
  const sourceGeneration = query.get('sourceGeneration');
  const source = findObject(
    context,
    from.bucket,
    from.name,
    'storage.objects.get',
    new URLSearchParams(sourceGeneration === null ? {} : { generation: sourceGeneration }),
  );
  if (isError(source)) return source;
  const sourceMatch = wholeNumber(query, 'ifSourceGenerationMatch');
  if (typeof sourceMatch === 'object' && isError(sourceMatch)) return sourceMatch;
  if (sourceMatch !== null && sourceMatch !== source.generation) return conditionNotMet();
  const conditions = readPreconditions(query);
  if (isError(conditions)) return conditions;
  const attributes: ObjectMetadata = { ...source.attributes, ...body.value };
  return copyContent(context, [source], to, attributes, {
    conditions,
    composed: source.componentCount !== null,
    answer: (object) => {
      const resource = objectResource(object, emulator.origin);
      return rewrite
        ? {
            kind: 'storage#rewriteResponse',
            totalBytesRewritten: String(object.size),
            objectSize: String(object.size),
            done: true,
            resource,
          }
        : resource;
    },
  });
}

interface CopyOptions {
  readonly conditions: Exclude<ReturnType<typeof readPreconditions>, { kind: 'error' }>;
  readonly composed: boolean;
}

async function copyContent(
  context: Context,
  sources: readonly ObjectRecord[],
  to: { readonly bucket: string; readonly name: string },
  attributes: ObjectMetadata,
  options: CopyOptions & { readonly answer: (object: ObjectRecord) => Record<string, unknown> },
): Promise<Reply> {
  const object = await writeCopy(context, sources, to, attributes, options);
  return isError(object) ? object : json(options.answer(object));
}

/** Writes the sources one after the other as a new object. */
export async function writeCopy(
  context: Context,
  sources: readonly ObjectRecord[],
  to: { readonly bucket: string; readonly name: string },
  attributes: ObjectMetadata,
  options: CopyOptions,
): Promise<ObjectRecord | ErrorReply> {
  const { store } = context.emulator;
  const check = mayWrite(context.emulator, context.principal, to, options.conditions);
  const early = check(store.object(to.bucket, to.name));
  if (early !== null) return early;
  const writer = new ContentWriter(store.incomingPath());
  try {
    for (const source of sources) {
      const file = await store.openContent(source);
      for await (const piece of createReadStream('', { fd: file, highWaterMark: 256 * 1024 }))
        await writer.write(piece as Buffer);
    }
  } catch (error) {
    await writer.discard();
    throw error;
  }
  const content = await writer.finish();
  const components = sources.reduce((sum, source) => sum + (source.componentCount ?? 1), 0);
  return store.commit(
    to.bucket,
    to.name,
    options.composed ? { ...content, md5: null, componentCount: components } : content,
    attributes,
    check,
  );
}
