import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Problem, Result } from '../../src/shared/problem.ts';
import { afterEveryFile } from '../support/clean-up.ts';

const folders: string[] = [];
afterEveryFile(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder of its own, removed after the file's last test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'trainyard-main-test-'));
  folders.push(folder);
  return folder;
}

/** The value; a problem fails the test with its words. */
export function valueOf<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.problem.code}: ${result.problem.message}`);
  return result.value;
}

export function problemOf(result: Result<unknown>): Problem {
  if (result.ok) throw new Error('It was not refused.');
  return result.problem;
}

/** Writes a key file as Google does, with a new key pair. Returns the private key's PEM. */
export function writeKeyFile(
  path: string,
  options: { email?: string; bits?: number; pem?: string; tokenUri?: string } = {},
): string {
  const pem =
    options.pem ??
    generateKeyPairSync('rsa', { modulusLength: options.bits ?? 2048 })
      .privateKey.export({ format: 'pem', type: 'pkcs8' })
      .toString();
  const email = options.email ?? 'trainer@demo-project.iam.gserviceaccount.com';
  writeFileSync(
    path,
    JSON.stringify({
      type: 'service_account',
      project_id: 'demo-project',
      private_key_id: createHash('sha1').update(pem).digest('hex'),
      private_key: pem,
      client_email: email,
      client_id: '100000000000000000001',
      auth_uri: 'https://accounts.google.com/o/oauth2/auth',
      token_uri: options.tokenUri ?? 'https://oauth2.googleapis.com/token',
      auth_provider_x509_cert_url: 'https://www.googleapis.com/oauth2/v1/certs',
      client_x509_cert_url: `https://www.googleapis.com/robot/v1/metadata/x509/${email}`,
      universe_domain: 'googleapis.com',
    }),
    { mode: 0o600 },
  );
  return pem;
}
