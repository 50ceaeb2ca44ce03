import * as z from 'zod';
import { boundarySchema } from '../iam/boundary.ts';
import { policyBodySchema } from '../iam/policy.ts';

/** Attributes of an object that a client may set. */
export const objectMetadataSchema = z.object({
  contentType: z.string().optional(),
  contentEncoding: z.string().optional(),
  contentLanguage: z.string().optional(),
  contentDisposition: z.string().optional(),
  cacheControl: z.string().optional(),
  customTime: z.string().optional(),
  storageClass: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
});
export type ObjectMetadata = Readonly<z.infer<typeof objectMetadataSchema>>;

/** An object: its content lies in the file `content/<generation>`. */
export const objectRecordSchema = z.object({
  bucket: z.string(),
  name: z.string(),
  /** Microseconds since 1970 when it was made, never the same twice. */
  generation: z.int(),
  metageneration: z.int(),
  /** Bytes. */
  size: z.int(),
  /** Big-endian, base64. */
  crc32c: z.string(),
  /** base64; null for a composed object. */
  md5: z.string().nullable(),
  /** Only of composed objects. */
  componentCount: z.int().nullable(),
  attributes: objectMetadataSchema,
  /** ISO 8601. */
  timeCreated: z.string(),
  updated: z.string(),
  /** The file of the resumable session that made it. */
  session: z.string().optional(),
});
export type ObjectRecord = Readonly<z.infer<typeof objectRecordSchema>>;

export const bucketRecordSchema = z.object({
  name: z.string(),
  project: z.string(),
  location: z.string(),
  storageClass: z.string(),
  uniformAccess: z.boolean(),
  labels: z.record(z.string(), z.string()),
  metageneration: z.int(),
  timeCreated: z.string(),
  updated: z.string(),
});
export type BucketRecord = Readonly<z.infer<typeof bucketRecordSchema>>;

/** A line of the index file; the last one about a thing is true. */
export const journalLineSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('bucket'), bucket: bucketRecordSchema }),
  z.object({ kind: z.literal('bucket-deleted'), name: z.string() }),
  z.object({ kind: z.literal('policy'), bucket: z.string(), policy: policyBodySchema }),
  z.object({ kind: z.literal('object'), object: objectRecordSchema }),
  z.object({ kind: z.literal('object-deleted'), bucket: z.string(), name: z.string() }),
]);
export type JournalLine = Readonly<z.infer<typeof journalLineSchema>>;

const conditionSchema = z.int().nullable();

/** Where an upload goes, by whom and under which conditions: what is known before any content. */
export const uploadTargetSchema = z.object({
  bucket: z.string(),
  name: z.string(),
  attributes: objectMetadataSchema,
  /** Checksums that the client says the content has, base64. */
  expected: z.object({ crc32c: z.string().nullable(), md5: z.string().nullable() }),
  principal: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('everyone-allowed') }),
    z.object({ kind: z.literal('anonymous') }),
    z.object({
      kind: z.literal('account'),
      email: z.string(),
      scopes: z.array(z.string()),
      boundary: boundarySchema.nullable().default(null),
    }),
  ]),
  conditions: z.object({
    generationMatch: conditionSchema,
    generationNotMatch: conditionSchema,
    metagenerationMatch: conditionSchema,
    metagenerationNotMatch: conditionSchema,
  }),
});

/** A resumable upload as it was started. */
export const sessionRecordSchema = z.object({
  /** Whoever has it may write: as secret as a token. */
  id: z.string(),
  /** The content so far, `sessions/<file>`. */
  file: z.string(),
  target: uploadTargetSchema,
  /** Bytes, if the client said how many there will be. */
  declaredLength: z.int().nullable(),
  /** Milliseconds since 1970. */
  startedAt: z.number(),
});
export type SessionRecord = Readonly<z.infer<typeof sessionRecordSchema>>;

/** A line of the sessions' index; a session without a second line is receiving. */
export const sessionLineSchema = z.union([
  z.object({ kind: z.literal('session'), session: sessionRecordSchema }),
  z.object({
    kind: z.literal('session-ended'),
    id: z.string(),
    state: z.literal('completed'),
    object: objectRecordSchema,
  }),
  z.object({
    kind: z.literal('session-ended'),
    id: z.string(),
    state: z.enum(['cancelled', 'expired']),
  }),
]);
export type SessionLine = Readonly<z.infer<typeof sessionLineSchema>>;
