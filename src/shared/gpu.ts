import * as z from 'zod';

const gpuBlockSchema = z.strictObject({
  /** What stands after `GPU 1 (`. */
  reason: z.string(),
  /** A sentence; empty where nothing can be done. */
  advice: z.string(),
  /** Nothing can compute on it; else somebody who wants the card although may have it. */
  final: z.boolean(),
});
export type GpuBlock = Readonly<z.infer<typeof gpuBlockSchema>>;

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
  /** Of a MIG instance: the UUID of its card. */
  card: z.string().optional(),
  /** Of {@link processes} no part: programs that draw on it (type G or C+G), which leave it to whoever computes. */
  desktop: z.array(z.int()).optional(),
  /** Processes by the name that the driver gives them. */
  programs: z.record(z.string(), z.string()).optional(),
  /** Why it is not shown to be free, although no process is told. */
  blocked: gpuBlockSchema.optional(),
  /** Its compute mode lets one process at a time use it. */
  exclusive: z.literal(true).optional(),
  /** What the driver says of its health, in words: other cards are given first. */
  remarks: z.array(z.string()).optional(),
});
export type Gpu = Readonly<z.infer<typeof gpuSchema>>;

/** Why there is no list of cards. */
export const gpuProbeSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('gpus'),
    driver: z.string().nullable(),
    gpus: z.array(gpuSchema),
    /** What nvidia-smi says of cards that do not answer, one sentence each. */
    lost: z.array(z.string()).optional(),
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
