import { generateKeyPairSync, type KeyObject } from 'node:crypto';

/** Real keys for the tests of one file; generating RSA takes a moment, so each kind is made once. */
export function rsaKey(bits = 2048): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength: bits }).privateKey;
}

export function pkcs8Pem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }).toString();
}

export const TOKEN_URI = 'https://oauth2.googleapis.com/token';

/** The fields of a key file as Google's console writes them. */
export function keyFileFields(key: KeyObject): Record<string, unknown> {
  const email = 'trainer@demo-project.iam.gserviceaccount.com';
  return {
    type: 'service_account',
    project_id: 'demo-project',
    private_key_id: '0123456789abcdef0123456789abcdef01234567',
    private_key: pkcs8Pem(key),
    client_email: email,
    client_id: '109876543210987654321',
    auth_uri: 'https://accounts.google.com/o/oauth2/auth',
    token_uri: TOKEN_URI,
    auth_provider_x509_cert_url: 'https://www.googleapis.com/oauth2/v1/certs',
    client_x509_cert_url: `https://www.googleapis.com/robot/v1/metadata/x509/${encodeURIComponent(email)}`,
    universe_domain: 'googleapis.com',
  };
}
