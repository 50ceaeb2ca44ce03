import { z } from 'zod';
import { gpuSchema } from './gpu.ts';
import { JOB_STATES, WORKER_STATES } from './job-status.ts';
import { codeStateSchema, progressSchema, STAGES } from './events.ts';
import { problemSchema, type Result } from './problem.ts';
import type { JobView } from './views.ts';

/**
 * The one contract between the window and the main process. A channel is declared here once, with the schemas of its arguments and its value;
 * the main process's handler map, the preload's allow-list and the window's typed client derive from it.
 *
 * A call answers with a {@link Result}. It *rejects* only where the caller is not the window's own page or the arguments are not as declared:
 * a bug or an attack, never news for the user. Values are cut to their schema before they leave the main process.
 */

const time = z.string().nullable();
const integer = z.int().nullable();
const remark = z.object({ message: z.string(), hint: z.string() });

const jobStatusSchema = z.object({
  state: z.enum(JOB_STATES),
  attempt: z.int(),
  stages: z.array(
    z.object({
      stage: z.enum(STAGES),
      state: z.enum(['pending', 'active', 'done', 'failed']),
      startedAt: time,
      endedAt: time,
      progress: progressSchema.nullable(),
    }),
  ),
  workers: z.array(
    z.object({
      index: z.int(),
      state: z.enum(WORKER_STATES),
      pid: integer,
      exitCode: integer,
      signal: z.string().nullable(),
      gpus: z.array(gpuSchema.pick({ uuid: true, index: true, name: true })),
      startedAt: time,
      endedAt: time,
      starts: z.int(),
    }),
  ),
  code: codeStateSchema.nullable(),
  problem: problemSchema.nullable(),
  failedStage: z.enum(STAGES).nullable(),
  accessAwaited: remark.extend({ account: z.string() }).nullable(),
  stopRequested: z.boolean(),
  warnings: z.array(remark),
  startedAt: time,
  endedAt: time,
  uploaded: z.object({ objects: z.int(), bytes: z.int() }).nullable(),
  seq: z.int(),
});

/** A {@link JobView} as it crosses to the window. */
export const jobViewSchema: z.ZodType<JobView> = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(['training', 'notebook', 'transfer']),
  host: z.string(),
  createdAt: z.string(),
  state: z.enum(JOB_STATES),
  agent: z.object({ pid: z.int() }).nullable(),
  workers: jobStatusSchema.shape.workers,
  runDirectory: z.string(),
  output: z.string().nullable(),
  status: jobStatusSchema,
});

const aboutSchema = z.object({
  version: z.string(),
  /** The folder that the application and the command line share. */
  home: z.string(),
  /** Where Cloud Storage is asked, and whether that is an emulator on this machine. */
  storage: z.string(),
  emulated: z.boolean(),
});
export type About = Readonly<z.infer<typeof aboutSchema>>;

/** The most bytes of a log that one call answers with. */
export const MAX_LOG_BYTES = 1_048_576;

const logSourceSchema = z.union([z.int().min(0), z.literal('stage')]);
/** A worker's number, or the log of the stages. */
export type LogSource = z.infer<typeof logSourceSchema>;

const jobId = z.string().min(1).max(128);
const nothing = z.undefined();
const noArguments = z.strictObject({});
const oneJob = z.strictObject({ id: jobId });

const call = <Arguments extends z.ZodType, Value extends z.ZodType>(
  args: Arguments,
  value: Value,
) => ({ args, value });

export const CALLS = {
  about: call(noArguments, aboutSchema),
  'jobs-list': call(noArguments, z.array(jobViewSchema)),
  'jobs-stop': call(oneJob, nothing),
  'jobs-retry': call(oneJob, nothing),
  /** Bytes of a log from a byte offset: perhaps fewer than asked, none at its end. `size` is the log's size now. */
  'jobs-read-log': call(
    z.strictObject({
      id: jobId,
      source: logSourceSchema,
      offset: z.int().min(0),
      maxBytes: z.int().min(1).max(MAX_LOG_BYTES),
    }),
    z.object({ bytes: z.instanceof(Uint8Array), offset: z.int(), size: z.int() }),
  ),
} as const;

export const EVENTS = {
  /** These jobs are new or look different now. Sent in batches. */
  'jobs-changed': z.object({ jobs: z.array(jobViewSchema) }),
  /** Jobs went away: ask for the list again. */
  'jobs-gone': z.object({}),
} as const;

export type CallName = keyof typeof CALLS;
export type CallArguments<Name extends CallName> = z.infer<(typeof CALLS)[Name]['args']>;
export type CallValue<Name extends CallName> = z.infer<(typeof CALLS)[Name]['value']>;
export type EventName = keyof typeof EVENTS;
export type EventBody<Name extends EventName> = z.infer<(typeof EVENTS)[Name]>;

/** What the main process does for each call. */
export type CallHandlers = {
  readonly [Name in CallName]: (args: CallArguments<Name>) => Promise<Result<CallValue<Name>>>;
};

/** What the preload shows to the page, as `window.trainyard`. */
export interface Bridge {
  call: <Name extends CallName>(
    name: Name,
    args: CallArguments<Name>,
  ) => Promise<Result<CallValue<Name>>>;
  /** Answers with its disposer. */
  subscribe: <Name extends EventName>(
    name: Name,
    listener: (body: EventBody<Name>) => void,
  ) => () => void;
}

/** The name of Electron's channel for a call, for an event. */
export const callChannel = (name: CallName): string => `trainyard:call:${name}`;
export const eventChannel = (name: EventName): string => `trainyard:event:${name}`;

export const CALL_NAMES = Object.keys(CALLS) as readonly CallName[];
export const EVENT_NAMES = Object.keys(EVENTS) as readonly EventName[];

/** The window's page lives here; nothing else may speak with the main process. */
export const PAGE_ORIGIN = 'app://trainyard';
