import * as z from 'zod';

/** `manifest.json`: every object of a run's output. Uploaded last, as the mark of completion. */
export const manifestSchema = z.strictObject({
  format: z.literal(1),
  job: z.strictObject({ id: z.string(), name: z.string() }),
  /** ISO 8601. */
  createdAt: z.string(),
  bucket: z.string(),
  prefix: z.string(),
  state: z.enum(['finished', 'failed', 'stopped']),
  workers: z.array(
    z.strictObject({ index: z.int(), exitCode: z.int().nullable(), signal: z.string().nullable() }),
  ),
  objects: z.array(
    z.strictObject({
      name: z.string(),
      size: z.int(),
      /** Base64 of the big-endian CRC32C, as Cloud Storage writes it. */
      crc32c: z.string(),
      /** Decimal. Null where the answer was lost and could not be asked again. */
      generation: z.string().nullable(),
      /** The bucket was not heard to confirm it; see docs/architecture.md on the lost answer. */
      assumed: z.boolean(),
    }),
  ),
  /** Files of the output that no object can be made of, by their path below `output/`: they are not in the bucket. */
  refused: z.array(z.strictObject({ path: z.string(), reason: z.string() })).default([]),
});
export type Manifest = Readonly<z.infer<typeof manifestSchema>>;
