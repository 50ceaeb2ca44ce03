import * as z from 'zod';
import { gpuProbeSchema, gpuSchema } from './gpu.ts';
import {
  ACCESS_SCOPES,
  accessTokenSchema,
  GRANT_PURPOSES,
  serviceAccountKeySchema,
  type AccessPurpose,
} from './key.ts';
import { HOW_ENDED } from './left-processes.ts';
import { problemSchema } from './problem-schema.ts';
import { processIdentitySchema } from './process-identity.ts';

/**
 * How anyone speaks with the agent program. Four verbs for hosts, the same on every kind of host:
 *
 * - `agent.mjs start RUN_DIRECTORY`: reads one {@link agentSecretsSchema} from stdin to its end, starts the agent detached
 *   (own session, no terminal), waits until it holds the run's lock and wrote `agent-started`, prints one {@link startAnswerSchema}, exits 0.
 * - `agent.mjs probe HOME`: prints one {@link hostProbeSchema}.
 * - `agent.mjs sweep RUNS`: removes the secrets that crashed runs of a folder of runs left: those that no agent carries, and whose workers are gone.
 * - `agent.mjs version`: prints the version.
 *
 * Two for itself: `carry` (the agent) and `supervise` (the supervisor of one worker).
 */

/**
 * A token for one account and purpose. `keyId` is the plan's. It is narrowed before it is granted, so that the agent never has more: `read` to code
 * and input, `write` to the output, `worker` (what the workers are handed) to input and output in mode `token`.
 */
export const grantedTokenSchema = z.strictObject({
  keyId: z.string(),
  purpose: z.enum(GRANT_PURPOSES),
  access: accessTokenSchema,
});
export type GrantedToken = Readonly<z.infer<typeof grantedTokenSchema>>;

/** A token of the agent's own that cannot be narrowed. */
export const wholeAccessSchema = z.strictObject({
  keyId: z.string(),
  purpose: z.enum(Object.keys(ACCESS_SCOPES) as [AccessPurpose, ...AccessPurpose[]]),
});
export type WholeAccess = Readonly<z.infer<typeof wholeAccessSchema>>;

/**
 * What the agent is given over stdin, and never writes to disk (but the key file of `key-file` mode, in its place).
 * `keys` holds only the keys that the plan's choices hand over: `unattended` and `key-file`.
 */
export const agentSecretsSchema = z.strictObject({
  format: z.literal(1),
  tokens: z.array(grantedTokenSchema),
  keys: z.array(z.strictObject({ keyId: z.string(), key: serviceAccountKeySchema })),
  /** For an agent that mints for itself (`unattended`): what it must not narrow, because a bucket or a policy refuses it. */
  whole: z.array(wholeAccessSchema).optional(),
  /** What the run tells of its access, as warnings: it reaches more than it needs. */
  warnings: z.array(z.strictObject({ message: z.string(), hint: z.string() })).optional(),
  /** The variables of the terminal in which this attempt was started, for its workers: they may be secrets of the user's own. */
  terminal: z.record(z.string(), z.string()).optional(),
  /** This attempt only uploads what the bucket lacks of the output of a run that has ended: no worker runs. */
  uploadAgain: z.literal(true).optional(),
});
export type AgentSecrets = Readonly<z.infer<typeof agentSecretsSchema>>;

/** X25519, base64url. */
const publicKeySchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const bytesSchema = z.string().regex(/^[A-Za-z0-9_-]+$/);

/** What only one agent can open (src/google/sealed.ts): the sender's ephemeral public key, and AES-256-GCM with its tag at the end. */
export const sealedSchema = z.strictObject({
  from: publicKeySchema,
  nonce: bytesSchema,
  data: bytesSchema,
});
export type Sealed = Readonly<z.infer<typeof sealedSchema>>;

const plainInboxSchema = z.strictObject({
  format: z.literal(1),
  tokens: z.array(grantedTokenSchema),
});

/**
 * A file in `private/inbox/`: fresh tokens. Put in place by rename, 0600, unlinked once read. Name: `<anything>.json`. Format 2 is one of format 1,
 * sealed to the key that the agent made; agents of earlier versions have none.
 */
export const inboxSchema = z.discriminatedUnion('format', [
  plainInboxSchema,
  z.strictObject({ format: z.literal(2), sealed: sealedSchema }),
]);
export type Inbox = Readonly<z.infer<typeof inboxSchema>>;

/** The tokens of an inbox; null where it is none. `open`: what was sealed, or null. Pure. */
export function tokensIn(
  inbox: unknown,
  open: (sealed: Sealed) => string | null,
): readonly GrantedToken[] | null {
  const parsed = inboxSchema.safeParse(inbox);
  if (!parsed.success) return null;
  if (parsed.data.format === 1) return parsed.data.tokens;
  const text = open(parsed.data.sealed);
  if (text === null) return null;
  const plain = plainInboxSchema.safeParse(JSON.parse(text));
  return plain.success ? plain.data.tokens : null;
}

/** `control/inbox-key.json`: the key that renewals are sealed to, announced by the agent before any worker of its attempt runs. */
export const inboxKeySchema = z.strictObject({
  format: z.literal(1),
  agent: processIdentitySchema,
  key: publicKeySchema,
});

export const startAnswerSchema = z.discriminatedUnion('started', [
  /** `inboxKey`: the key of {@link inboxKeySchema}, told past the run directory, where workers may write. */
  z.strictObject({
    started: z.literal(true),
    agent: processIdentitySchema,
    inboxKey: publicKeySchema.optional(),
  }),
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
  /** The folder of the worker's control group, where there is one. */
  cgroup: z.string().exactOptional(),
  /** How often the kernel had ended a process for lack of memory, by what counts it. */
  outOfMemory: z.record(z.string(), z.number()).exactOptional(),
});
export type WorkerStarted = Readonly<z.infer<typeof workerStartedSchema>>;

/** `workers/<n>/exit.json` */
export const workerExitSchema = z.strictObject({
  start: z.int().min(1),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  stopped: z.boolean(),
  time: z.string(),
  /** The kernel ended a process for lack of memory while it ran. */
  outOfMemory: z.literal(true).exactOptional(),
});
export type WorkerExit = Readonly<z.infer<typeof workerExitSchema>>;

/** `workers/<n>/family.json` */
export const workerFamilySchema = z.strictObject({
  start: z.int().min(1),
  bootId: z.string(),
  processes: z.array(z.strictObject({ pid: z.int(), startTime: z.string() })),
});

/** `workers/<n>/left.json`: what was left, and how the command had ended, in case that the supervisor does not come to tell so. */
export const workerLeftSchema = z.strictObject({
  exit: workerExitSchema,
  signal: z.string(),
  graceSeconds: z.number(),
  processes: z.array(
    z.strictObject({
      pid: z.int(),
      startTime: z.string(),
      command: z.string(),
      /** Null while it is waited for. */
      how: z.enum(HOW_ENDED).nullable(),
    }),
  ),
});
export type WorkerLeft = Readonly<z.infer<typeof workerLeftSchema>>;

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
