import * as z from 'zod';

/** What Cloud Storage tells of one object, from a listing or a metadata read. */
export const objectInfoSchema = z.strictObject({
  /** The object's name, as the bucket has it: hostile input. */
  name: z.string(),
  /** Bytes as stored (compressed ones where `contentEncoding` is `gzip`). */
  size: z.int().min(0),
  /**
   * Base64 of the big-endian CRC32C of the stored bytes.
   * Empty where Cloud Storage withholds it: objects encrypted with a key that the customer sends along.
   */
  crc32c: z.string(),
  /** Decimal. */
  generation: z.string(),
  /** ISO 8601. */
  updated: z.string(),
  contentType: z.string().nullable(),
  contentEncoding: z.string().nullable(),
  /** Base64; null for composed objects. */
  md5: z.string().nullable(),
  /** How many objects it was composed of; null where it was not. */
  componentCount: z.int().nullable(),
});
export type ObjectInfo = Readonly<z.infer<typeof objectInfoSchema>>;
