import * as z from 'zod';

/** What Cloud Storage tells of one object, from a listing or a metadata read. */
export const objectInfoSchema = z.strictObject({
  /** The object's name, as the bucket has it: hostile input. */
  name: z.string(),
  /** Bytes as stored (compressed ones where `contentEncoding` is `gzip`). Null where it is not told: servers that leave out zeros leave it out for empty objects. */
  size: z.int().min(0).nullable(),
  /** Base64 of the big-endian CRC32C of the stored bytes. Empty where it is not told. */
  crc32c: z.string(),
  /** Decimal. Empty where it is not told. */
  generation: z.string(),
  /** ISO 8601. Empty where it is not told. */
  updated: z.string(),
  contentType: z.string().nullable(),
  contentEncoding: z.string().nullable(),
  /** Base64; null for composed objects. */
  md5: z.string().nullable(),
  /** How many objects it was composed of; null where it was not. */
  componentCount: z.int().nullable(),
});
export type ObjectInfo = Readonly<z.infer<typeof objectInfoSchema>>;

/** The sizes of objects added up, and how many do not tell theirs. Pure. */
export function totalOf(objects: Iterable<Pick<ObjectInfo, 'size'>>): {
  readonly bytes: number;
  readonly untold: number;
} {
  let bytes = 0;
  let untold = 0;
  for (const { size } of objects) {
    if (size === null) untold += 1;
    else bytes += size;
  }
  return { bytes, untold };
}

/** The CRC32C of no bytes. */
const CHECKSUM_OF_NOTHING = 'AAAAAA==';

/** Whether an object has no bytes, by all that is told of it: where the size is not, by its checksum. Pure. */
export const isEmptyObject = ({ size, crc32c }: Pick<ObjectInfo, 'size' | 'crc32c'>): boolean =>
  size === 0 || (size === null && crc32c === CHECKSUM_OF_NOTHING);
