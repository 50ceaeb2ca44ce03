import * as z from 'zod';

/**
 * A service-account key that was checked field by field. Holds the private key: it lives in `src/google`, the vault and, where the
 * design says so, the agent's memory. It never goes to the renderer, into argv, a log, an error or a plan.
 */
export const serviceAccountKeySchema = z.strictObject({
  projectId: z.string(),
  privateKeyId: z.string(),
  /** PKCS#8 DER, base64. */
  privateKey: z.string(),
  clientEmail: z.string(),
  clientId: z.string().nullable(),
  tokenUri: z.string(),
});
export type ServiceAccountKey = Readonly<z.infer<typeof serviceAccountKeySchema>>;

/** What everybody may know of a key. */
export const keyCardSchema = z.strictObject({
  /** Random, the handle of the vault item. */
  id: z.string(),
  name: z.string(),
  email: z.string(),
  projectId: z.string(),
  privateKeyId: z.string(),
  clientId: z.string().nullable(),
  tokenUri: z.string(),
  /** SHA-256 of the public key (SPKI DER), hex. */
  fingerprint: z.string(),
  /** ISO 8601. */
  addedAt: z.string(),
  lastUsedAt: z.string().nullable(),
  vault: z.enum(['keychain', 'passphrase']),
});
export type KeyCard = Readonly<z.infer<typeof keyCardSchema>>;

/** The account of a key as a plan names it: no secret. `keyId` is the vault's handle on the submitting machine. */
export const accountSchema = z.strictObject({
  keyId: z.string(),
  name: z.string(),
  email: z.string(),
  projectId: z.string(),
  privateKeyId: z.string(),
});
export type Account = Readonly<z.infer<typeof accountSchema>>;

/** What a token may be used for; decides its OAuth scope. */
export const ACCESS_SCOPES = {
  read: 'https://www.googleapis.com/auth/devstorage.read_only',
  write: 'https://www.googleapis.com/auth/devstorage.read_write',
} as const;
export type AccessPurpose = keyof typeof ACCESS_SCOPES;

/** The scope of a token that stands for the account as a whole, and of one that is to be narrowed. */
export const PLATFORM_SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

/** What the agent is given tokens for: its own reading and writing, and what the workers are handed. */
export const GRANT_PURPOSES = ['read', 'write', 'worker'] as const;
export type GrantPurpose = (typeof GRANT_PURPOSES)[number];

export const accessTokenSchema = z.strictObject({
  token: z.string().min(1),
  /** Milliseconds since 1970, by this machine's clock. */
  expiresAt: z.number(),
});
export type AccessToken = Readonly<z.infer<typeof accessTokenSchema>>;
