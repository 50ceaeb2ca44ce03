import * as z from 'zod';

/** One card, or one MIG instance of a card. Memory in MiB. */
export const gpuSchema = z.strictObject({
  /** `GPU-...` or `MIG-...`: what `CUDA_VISIBLE_DEVICES` is given. */
  uuid: z.string(),
  /** The card's number in nvidia-smi. */
  index: z.int(),
  name: z.string(),
  memoryTotal: z.number().nullable(),
  memoryUsed: z.number().nullable(),
  /** Percent. */
  utilization: z.number().nullable(),
  /** Degrees Celsius. */
  temperature: z.number().nullable(),
  /** Watts. */
  power: z.number().nullable(),
  /** Processes of anyone that compute on it: pids. */
  processes: z.array(z.int()),
  /** Set where the driver says that nothing computes on the card before it is reset. No job is given such a card. */
  needsReset: z.literal(true).optional(),
});
export type Gpu = Readonly<z.infer<typeof gpuSchema>>;

/** Why there is no list of cards. */
export const gpuProbeSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('gpus'),
    driver: z.string().nullable(),
    gpus: z.array(gpuSchema),
  }),
  /** nvidia-smi is not there. */
  z.strictObject({ kind: z.literal('no-tool') }),
  /** nvidia-smi is there and says that it cannot work: no driver, driver mismatch, no device. */
  z.strictObject({ kind: z.literal('broken'), message: z.string() }),
]);
export type GpuProbe = Readonly<z.infer<typeof gpuProbeSchema>>;

/** Bytes a second. */
const rateSchema = z.object({ in: z.number(), out: z.number() }).nullable();

/** A line of `logs/samples.jsonl`. */
export const sampleSchema = z.object({
  /** ISO 8601. */
  time: z.string(),
  gpus: z.array(
    gpuSchema.pick({
      uuid: true,
      memoryUsed: true,
      utilization: true,
      temperature: true,
      power: true,
    }),
  ),
  /** Percent of all processors. */
  cpu: z.number().nullable(),
  /** MiB used and there. */
  memoryUsed: z.number(),
  memoryTotal: z.number(),
  /** Read from and written to the disk that holds the run; null where the system does not tell, and in samples of earlier versions. */
  disk: rateSchema.default(null),
  /** Received and sent by the machine; null as above. */
  network: rateSchema.default(null),
});
export type Sample = Readonly<z.infer<typeof sampleSchema>>;
