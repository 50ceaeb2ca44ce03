import type * as z from 'zod';
import { ACCESS_CALLS, ACCESS_EVENTS } from './ipc/access.ts';
import { APPLICATION_CALLS, APPLICATION_EVENTS } from './ipc/application.ts';
import { BUCKET_CALLS, BUCKET_EVENTS } from './ipc/buckets.ts';
import { HOST_CALLS, HOST_EVENTS } from './ipc/hosts.ts';
import { JOB_CALLS, JOB_EVENTS } from './ipc/jobs.ts';
import { KEY_CALLS, KEY_EVENTS } from './ipc/keys.ts';
import { NEW_JOB_CALLS, NEW_JOB_EVENTS } from './ipc/new-job.ts';
import { NOTEBOOK_CALLS, NOTEBOOK_EVENTS } from './ipc/notebooks.ts';
import { SAMPLE_CALLS, SAMPLE_EVENTS } from './ipc/sample.ts';
import type { Result } from './problem.ts';

export { MAX_LOG_BYTES, jobViewSchema, type LogSource } from './ipc/jobs.ts';
export type { About } from './ipc/application.ts';

/**
 * The one contract between the window and the main process. A channel is declared once, in its feature's file in `ipc/`, with the schemas of its
 * arguments and its value; the main process's handler map, the preload's allow-list and the window's typed client derive from it.
 *
 * A call answers with a {@link Result}. It *rejects* only where the caller is not the window's own page or the arguments are not as declared:
 * a bug or an attack, never news for the user. Values are cut to their schema before they leave the main process.
 */
export const CALLS = {
  ...APPLICATION_CALLS,
  ...JOB_CALLS,
  ...KEY_CALLS,
  ...ACCESS_CALLS,
  ...BUCKET_CALLS,
  ...NEW_JOB_CALLS,
  ...NOTEBOOK_CALLS,
  ...HOST_CALLS,
  ...SAMPLE_CALLS,
} as const;

export const EVENTS = {
  ...APPLICATION_EVENTS,
  ...JOB_EVENTS,
  ...KEY_EVENTS,
  ...ACCESS_EVENTS,
  ...BUCKET_EVENTS,
  ...NEW_JOB_EVENTS,
  ...NOTEBOOK_EVENTS,
  ...HOST_EVENTS,
  ...SAMPLE_EVENTS,
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
  /** Where a dropped file lies; empty where it lies nowhere. The path is data: the main process checks what it is. */
  pathOf: (file: object) => string;
}

/** The handlers of some calls: one feature's part of {@link CallHandlers}. */
export type HandlersOf<Calls extends Partial<Record<CallName, unknown>>> = Pick<
  CallHandlers,
  Extract<keyof Calls, CallName>
>;

/** The name of Electron's channel for a call, for an event. */
export const callChannel = (name: CallName): string => `trainyard:call:${name}`;
export const eventChannel = (name: EventName): string => `trainyard:event:${name}`;

export const CALL_NAMES = Object.keys(CALLS) as readonly CallName[];
export const EVENT_NAMES = Object.keys(EVENTS) as readonly EventName[];
