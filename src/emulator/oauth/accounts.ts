import {
  createPublicKey,
  generateKeyPair,
  randomBytes,
  randomInt,
  type KeyObject,
} from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';

/** The public halves of registered keys: by account, then by key id. */
export class AccountRegister {
  readonly #keys = new Map<string, Map<string, KeyObject>>();

  add(email: string, keyId: string, key: KeyObject): void {
    const keys = this.#keys.get(email) ?? new Map<string, KeyObject>();
    keys.set(keyId, key);
    this.#keys.set(email, keys);
  }

  has(email: string): boolean {
    return this.#keys.has(email);
  }

  /** The public halves of an account's keys as a JWK set (RFC 7517); null where there is no such account. */
  keySet(email: string): { readonly keys: readonly object[] } | null {
    const keys = this.#keys.get(email);
    if (keys === undefined) return null;
    return {
      keys: [...keys].map(([kid, key]) => ({
        ...key.export({ format: 'jwk' }),
        kid,
        alg: 'RS256',
        use: 'sig',
      })),
    };
  }

  /** The keys that a signature of the account may be made with: the named one, or all when none is named. */
  keys(email: string, keyId: string | undefined): readonly KeyObject[] {
    const keys = this.#keys.get(email);
    if (keyId === undefined) return [...(keys?.values() ?? [])];
    const named = keys?.get(keyId);
    return named === undefined ? [] : [named];
  }
}

const keyFileSchema = z.object({
  type: z.literal('service_account'),
  private_key_id: z.string().min(1),
  private_key: z.string().min(1),
  client_email: z.string().min(1),
});

const ACCOUNT_NAME = /^[a-z][a-z0-9-]{0,28}[a-z0-9]$/;

/** The private key of a new account, PEM (PKCS#8). `name`: of the account. */
export type MakeKey = (name: string) => Promise<string>;

const freshKey: MakeKey = async () => {
  const { privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return privateKey;
};

const ANOTHER_FILE =
  'Name a file that is not there yet: the emulator makes an account and writes its key there.';

const refuse = (path: string, message: string, hint: string): ReturnType<typeof fail> =>
  fail(
    problem({ code: 'input.account', op: 'register the account', subject: path, message, hint }),
  );

/** What Google's console writes for a new key of the account. */
async function newKey(
  name: string,
  project: string,
  tokenUri: string,
  makeKey: MakeKey,
): Promise<Record<string, string>> {
  const email = `${name}@${project}.iam.gserviceaccount.com`;
  return {
    type: 'service_account',
    project_id: project,
    private_key_id: randomBytes(20).toString('hex'),
    private_key: await makeKey(name),
    client_email: email,
    client_id: `1${Array.from({ length: 20 }, () => randomInt(10)).join('')}`,
    auth_uri: 'https://accounts.google.com/o/oauth2/auth',
    token_uri: tokenUri,
    auth_provider_x509_cert_url: 'https://www.googleapis.com/oauth2/v1/certs',
    client_x509_cert_url: `https://www.googleapis.com/robot/v1/metadata/x509/${encodeURIComponent(email)}`,
    universe_domain: 'googleapis.com',
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/**
 * Registers the account of a key file. A file that exists is taken as it is; one that is missing is written, mode 0600, with a fresh key of
 * `NAME@<project>.iam.gserviceaccount.com`, NAME being the file's name without `.json`. Errors: `input.account`.
 */
export async function registerAccount(
  register: AccountRegister,
  path: string,
  project: string,
  tokenUri: string,
  makeKey: MakeKey = freshKey,
): Promise<Result<void>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT')
      return refuse(
        path,
        `The key file ${path} cannot be read (${codeOf(error)}).`,
        'Make it readable for you, or name another file.',
      );
    const name = basename(path).replace(/\.json$/, '');
    if (!ACCOUNT_NAME.test(name))
      return refuse(
        path,
        `"${name}" cannot be the name of a service account: 2 to 30 lower case letters, digits and "-", beginning with a letter.`,
        'Name a file such as trainer.json.',
      );
    text = `${JSON.stringify(await newKey(name, project, tokenUri, makeKey), null, 2)}\n`;
    try {
      await writeFile(path, text, { mode: 0o600, flag: 'wx' });
    } catch (failed) {
      return refuse(
        path,
        `The key file ${path} cannot be written (${codeOf(failed)}).`,
        'Name a file in a folder that is there and that you may write to.',
      );
    }
  }
  try {
    const file = keyFileSchema.parse(JSON.parse(text));
    const key = createPublicKey(file.private_key);
    if (key.asymmetricKeyType !== 'rsa')
      return refuse(path, `The key in ${path} is not an RSA key.`, ANOTHER_FILE);
    register.add(file.client_email, file.private_key_id, key);
    return ok();
  } catch {
    // What the parsers say may quote the key: it is not repeated.
    return refuse(path, `${path} is not the JSON key file of a service account.`, ANOTHER_FILE);
  }
}
