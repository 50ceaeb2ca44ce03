import * as z from 'zod';
import { gpuProbeSchema, gpuSchema } from './gpu.ts';
import { accessTokenSchema, GRANT_PURPOSES, serviceAccountKeySchema } from './key.ts';
import { problemSchema } from './problem-schema.ts';
import { processIdentitySchema } from './process-identity.ts';

/**
 * How anyone speaks with the agent program. Three verbs for hosts, the same on every kind of host:
 *
 * - `agent.mjs start RUN_DIRECTORY`: reads one {@link agentSecretsSchema} from stdin to its end, starts the agent detached
 *   (own session, no terminal), waits until it holds the run's lock and wrote `agent-started`, prints one {@link startAnswerSchema}, exits 0.
 * - `agent.mjs probe HOME`: prints one {@link hostProbeSchema}.
 * - `agent.mjs version`: prints the version.
 *
 * Two for itself: `carry` (the agent) and `supervise` (the supervisor of one worker).
 */

/**
 * A token for one account and purpose. `keyId` is the plan's. `worker`: what the workers are handed, in mode `token` narrowed before it
 * is granted, so that the agent never has more.
 */
export const grantedTokenSchema = z.strictObject({
  keyId: z.string(),
  purpose: z.enum(GRANT_PURPOSES),
  access: accessTokenSchema,
});
export type GrantedToken = Readonly<z.infer<typeof grantedTokenSchema>>;

/**
 * What the agent is given over stdin, and never writes to disk (but the key file of `key-file` mode, in its place).
 * `keys` holds only the keys that the plan's choices hand over: `unattended` and `key-file`.
 */
export const agentSecretsSchema = z.strictObject({
  format: z.literal(1),
  tokens: z.array(grantedTokenSchema),
  keys: z.array(z.strictObject({ keyId: z.string(), key: serviceAccountKeySchema })),
  /** The variables of the terminal in which this attempt was started, for its workers: they may be secrets of the user's own. */
  terminal: z.record(z.string(), z.string()).optional(),
  /** This attempt only uploads what the bucket lacks of the output of a run that has ended: no worker runs. */
  uploadAgain: z.literal(true).optional(),
});
export type AgentSecrets = Readonly<z.infer<typeof agentSecretsSchema>>;

/** A file in `private/inbox/`: fresh tokens. Put in place by rename, 0600, unlinked once read. Name: `<anything>.json`. */
export const inboxSchema = z.strictObject({
  format: z.literal(1),
  tokens: z.array(grantedTokenSchema),
});
export type Inbox = Readonly<z.infer<typeof inboxSchema>>;

export const startAnswerSchema = z.discriminatedUnion('started', [
  z.strictObject({ started: z.literal(true), agent: processIdentitySchema }),
  z.strictObject({ started: z.literal(false), problem: problemSchema }),
]);
export type StartAnswer = Readonly<z.infer<typeof startAnswerSchema>>;

export const stopRequestSchema = z.strictObject({
  format: z.literal(1),
  /** ISO 8601. */
  requestedAt: z.string(),
});

/** `workers/<n>/started.json` */
export const workerStartedSchema = z.strictObject({
  process: processIdentitySchema,
  /** ISO 8601. */
  time: z.string(),
  start: z.int().min(1),
  gpus: z.array(gpuSchema.pick({ uuid: true, index: true, name: true })),
});
export type WorkerStarted = Readonly<z.infer<typeof workerStartedSchema>>;

/** `workers/<n>/exit.json` */
export const workerExitSchema = z.strictObject({
  start: z.int().min(1),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  stopped: z.boolean(),
  time: z.string(),
});
export type WorkerExit = Readonly<z.infer<typeof workerExitSchema>>;

/** `lock`, and `workers/<n>/pid.json`: the identity of the agent, of the supervisor. */
export const lockSchema = processIdentitySchema;

export const hostProbeSchema = z.strictObject({
  agentVersion: z.string(),
  nodeVersion: z.string(),
  platform: z.string(),
  arch: z.string(),
  hostname: z.string(),
  processors: z.int(),
  /** Bytes. */
  memory: z.number(),
  /** The disk that holds the runs: bytes. */
  disk: z.strictObject({ path: z.string(), free: z.number(), total: z.number() }),
  gpus: gpuProbeSchema,
  /** The login shell, and the names of the variables it adds; null where it could not be asked. */
  loginShell: z.strictObject({ path: z.string(), variables: z.array(z.string()) }).nullable(),
  /** Whether a run outlives its user's last logout: null where it cannot be told. */
  survivesLogout: z.boolean().nullable(),
  survivesLogoutReason: z.string(),
});
export type HostProbe = Readonly<z.infer<typeof hostProbeSchema>>;
