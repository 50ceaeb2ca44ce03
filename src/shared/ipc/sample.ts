import * as z from 'zod';
import { problemSchema } from '../problem-schema.ts';
import { call } from './contract.ts';

/** What the window asks of the sample data: an embedded Google of its own, with buckets, data and an account. */

const inUse = {
  /** Where its storage is. */
  storage: z.string(),
  /** Its buckets: the input, and where the job's output goes. */
  input: z.string(),
  output: z.string(),
};

export const sampleStatusSchema = z.discriminatedUnion('state', [
  /** `offered`: it can be started. It cannot where variables move the addresses of Google already. */
  z.object({ state: z.literal('off'), offered: z.boolean() }),
  z.object({ state: z.literal('starting'), step: z.string() }),
  z.object({
    state: z.literal('on'),
    ...inUse,
    /** The file of the account's key, where it is still there. */
    keyFile: z.string().nullable(),
    /** The name of that key in the vault; null: it was not taken in yet. */
    key: z.string().nullable(),
    /** A job that runs with it; null until the key is there. */
    jobFile: z.string().nullable(),
  }),
  /** It should run and does not. */
  z.object({ state: z.literal('broken'), ...inUse, problem: problemSchema }),
]);
export type SampleStatus = Readonly<z.infer<typeof sampleStatusSchema>>;

const none = z.strictObject({});

export const SAMPLE_CALLS = {
  'sample-status': call(none, sampleStatusSchema),
  /** Starts it, for the first time or again. Takes seconds; `sample-changed` tells of the steps. */
  'sample-start': call(none, sampleStatusSchema),
  /** Ends it. `remove`: its buckets, its folder and its key go, too. Refused while a job needs it. */
  'sample-stop': call(z.strictObject({ remove: z.boolean() }), sampleStatusSchema),
} as const;

export const SAMPLE_EVENTS = {
  'sample-changed': sampleStatusSchema,
} as const;
