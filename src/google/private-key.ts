import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { MAKE_A_KEY, type WrongFile } from './key-refusal.ts';

export const MINIMUM_RSA_BITS = 2_048;

/** What kind of PEM a text begins with, told apart from the label of its first block. */
export type PemKind =
  | 'private'
  | 'rsa-private'
  | 'encrypted'
  | 'ec'
  | 'dsa'
  | 'openssh'
  | 'public'
  | 'certificate'
  | 'request'
  | 'other';

const LABELS: Readonly<Record<string, PemKind>> = {
  'PRIVATE KEY': 'private',
  'RSA PRIVATE KEY': 'rsa-private',
  'ENCRYPTED PRIVATE KEY': 'encrypted',
  'EC PRIVATE KEY': 'ec',
  'EC PARAMETERS': 'ec',
  'DSA PRIVATE KEY': 'dsa',
  'OPENSSH PRIVATE KEY': 'openssh',
  'PUBLIC KEY': 'public',
  'RSA PUBLIC KEY': 'public',
  CERTIFICATE: 'certificate',
  'CERTIFICATE REQUEST': 'request',
};

export interface Pem {
  readonly kind: PemKind;
  /** Its end line is there. */
  readonly complete: boolean;
  /** How many blocks begin. */
  readonly blocks: number;
}

/** Reads the frame of a PEM text, without its contents; null where none begins. */
export function readPemFrame(text: string): Pem | null {
  const begin = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text);
  const label = begin?.[1];
  if (label === undefined)
    return /-----BEGIN/.test(text) ? { kind: 'other', complete: false, blocks: 1 } : null;
  const encrypted = /Proc-Type:\s*4,\s*ENCRYPTED/.test(text);
  return {
    kind: encrypted ? 'encrypted' : (LABELS[label] ?? 'other'),
    complete: text.includes(`-----END ${label}-----`),
    blocks: text.split('-----BEGIN ').length - 1,
  };
}

export type PrivateKeyResult =
  | { readonly ok: true; readonly key: KeyObject; readonly der: string }
  | { readonly ok: false; readonly wrong: WrongFile };

const again = `Download a new key file: ${MAKE_A_KEY}`;

/** Refusals of the field `private_key` by what stands in it instead. */
const WRONG_KINDS: Readonly<Record<Exclude<PemKind, 'private' | 'rsa-private'>, WrongFile>> = {
  encrypted: {
    code: 'input.key-private-key-encrypted',
    message: 'The field "private_key" holds a private key that is protected by a passphrase.',
    hint: `Google’s key files hold it unprotected; this one was changed. ${again}`,
  },
  ec: {
    code: 'input.key-private-key-not-rsa',
    message:
      'The field "private_key" holds an elliptic-curve key; keys of service accounts are RSA.',
    hint: again,
  },
  dsa: {
    code: 'input.key-private-key-not-rsa',
    message: 'The field "private_key" holds a DSA key; keys of service accounts are RSA.',
    hint: again,
  },
  openssh: {
    code: 'input.key-private-key-openssh',
    message: 'The field "private_key" holds an SSH key in OpenSSH’s own format.',
    hint: again,
  },
  public: {
    code: 'input.key-private-key-is-public',
    message: 'The field "private_key" holds a public key.',
    hint: `A public key cannot sign. ${again}`,
  },
  certificate: {
    code: 'input.key-private-key-is-certificate',
    message: 'The field "private_key" holds a certificate.',
    hint: `A certificate cannot sign. ${again}`,
  },
  request: {
    code: 'input.key-private-key-is-certificate',
    message: 'The field "private_key" holds a certificate request.',
    hint: `A certificate request cannot sign. ${again}`,
  },
  other: {
    code: 'input.key-private-key-unknown',
    message: 'The field "private_key" holds a PEM block of an unknown kind.',
    hint: again,
  },
};

function wrong(code: WrongFile['code'], message: string, hint: string): PrivateKeyResult {
  return { ok: false, wrong: { code, message, hint } };
}

/** Whether what follows the first line of a PEM block stands on that line too: blanks, or nothing, are where line breaks were. Pure. */
export function lineBreaksAreGone(pem: string): boolean {
  return /-----BEGIN [A-Z0-9 ]+-----[^\S\r\n]*[^\s]/.test(pem);
}

function checkFrame(pem: string): WrongFile | null {
  const frame = readPemFrame(pem);
  if (frame === null)
    return {
      code: 'input.key-private-key-no-pem',
      message: 'The field "private_key" holds no PEM block ("-----BEGIN PRIVATE KEY-----").',
      hint: `It may have been blanked out or replaced by a placeholder. ${again}`,
    };
  if (frame.kind !== 'private' && frame.kind !== 'rsa-private') return WRONG_KINDS[frame.kind];
  if (!frame.complete)
    return {
      code: 'input.key-private-key-truncated',
      message: 'The private key is cut off: its end line is missing.',
      hint: `The file was not copied whole. Copy it again from where it came, or: ${again}`,
    };
  if (frame.blocks > 1)
    return {
      code: 'input.key-private-key-several',
      message: `The field "private_key" holds ${frame.blocks} PEM blocks; it must hold one.`,
      hint: again,
    };
  if (/\\[nr]/.test(pem))
    return {
      code: 'input.key-private-key-escaped',
      message: 'The line breaks of the private key were escaped twice ("\\\\n" instead of "\\n").',
      hint: 'The file went through a program that escaped it again, for example an environment variable. Use the file as Google gave it.',
    };
  if (lineBreaksAreGone(pem))
    return {
      code: 'input.key-private-key-one-line',
      message: 'The private key stands on one line: its line breaks are gone.',
      hint: 'The file went through a program that took them out or put blanks in their place, for example a form or a variable. Use the file as Google gave it.',
    };
  return null;
}

/**
 * Reads the PEM of the field `private_key`: one unencrypted RSA key of at least {@link MINIMUM_RSA_BITS} bits whose parts belong together
 * (a test signature is made and verified). `der` is its PKCS#8 DER, base64.
 */
export function readPrivateKey(pem: string): PrivateKeyResult {
  const frame = checkFrame(pem);
  if (frame !== null) return { ok: false, wrong: frame };
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: 'pem' });
  } catch {
    return wrong(
      'input.key-private-key-damaged',
      'The private key cannot be read: some of its characters are missing or changed.',
      `Copy the file again from where it came, or: ${again}`,
    );
  }
  if (key.asymmetricKeyType !== 'rsa')
    return wrong(
      'input.key-private-key-not-rsa',
      `The private key is of the kind "${key.asymmetricKeyType ?? 'unknown'}"; keys of service accounts are RSA.`,
      again,
    );
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < MINIMUM_RSA_BITS)
    return wrong(
      'input.key-private-key-too-short',
      `The private key is RSA of ${bits} bits; at least ${MINIMUM_RSA_BITS} are required.`,
      `Short keys can be broken. ${again}`,
    );
  if (!signsAndVerifies(key))
    return wrong(
      'input.key-private-key-damaged',
      'The private key does not work: its parts do not belong together.',
      `Copy the file again from where it came, or: ${again}`,
    );
  return { ok: true, key, der: key.export({ format: 'der', type: 'pkcs8' }).toString('base64') };
}

function signsAndVerifies(key: KeyObject): boolean {
  const probe = Buffer.from('trainyard');
  try {
    return verify('sha256', probe, createPublicKey(key), sign('sha256', probe, key));
  } catch {
    return false;
  }
}
