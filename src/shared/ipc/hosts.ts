import * as z from 'zod';
import { hostProbeSchema } from '../agent-protocol.ts';
import { gpuSchema } from '../gpu.ts';
import { problemSchema } from '../problem-schema.ts';
import { call } from './contract.ts';

/** What the window asks of hosts. */

const gpuProcessSchema = z.object({
  pid: z.int(),
  /** Null where it is not known. */
  user: z.string().nullable(),
  /** The program and what it was first given: `python train.py`. */
  command: z.string().nullable(),
  /** The pids of the processes that it comes from. */
  ancestors: z.array(z.int()),
});
/** A process, anyone's, that computes on a card. */
export type GpuProcess = Readonly<z.infer<typeof gpuProcessSchema>>;

const hostSchema = z.object({
  name: z.string(),
  /** Null where the host could not be asked: `problem` says why. */
  probe: hostProbeSchema.nullable(),
  problem: problemSchema.nullable(),
  /** What is known of the processes on its cards. */
  processes: z.array(gpuProcessSchema),
  /** UUIDs of the cards that jobs may be given; null: all. */
  onlyGpus: z.array(z.string()).nullable(),
});
/** A machine that carries jobs. */
export type HostView = Readonly<z.infer<typeof hostSchema>>;

const meterSchema = z.object({
  /** Percent of all processors since the last call; null at the first. */
  cpu: z.number().nullable(),
  /** Bytes that programs cannot have, and there. */
  memoryUsed: z.number(),
  memoryTotal: z.number(),
  /** Its cards, in nvidia-smi's order; none where there is none that works. */
  gpus: z.array(
    gpuSchema.pick({
      uuid: true,
      index: true,
      name: true,
      utilization: true,
      memoryUsed: true,
      memoryTotal: true,
      temperature: true,
    }),
  ),
});
export type Meter = Readonly<z.infer<typeof meterSchema>>;

export const HOST_CALLS = {
  /** Asks every host what it has: takes seconds. */
  'hosts-probe': call(z.strictObject({}), z.array(hostSchema)),
  /** Which cards of this machine jobs may be given from now on; null: all. */
  'hosts-keep-gpus': call(
    z.strictObject({ uuids: z.array(z.string().min(1).max(128)).max(1_024).nullable() }),
    z.undefined(),
  ),
  /** How busy this machine is. */
  'hosts-meter': call(z.strictObject({}), meterSchema),
} as const;

export const HOST_EVENTS = {} as const;
