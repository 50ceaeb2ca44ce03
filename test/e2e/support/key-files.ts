import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';

interface KeyFileOptions {
  /** What stands before the `@`. */
  readonly account?: string;
  readonly tokenUri?: string;
  readonly mode?: number;
}

/** Writes a key file as Google does, with a new key pair. Answers with the private key's PEM. */
export async function writeKeyFile(
  path: string,
  {
    account = 'trainer',
    tokenUri = 'https://oauth2.googleapis.com/token',
    mode = 0o600,
  }: KeyFileOptions = {},
): Promise<string> {
  const pem = generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ format: 'pem', type: 'pkcs8' })
    .toString();
  const file = {
    type: 'service_account',
    project_id: 'demo-project',
    private_key_id: randomBytes(20).toString('hex'),
    private_key: pem,
    client_email: `${account}@demo-project.iam.gserviceaccount.com`,
    client_id: '100000000000000000001',
    auth_uri: 'https://accounts.google.com/o/oauth2/auth',
    token_uri: tokenUri,
    universe_domain: 'googleapis.com',
  };
  await writeFile(path, JSON.stringify(file, null, 2), { mode });
  return pem;
}
