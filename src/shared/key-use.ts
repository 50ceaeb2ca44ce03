import * as z from 'zod';

/** What a key was used for: the use log of docs/security.md. It holds no key, no token, no address and no name of an object. */

/** What was done with the key. */
export const KEY_OPERATIONS = {
  added: 'taken into the vault',
  replaced: 'replaced by a newer key of its account',
  removed: 'removed from the vault',
  'read-token': 'token to read',
  'write-token': 'token to write',
  'worker-token': 'narrowed token for the workers',
  'account-token': 'full token of the account for the workers',
  'key-file': 'the key itself, as a file for the workers',
  'key-to-agent': 'the key itself, for an unattended agent',
  check: 'check of what it can do',
} as const;
export type KeyOperation = keyof typeof KEY_OPERATIONS;

/** What it was done for. */
export const KEY_REASONS = {
  job: 'a job',
  start: 'a look before a job starts',
  form: 'the form of a new job',
  list: 'trainyard ls',
  copy: 'trainyard cp',
  browse: 'Buckets',
  check: 'a check',
} as const;
export type KeyReason = keyof typeof KEY_REASONS;

const names = <T extends string>(of: Readonly<Record<T, string>>): [T, ...T[]] =>
  Object.keys(of) as [T, ...T[]];

/** What a caller says of its use. */
export interface KeyUsage {
  readonly operation: KeyOperation;
  readonly reason: KeyReason | null;
  readonly job: string | null;
}

/** A line of the log: the same use within one hour is one line. */
export const keyUseSchema = z.strictObject({
  operation: z.enum(names(KEY_OPERATIONS)),
  /** Null where the operation says it all. */
  reason: z.enum(names(KEY_REASONS)).nullable(),
  /** The id of the job, or of the transfer; null where there is none yet. */
  job: z.string().nullable(),
  /** Google's id of the key that was used: a replaced one keeps its own. */
  privateKeyId: z.string(),
  /** ISO 8601. */
  firstAt: z.string(),
  lastAt: z.string(),
  times: z.int().positive(),
  /** The code of the problem it met, or null. */
  failed: z.string().nullable(),
});
export type KeyUse = Readonly<z.infer<typeof keyUseSchema>>;

/** The words of a line: what, for what. */
export function wordsOfUse({ operation, reason, job }: KeyUsage): string {
  const what = KEY_OPERATIONS[operation];
  if (job !== null) return `${what}: ${job}`;
  return reason === null || reason === operation ? what : `${what}: ${KEY_REASONS[reason]}`;
}
