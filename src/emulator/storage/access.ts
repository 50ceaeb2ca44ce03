import type { Context, Emulator } from '../context.ts';
import { authorize, denial, isGranted, type Principal, type Resource } from '../iam/evaluate.ts';
import {
  conditionNotMet,
  invalid,
  isError,
  noSuchBucket,
  notFound,
  type ErrorReply,
} from '../reply.ts';
import { utf8Length } from '../../shared/address.ts';
import type { BucketRecord, ObjectRecord } from '../state/model.ts';

/** `null` when the caller may, else the refusal. */
export function allow(context: Context, permission: string, resource: Resource): ErrorReply | null {
  return authorize(context.emulator.rules, context.principal, permission, resource);
}

/** The bucket, if it is there and the caller holds the permission on it. */
export function findBucket(
  context: Context,
  name: string,
  permission: string,
): BucketRecord | ErrorReply {
  const bucket = context.emulator.store.bucket(name);
  if (bucket === null) return noSuchBucket();
  return allow(context, permission, { kind: 'bucket', bucket: name }) ?? bucket;
}

/** Preconditions of a request, as numbers. */
export interface Preconditions {
  readonly generationMatch: number | null;
  readonly generationNotMatch: number | null;
  readonly metagenerationMatch: number | null;
  readonly metagenerationNotMatch: number | null;
}

/** A whole number of the query; `null` where it is absent. */
export function wholeNumber(query: URLSearchParams, name: string): number | null | ErrorReply {
  const text = query.get(name);
  if (text === null) return null;
  return /^\d{1,18}$/.test(text) ? Number(text) : invalid(`Invalid value '${text}' for ${name}.`);
}

export function readPreconditions(query: URLSearchParams): Preconditions | ErrorReply {
  const generationMatch = wholeNumber(query, 'ifGenerationMatch');
  const generationNotMatch = wholeNumber(query, 'ifGenerationNotMatch');
  const metagenerationMatch = wholeNumber(query, 'ifMetagenerationMatch');
  const metagenerationNotMatch = wholeNumber(query, 'ifMetagenerationNotMatch');
  for (const value of [
    generationMatch,
    generationNotMatch,
    metagenerationMatch,
    metagenerationNotMatch,
  ])
    if (typeof value === 'object' && isError(value)) return value;
  return {
    generationMatch,
    generationNotMatch,
    metagenerationMatch,
    metagenerationNotMatch,
  } as Preconditions;
}

/** `match`: a positive condition fails. `notMatch`: a negative one does, which a read answers with 304. */
export function failedPrecondition(
  conditions: Preconditions,
  existing: Pick<ObjectRecord, 'generation' | 'metageneration'> | null,
): 'match' | 'notMatch' | null {
  const generation = existing?.generation ?? 0;
  const metageneration = existing?.metageneration ?? 0;
  const { generationMatch, generationNotMatch, metagenerationMatch, metagenerationNotMatch } =
    conditions;
  if (generationMatch !== null && generationMatch !== generation) return 'match';
  if (metagenerationMatch !== null && metagenerationMatch !== metageneration) return 'match';
  if (generationNotMatch !== null && generationNotMatch === generation) return 'notMatch';
  if (metagenerationNotMatch !== null && metagenerationNotMatch === metageneration)
    return 'notMatch';
  return null;
}

/** In a bucket with hierarchical namespace: the refusal of the first folder above an object that is not there and may not be made; null for none. */
function refuseFolders(
  { hierarchical, store, rules }: Emulator,
  principal: Principal,
  { bucket, name }: { readonly bucket: string; readonly name: string },
): ErrorReply | null {
  if (!hierarchical.has(bucket)) return null;
  const names = store.names(bucket);
  const parts = name.split('/').slice(0, -1);
  const missing = parts
    .map((_, index) => `${parts.slice(0, index + 1).join('/')}/`)
    .filter((folder) => !names.some((known) => known.startsWith(folder)));
  for (const folder of missing) {
    const resource = { kind: 'folder' as const, bucket, name: folder };
    const refusal = authorize(rules, principal, 'storage.folders.create', resource);
    if (refusal !== null) return refusal;
  }
  return null;
}

/** What a write to a name needs: create, the preconditions, and delete where it replaces an object. */
export function mayWrite(
  emulator: Emulator,
  principal: Principal,
  target: { readonly bucket: string; readonly name: string },
  conditions: Preconditions,
): (existing: ObjectRecord | null) => ErrorReply | null {
  const object = { kind: 'object' as const, ...target };
  return (existing) => {
    if (emulator.store.bucket(target.bucket) === null) return noSuchBucket();
    const refusal = authorize(emulator.rules, principal, 'storage.objects.create', object);
    if (refusal !== null) return refusal;
    const unmade = refuseFolders(emulator, principal, target);
    if (unmade !== null) return unmade;
    const overwrite = 'storage.objects.delete';
    if (failedPrecondition(conditions, existing) !== null)
      return emulator.overwriteAnswers403 &&
        existing !== null &&
        conditions.generationMatch === 0 &&
        !isGranted(emulator.rules, principal, overwrite, object)
        ? denial(principal, overwrite, 'object')
        : conditionNotMet();
    return existing === null ? null : authorize(emulator.rules, principal, overwrite, object);
  };
}

/** The object that a request names, at the generation that it names, if the caller holds the permission on it. */
export function findObject(
  context: Context,
  bucket: string,
  name: string,
  permission: string,
  query: URLSearchParams = context.query,
): ObjectRecord | ErrorReply {
  const { store, rules } = context.emulator;
  if (store.bucket(bucket) === null) return noSuchBucket();
  const refusal = allow(context, permission, { kind: 'object', bucket, name });
  if (refusal !== null) return refusal;
  const object = store.object(bucket, name);
  const list = 'storage.objects.list';
  // Whether a name exists is told only to those who may list: the service refuses the others, naming the listing.
  if (object === null && permission === 'storage.objects.get')
    if (!isGranted(rules, context.principal, list, { kind: 'bucket', bucket }))
      return denial(context.principal, list, 'bucket');
  const generation = wholeNumber(query, 'generation');
  if (typeof generation === 'object' && isError(generation)) return generation;
  if (object === null || (generation !== null && generation !== object.generation))
    return notFound(`No such object: ${bucket}/${name}`);
  return object;
}

/** Why a name cannot be an object's (https://cloud.google.com/storage/docs/objects#naming); `null` when it can. */
export function refuseName(name: string): ErrorReply | null {
  const bytes = utf8Length(name);
  if (bytes === 0) return refuseWith('Required', 'required');
  if (bytes > 1024)
    return invalid(
      `The maximum object length is 1024 characters, but got a name with ${bytes} characters: '${name.slice(0, 64)}...'`,
    );
  if (/[\r\n]/.test(name))
    return invalid(`Disallowed unicode characters present in object name '${name}'`);
  if (name === '.' || name === '..' || name.startsWith('.well-known/acme-challenge/'))
    return invalid(`The object name '${name}' is not allowed.`);
  return null;
}

const refuseWith = (message: string, reason: string): ErrorReply => ({
  kind: 'error',
  status: 400,
  reason,
  message,
});
