import * as z from 'zod';
import { meansTaken } from '../google/http-error.ts';
import { getObject, saysAbsent } from '../google/listing.ts';
import type { Attempt } from '../google/retry.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import { areaOf, fail, ok, problem, type Problem, type Result } from '../shared/problem.ts';
import type { ProgressMeter } from './progress.ts';
import {
  sameFingerprint,
  type CompletedUpload,
  type Fingerprint,
  type UploadJournal,
} from './upload-journal.ts';
import {
  addressOf,
  refusalOf,
  textOf,
  type Wire,
  type WireAnswer,
  type WireRequest,
} from './wire.ts';

export interface UploadContext {
  readonly wire: Wire;
  readonly journal: UploadJournal;
  /** Nobody else writes below the prefix: a clash with what this run attempted is this run's own object. */
  readonly onlyOurs: boolean;
  /** An object that has the bytes of the file already counts as uploaded, whoever made it, where the key may read it. */
  readonly equalCounts?: boolean | undefined;
  readonly meter: ProgressMeter;
}

/** Whether requests for the same bytes under a name stayed without an answer: of this process, or of one before it. */
export type Attempted = 'never' | 'earlier' | 'now';

/** An object that is there, and whether this upload sent it. */
export type Uploaded = CompletedUpload & { readonly sent: boolean };

/** What is to become an object. */
export interface UploadItem extends Fingerprint {
  readonly contentType: string;
}

export const fingerprintOf = ({ name, path, size, mtimeMs }: UploadItem): Fingerprint => ({
  name,
  path,
  size,
  mtimeMs,
});

/** What the bucket says of an object that it just took. `size` is a decimal text there. Null is what it does not tell: some leave out zeros. */
const createdSchema = z.object({
  name: z.string(),
  size: z.string().regex(/^\d+$/).transform(Number).nullable().catch(null),
  crc32c: z.string().min(1).nullable().catch(null),
  generation: z.string().min(1).nullable().catch(null),
});
export type Created = Readonly<z.infer<typeof createdSchema>>;

/** Asked of the answer to an upload. */
export const CREATED_FIELDS = 'name,size,crc32c,generation';

/** Where an object is made, and only where none of the name is. */
export function uploadPath(wire: Wire, type: 'multipart' | 'resumable', name: string): string {
  const query = new URLSearchParams({ uploadType: type, ifGenerationMatch: '0' });
  if (type === 'resumable') query.set('name', name);
  query.set('fields', CREATED_FIELDS);
  return `/upload/storage/v1/b/${wire.bucket}/o?${query.toString()}`;
}

/** Why an object cannot be made: `known` is what the journal says of its name. */
export function existsProblem(
  wire: Wire,
  name: string,
  known: { readonly done: CompletedUpload | null; readonly taken: boolean },
): Problem {
  const exists = {
    code: 'storage.exists' as const,
    op: 'upload',
    subject: addressOf(wire.bucket, name),
  };
  if (known.done === null && known.taken)
    return problem({
      ...exists,
      message: `${exists.subject} was found to hold other bytes than the file, and an object is never overwritten.`,
      hint: 'Remove that object with a key that may, then try again; or upload to another prefix or under another name.',
    });
  return problem({
    ...exists,
    message:
      known.done === null
        ? `${exists.subject} is there already, and an object is never overwritten.`
        : `The file changed after it was uploaded as ${exists.subject}, and an object is never overwritten.`,
    hint: 'Upload to another prefix or under another name.',
  });
}

/** The object is there, complete, and not what was sent. Its name is taken from now on. */
export async function damaged(
  { wire, journal }: UploadContext,
  name: string,
  what: 'the file has' | 'was packed',
): Promise<Result<never>> {
  await journal.taken(name);
  return fail(
    problem({
      code: 'transfer.checksum',
      op: 'upload',
      subject: addressOf(wire.bucket, name),
      message: `What the bucket holds is not what ${what}: the checksum (CRC32C) is another.`,
      hint: 'It was damaged on the way. Remove the object with a key that may, then upload again; or upload under another name.',
    }),
  );
}

/** What a request for a new object came to. */
export type Outcome = { readonly created: Created } | { readonly clash: true };

/** Reads the answer to the request that completes an object. */
export async function readCreated(
  wire: Wire,
  request: WireRequest,
  answer: WireAnswer,
): Promise<Attempt<Outcome>> {
  if (answer.statusCode === 200 || answer.statusCode === 201) {
    const text = await textOf(wire, answer);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = null;
    }
    const created = createdSchema.safeParse(value);
    if (created.success) return { ok: true, value: { created: created.data } };
    return {
      ok: false,
      problem: problem({
        code: 'storage.answer',
        op: request.op,
        subject: request.subject,
        message: 'The answer of the bucket cannot be understood.',
        hint: 'A proxy or the sign-in page of a network may stand between: check the proxy settings, then start again. What arrived all the same is not sent twice.',
        retryable: true,
      }),
    };
  }
  if (answer.statusCode === 412 || answer.statusCode === 403) {
    const text = await textOf(wire, answer);
    const named = {
      bucket: wire.bucket,
      object: request.object,
      email: wire.tokens?.email ?? null,
    };
    if (meansTaken(answer.statusCode, text, named)) return { ok: true, value: { clash: true } };
    return refusalOf(wire, request, answer, text);
  }
  return refusalOf(wire, request, answer);
}

/** Problems after which the object may be there although no answer said so. */
export const mayHaveBeenCreated = (failure: Problem): boolean =>
  failure.code.startsWith('network.') || failure.retryable;

/** What an object is that was in the place already: where the key may read, its size and checksum prove it. */
async function compared(
  context: UploadContext,
  item: UploadItem,
  checksum: string,
  attempted: Attempted,
): Promise<Result<Uploaded>> {
  const { wire, journal } = context;
  const { endpoints, tokens, bucket, signal } = wire;
  const there = await getObject({ endpoints, tokens, bucket, name: item.name, signal });
  if (there.ok && holdsTheBytes(there.value, item, checksum))
    return ok({ ...(await proven(context, item, there.value)), sent: attempted === 'now' });
  if (!there.ok && areaOf(there.problem) === 'network') return there;
  const taken = existsProblem(wire, item.name, journal.of(item.name));
  if (there.ok || attempted === 'never' || journal.of(item.name).taken) return fail(taken);
  return fail({
    ...taken,
    message:
      'The file was sent, and no answer came. The bucket has an object of this name now, which may be this file, but the key may not read it to make sure.',
    hint: 'Compare its size and CRC32C with a key that may read, or upload to another prefix or under another name.',
  });
}

/**
 * Settles what the bucket said. `checksum` is of the bytes that were read; `attempted` tells whether an earlier request for the same
 * bytes under this name stayed without an answer. Only then, only under a prefix of the run's own, and only where no other bytes were ever
 * attempted under the name (it could be those) is an object that is there already taken as ours: `assumed` where the key may not read it. Elsewhere
 * it is looked at, and the same bytes are taken as ours.
 */
export async function settle(
  context: UploadContext,
  item: UploadItem,
  outcome: Outcome,
  checksum: string,
  attempted: Attempted,
): Promise<Result<Uploaded>> {
  const { wire, journal } = context;
  if ('clash' in outcome) {
    if (!context.onlyOurs && (attempted !== 'never' || context.equalCounts === true))
      return compared(context, item, checksum, attempted);
    if (attempted === 'never' || attemptedOtherwise(context, item))
      return fail(existsProblem(wire, item.name, journal.of(item.name)));
    const seen = await lookAtAssumed(context, item, checksum);
    if (seen !== null) return seen;
    const assumed = { ...fingerprintOf(item), crc32c: checksum, generation: null, assumed: true };
    await journal.done(assumed);
    return ok({ ...assumed, sent: true });
  }
  const { created } = outcome;
  if (contradicts(created, { checksum, size: item.size }))
    return damaged(context, item.name, 'the file has');
  const { generation } = created;
  const done = { ...fingerprintOf(item), crc32c: checksum, generation, assumed: false };
  await journal.done(done);
  return ok({ ...done, sent: true });
}

/** Whether what the bucket tells of an object it made is not what was sent. What it does not tell contradicts nothing. */
export const contradicts = (
  { crc32c, size }: Created,
  sent: { readonly checksum: string; readonly size: number },
): boolean =>
  (crc32c !== null && crc32c !== sent.checksum) || (size !== null && size !== sent.size);

/**
 * Before an object is taken as ours unseen it is looked at. Null where the key may not read: then it is ours by what is known. Errors: it holds other
 * bytes, or is not there after all.
 */
async function lookAtAssumed(
  context: UploadContext,
  item: UploadItem,
  checksum: string,
): Promise<Result<Uploaded> | null> {
  const { wire } = context;
  const { endpoints, tokens, bucket, signal } = wire;
  const there = await getObject({ endpoints, tokens, bucket, name: item.name, signal });
  if (!there.ok) {
    if (areaOf(there.problem) === 'network') return there;
    if (!saysAbsent(there.problem)) return null;
    return fail(
      problem({
        code: 'storage.conflict',
        op: 'upload',
        subject: addressOf(bucket, item.name),
        message: 'The bucket said that an object of this name is there already, and it is not.',
        hint: 'Another program may have removed it. Upload again.',
        retryable: true,
      }),
    );
  }
  return holdsTheBytes(there.value, item, checksum)
    ? ok({ ...(await proven(context, item, there.value)), sent: true })
    : damaged(context, item.name, 'the file has');
}

const holdsTheBytes = (there: ObjectInfo, item: UploadItem, checksum: string): boolean =>
  (there.size === null || there.size === item.size) && there.crc32c === checksum;

/** Notes that an object was seen to be the file. */
async function proven(
  { journal }: UploadContext,
  item: UploadItem,
  { crc32c, generation }: ObjectInfo,
): Promise<CompletedUpload> {
  const done = {
    ...fingerprintOf(item),
    crc32c,
    generation: generation === '' ? null : generation,
    assumed: false,
  };
  await journal.done(done);
  return done;
}

/** Whether an earlier process attempted the same bytes under this name. */
export const attemptedEarlier = (context: UploadContext, item: UploadItem): boolean =>
  context.journal.of(item.name).intents.some((one) => sameFingerprint(one, fingerprintOf(item)));

/** Whether what has this name may hold other bytes: the file changed before an answer came, or what is there was seen to be another. */
export const attemptedOtherwise = (context: UploadContext, item: UploadItem): boolean => {
  const { intents, taken } = context.journal.of(item.name);
  return taken || intents.some((one) => !sameFingerprint(one, fingerprintOf(item)));
};
