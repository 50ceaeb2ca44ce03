import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import * as z from 'zod';
import { keyCardSchema } from '../../shared/key.ts';

/**
 * The passphrase vault's file. Cards are plain: they hold no secret, and their rows in the store can be made again from them without the
 * passphrase. Each private key is sealed by AES-256-GCM under a key that scrypt derives from the passphrase, bound to its id and fingerprint.
 */
const sealedSchema = z.strictObject({
  /** 12 bytes, base64; never used twice. */
  nonce: z.string(),
  /** Ciphertext and the 16 bytes of the tag, base64. */
  data: z.string(),
});
export type Sealed = Readonly<z.infer<typeof sealedSchema>>;

export const vaultFileSchema = z.strictObject({
  format: z.literal(1),
  kdf: z.strictObject({
    name: z.literal('scrypt'),
    /** 16 bytes, base64. */
    salt: z.string(),
    // Bounded: a planted file must not make us take all memory.
    N: z
      .int()
      .min(2 ** 14)
      .max(2 ** 20),
    r: z.int().min(8).max(16),
    p: z.int().min(1).max(4),
  }),
  /** A known text: tells a wrong passphrase from a damaged item. */
  check: sealedSchema,
  items: z.record(z.string(), z.strictObject({ card: keyCardSchema, key: sealedSchema })),
});
export type VaultFile = Readonly<z.infer<typeof vaultFileSchema>>;
export type KdfParameters = VaultFile['kdf'];

const CHECK_TEXT = 'trainyard passphrase vault';
const CHECK_CONTEXT = 'check';

/** What an item's seal is bound to. */
export const itemContext = (id: string, fingerprint: string): string => `key ${id} ${fingerprint}`;

/** 128 MiB and about half a second for each guess. */
export function newKdfParameters(): KdfParameters {
  return { name: 'scrypt', salt: randomBytes(16).toString('base64'), N: 2 ** 17, r: 8, p: 1 };
}

export function deriveKey(passphrase: string, kdf: KdfParameters): Promise<Buffer> {
  const { N, r, p } = kdf;
  return new Promise((resolve, reject) => {
    scrypt(
      passphrase.normalize('NFKC'),
      Buffer.from(kdf.salt, 'base64'),
      32,
      { N, r, p, maxmem: 256 * N * r },
      (error, key) => (error === null ? resolve(key) : reject(error)),
    );
  });
}

export function seal(key: Buffer, text: string, context: string): Sealed {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
  const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { nonce: nonce.toString('base64'), data: data.toString('base64') };
}

/** The text, or null when the key is another or the data was changed. */
export function unseal(key: Buffer, sealed: Sealed, context: string): string | null {
  const data = Buffer.from(sealed.data, 'base64');
  if (data.length < 16) return null;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(sealed.nonce, 'base64'), {
      authTagLength: 16,
    })
      .setAAD(Buffer.from(context))
      .setAuthTag(data.subarray(-16));
    return Buffer.concat([decipher.update(data.subarray(0, -16)), decipher.final()]).toString();
  } catch {
    return null;
  }
}

export const sealCheck = (key: Buffer): Sealed => seal(key, CHECK_TEXT, CHECK_CONTEXT);
export const opensCheck = (key: Buffer, sealed: Sealed): boolean =>
  unseal(key, sealed, CHECK_CONTEXT) === CHECK_TEXT;
