import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import type { Sealed } from '../shared/agent-protocol.ts';

/** Names the use of the derived key: another use of the same pair gets another one. */
const PURPOSE = 'trainyard inbox 1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What is sealed to an agent only that agent can open: the private half never leaves its memory. */
export interface SealKey {
  /** The public half: an X25519 key, base64url. */
  readonly publicKey: string;
  /** What was sealed for `context`, or null: sealed to another key, for another context, or damaged. */
  open(sealed: Sealed, context: string): string | null;
}

export function makeSealKey(): SealKey {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const own = rawOf(publicKey);
  return {
    publicKey: own,
    open(sealed, context) {
      try {
        const from = publicKeyOf(sealed.from);
        const key = derive(diffieHellman({ privateKey, publicKey: from }), sealed.from, own);
        const bytes = Buffer.from(sealed.data, 'base64url');
        const nonce = Buffer.from(sealed.nonce, 'base64url');
        const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
        decipher.setAAD(Buffer.from(context));
        decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
        return Buffer.concat([
          decipher.update(bytes.subarray(0, -TAG_BYTES)),
          decipher.final(),
        ]).toString('utf8');
      } catch {
        return null;
      }
    },
  };
}

/**
 * Seals a text to a public key: an ephemeral X25519 key, HKDF with SHA-256, AES-256-GCM. `context` is bound to it and not in it: what was sealed for one run
 * is worth nothing in another. Throws where the key is none.
 */
export function sealTo(publicKey: string, text: string, context: string): Sealed {
  const ephemeral = generateKeyPairSync('x25519');
  const from = rawOf(ephemeral.publicKey);
  const shared = diffieHellman({
    privateKey: ephemeral.privateKey,
    publicKey: publicKeyOf(publicKey),
  });
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', derive(shared, from, publicKey), nonce, {
    authTagLength: TAG_BYTES,
  });
  cipher.setAAD(Buffer.from(context));
  const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { from, nonce: nonce.toString('base64url'), data: data.toString('base64url') };
}

/** Both public keys are in the salt: a key is derived for this pair alone. */
function derive(shared: Buffer, from: string, to: string): Buffer {
  const salt = Buffer.concat([Buffer.from(from, 'base64url'), Buffer.from(to, 'base64url')]);
  return Buffer.from(hkdfSync('sha256', shared, salt, PURPOSE, 32));
}

const rawOf = (key: KeyObject): string => key.export({ format: 'jwk' }).x ?? '';

const publicKeyOf = (x: string): KeyObject =>
  createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
