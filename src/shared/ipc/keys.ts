import * as z from 'zod';
import { JOB_STATES } from '../job-status.ts';
import { keyUseSchema } from '../key-use.ts';
import { keyCardSchema } from '../key.ts';
import { problemSchema } from '../problem-schema.ts';
import { call } from './contract.ts';

/**
 * What the window asks of keys. The private key never crosses: the main process reads the file or the clipboard, holds what it found under a
 * handle for some minutes, and the window sees a card without a secret.
 */

/** A key that was read and checked and is not kept yet. */
export const keyCandidateSchema = z.object({
  /** Names it in later calls; good for {@link CANDIDATE_MINUTES} minutes. */
  handle: z.string(),
  source: z.enum(['file', 'clipboard']),
  /** The file's name without its folder, or `the clipboard`. */
  name: z.string(),
  /** Where the file lies; null for the clipboard. */
  folder: z.string().nullable(),
  /** Other users of this machine may read the file. */
  readableByOthers: z.boolean(),
  email: z.string(),
  projectId: z.string(),
  privateKeyId: z.string(),
  /** SHA-256 of the public key (SPKI DER), hex. */
  fingerprint: z.string(),
  /** Of the RSA key. */
  bits: z.int(),
  tokenUri: z.string(),
  suggestedName: z.string(),
  /** The name of this very key in the vault, where it is there already. */
  known: z.object({ id: z.string(), name: z.string() }).nullable(),
  /** Other keys of the same account: this one can take the place of one of them. */
  sameAccount: z.array(z.object({ id: z.string(), name: z.string() })),
});
export type KeyCandidate = Readonly<z.infer<typeof keyCandidateSchema>>;

/** How long a candidate is held. */
export const CANDIDATE_MINUTES = 15;

const vaultSchema = z.object({
  kind: z.enum(['keychain', 'passphrase']),
  /** `environment`: a variable decides, and the window cannot. */
  decidedBy: z.enum(['environment', 'setting', 'default']),
  /** `empty`: it will be made by the first key. */
  state: z.enum(['unlocked', 'empty', 'locked', 'unavailable']),
  problem: problemSchema.nullable(),
  /** A typed passphrase would open, or make, the passphrase vault now. */
  wantsPassphrase: z.boolean(),
  /** The passphrase vault can be chosen here in place of the keychain. */
  offersPassphraseVault: z.boolean(),
  /** The file of the passphrase vault, and whether it is there. */
  passphraseFile: z.string(),
  passphraseFileExists: z.boolean(),
});
export type KeyVault = Readonly<z.infer<typeof vaultSchema>>;

const checkSchema = z.discriminatedUnion('result', [
  z.object({ result: z.literal('works'), expiresAt: z.number() }),
  z.object({ result: z.enum(['offline', 'could-not-tell']), problem: problemSchema }),
]);
export type KeyCheckAnswer = Readonly<z.infer<typeof checkSchema>>;

const keyJobSchema = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(JOB_STATES),
  createdAt: z.string(),
});
export type KeyJob = Readonly<z.infer<typeof keyJobSchema>>;

/** What else would break without a key, beside the jobs that name it. */
const dependentsSchema = z.object({
  /** Ids of jobs that go on and were handed the key itself. */
  holding: z.array(z.string()),
  /** Addresses. */
  bookmarks: z.array(z.string()),
  /** Names. */
  templates: z.array(z.string()),
});
export type KeyDependentsAnswer = Readonly<z.infer<typeof dependentsSchema>>;

/** The newest lines of a key's log that the window shows. */
export const USES_SHOWN = 200;

const id = z.string().min(1).max(128);
const name = z.string().max(256);
const nothing = z.undefined();
const none = z.strictObject({});
const oneKey = z.strictObject({ id });
const oneCandidate = z.strictObject({ handle: id });

export const KEY_CALLS = {
  'keys-list': call(none, z.array(keyCardSchema)),
  /** The jobs that name the key, newest first: all that are not finished, and those of the newest thousand that are. */
  'keys-jobs': call(oneKey, z.array(keyJobSchema)),

  'keys-dependents': call(oneKey, dependentsSchema),
  /** What the key was used for, the newest {@link USES_SHOWN} lines. */
  'keys-uses': call(oneKey, z.array(keyUseSchema)),

  /** Reads and checks a dropped file. */
  'keys-read-file': call(
    z.strictObject({ path: z.string().min(1).max(4_096) }),
    keyCandidateSchema,
  ),
  /** Shows the system's dialog; the paths that were chosen there. */
  'keys-pick-files': call(none, z.array(z.string())),
  /** Reads and checks what the clipboard holds. */
  'keys-paste': call(none, keyCandidateSchema),
  /** Forgets a candidate. */
  'keys-discard': call(oneCandidate, nothing),
  /** Takes a candidate into the vault. */
  'keys-take': call(
    z.strictObject({
      handle: id,
      name,
      /** The account's address as it was typed, for a key that can administer. */
      acceptAdmin: z.string().max(512).optional(),
    }),
    keyCardSchema,
  ),
  /** Puts a candidate in the place of a key of the same account. */
  'keys-replace': call(z.strictObject({ handle: id, id }), keyCardSchema),
  /** After taking: moves the file to the trash, or empties the clipboard, where they are still what was read. */
  'keys-clear-original': call(oneCandidate, nothing),

  'keys-rename': call(z.strictObject({ id, name }), keyCardSchema),
  'keys-remove': call(oneKey, nothing),
  /** Asks Google for a token. */
  'keys-check': call(oneKey, checkSchema),

  'keys-vault': call(none, vaultSchema),
  'keys-open-passphrase-vault': call(
    z.strictObject({ passphrase: z.string().min(1).max(4_096) }),
    nothing,
  ),
  'keys-use-keychain': call(none, nothing),
  /** Keys in the vault that this home does not list. */
  'keys-offered': call(none, z.array(keyCardSchema)),
  'keys-adopt': call(z.strictObject({ id, name }), keyCardSchema),
} as const;

export const KEY_EVENTS = {} as const;
