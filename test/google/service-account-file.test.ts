import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { JWT } from 'google-auth-library';
import { describe, expect, test } from 'vitest';
import {
  describeKey,
  fingerprintOf,
  formatServiceAccountFile,
  parseServiceAccountFile,
} from '../../src/google/service-account-file.ts';
import { exitStatusOf } from '../../src/shared/problem.ts';
import { problemOf } from '../main/temp.ts';
import { keyFileFields, pkcs8Pem, rsaKey, TOKEN_URI } from './keys.ts';

const privateKey = rsaKey();
const pem = pkcs8Pem(privateKey);
const fields = keyFileFields(privateKey);
const text = JSON.stringify(fields, null, 2);
const shortPem = pkcs8Pem(rsaKey(1024));
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const publicPem = createPublicKey(privateKey).export({ format: 'pem', type: 'spki' }).toString();
/** Well formed, but the modulus is another key's: it signs nothing that its public key accepts. */
const mixedPem = pkcs8Pem(
  createPrivateKey({
    key: { ...privateKey.export({ format: 'jwk' }), n: rsaKey().export({ format: 'jwk' }).n ?? '' },
    format: 'jwk',
  }),
);
const encryptedPem = privateKey
  .export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'secret' })
  .toString();
const der = privateKey.export({ format: 'der', type: 'pkcs8' });

function utf8(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}
function parse(content: string | Uint8Array, acceptedTokenUris: string[] = []) {
  return parseServiceAccountFile(typeof content === 'string' ? utf8(content) : content, {
    fileName: 'key.json',
    acceptedTokenUris,
  });
}
const withFields = (changes: Record<string, unknown>): string =>
  JSON.stringify({ ...fields, ...changes });
const without = (name: string): string =>
  JSON.stringify(Object.fromEntries(Object.entries(fields).filter(([field]) => field !== name)));

/** Four bytes for each character, its own at `place`. */
function utf32(content: string, place: 0 | 3): Uint8Array {
  const bytes = Buffer.alloc(content.length * 4);
  for (let index = 0; index < content.length; index += 1)
    bytes[index * 4 + place] = content.charCodeAt(index);
  return bytes;
}

/** A tar archive of one file. */
function tarOf(content: string): Uint8Array {
  const head = Buffer.alloc(512);
  head.write('key.json');
  head.write('ustar', 257);
  return Buffer.concat([head, Buffer.from(content), Buffer.alloc(1024)]);
}

/** A PKCS#12 file as Google's console gave it: a SEQUENCE with the content type PKCS#7 data. */
function p12(): Uint8Array {
  const body = Buffer.concat([
    Buffer.from([0x02, 0x01, 0x03, 0x30, 0x82, 0x09, 0x60]),
    Buffer.from([0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01]),
    Buffer.alloc(2400, 0x5a),
  ]);
  return Buffer.concat([Buffer.from([0x30, 0x82, body.length >> 8, body.length & 255]), body]);
}

/** The middle of the key's base64 changed: the frame is right, the contents are not. */
const damagedPem = pem.replace(
  /\n(.{10})(.)/,
  (_, head: string, one: string) => `\n${head}${one === 'A' ? 'B' : 'A'}`,
);
const cutInside = pem
  .split('\n')
  .filter((_, index) => index !== 5)
  .join('\n');

const wrong: readonly (readonly [string, string | Uint8Array, string])[] = [
  [
    'authorized_user',
    JSON.stringify({
      type: 'authorized_user',
      client_id: 'a',
      client_secret: 'b',
      refresh_token: 'c',
    }),
    'key-authorized-user',
  ],
  [
    'authorized_user without its type',
    JSON.stringify({ client_id: 'a', client_secret: 'b', refresh_token: 'c' }),
    'key-authorized-user',
  ],
  [
    'external_account',
    JSON.stringify({
      type: 'external_account',
      audience: 'a',
      token_url: 'https://sts.example/',
      credential_source: { executable: { command: '/bin/evil' } },
    }),
    'key-external-account',
  ],
  [
    'external_account_authorized_user',
    JSON.stringify({ type: 'external_account_authorized_user', token_url: 'x' }),
    'key-external-account-authorized-user',
  ],
  [
    'impersonated_service_account',
    JSON.stringify({
      type: 'impersonated_service_account',
      service_account_impersonation_url: 'https://x',
      source_credentials: {},
    }),
    'key-impersonated',
  ],
  [
    'gdch_service_account',
    JSON.stringify({ type: 'gdch_service_account', format_version: '1', private_key: pem }),
    'key-gdch',
  ],
  [
    'OAuth client, installed',
    JSON.stringify({
      installed: { client_id: 'x.apps.googleusercontent.com', client_secret: 's' },
    }),
    'key-oauth-client-installed',
  ],
  [
    'OAuth client, web',
    JSON.stringify({ web: { client_id: 'x.apps.googleusercontent.com', client_secret: 's' } }),
    'key-oauth-client-web',
  ],
  ['HMAC csv', 'Access Key,Secret\nGOOG1EABCDEFGHIJKLMNOP,abcdefghijklmnop\n', 'key-hmac'],
  [
    'HMAC pair alone',
    'GOOG1EABCDEFGHIJKLMNOP\nbGoa+V7g/yqDXvKRqq+JTFn4uQZbPiQJo4pf9RzJ',
    'key-hmac',
  ],
  [
    'HMAC JSON',
    JSON.stringify({ kind: 'storage#hmacKey', metadata: { accessId: 'GOOG1E' }, secret: 's' }),
    'key-hmac',
  ],
  ['P12', p12(), 'key-p12'],
  ['DER', der, 'key-der'],
  ['PEM alone', pem, 'key-pem-alone'],
  [
    'PKCS#1 PEM alone',
    privateKey.export({ format: 'pem', type: 'pkcs1' }).toString(),
    'key-pem-alone',
  ],
  ['PEM alone, cut', pem.slice(0, 600), 'key-pem-truncated'],
  ['PEM alone, encrypted', encryptedPem, 'key-pem-encrypted'],
  ['PEM alone, EC', ec.export({ format: 'pem', type: 'sec1' }).toString(), 'key-pem-not-rsa'],
  ['public key', publicPem, 'key-public'],
  [
    'certificate',
    '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
    'key-certificate',
  ],
  [
    'OpenSSH key',
    '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n',
    'key-ssh',
  ],
  ['OpenSSH public key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH me@host', 'key-ssh'],
  [
    'private_key: encrypted',
    withFields({ private_key: encryptedPem }),
    'key-private-key-encrypted',
  ],
  ['private_key: public key', withFields({ private_key: publicPem }), 'key-private-key-is-public'],
  [
    'private_key: certificate',
    withFields({ private_key: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n' }),
    'key-private-key-is-certificate',
  ],
  [
    'private_key: EC in PKCS#8',
    withFields({ private_key: pkcs8Pem(ec) }),
    'key-private-key-not-rsa',
  ],
  [
    'private_key: EC in its own form',
    withFields({ private_key: ec.export({ format: 'pem', type: 'sec1' }).toString() }),
    'key-private-key-not-rsa',
  ],
  ['private_key: RSA 1024', withFields({ private_key: shortPem }), 'key-private-key-too-short'],
  [
    'private_key: cut off',
    withFields({ private_key: pem.slice(0, 900) }),
    'key-private-key-truncated',
  ],
  [
    'private_key: a line missing',
    withFields({ private_key: cutInside }),
    'key-private-key-damaged',
  ],
  [
    'private_key: a character changed',
    withFields({ private_key: damagedPem }),
    'key-private-key-damaged',
  ],
  [
    'private_key: parts of two keys',
    withFields({ private_key: mixedPem }),
    'key-private-key-damaged',
  ],
  [
    'private_key: escaped twice',
    withFields({ private_key: pem.replaceAll('\n', '\\n') }),
    'key-private-key-escaped',
  ],
  ['private_key: blanked out', withFields({ private_key: 'REDACTED' }), 'key-private-key-no-pem'],
  ['private_key: two of them', withFields({ private_key: pem + pem }), 'key-private-key-several'],
  [
    'private_key: OpenSSH',
    withFields({
      private_key: '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n',
    }),
    'key-private-key-openssh',
  ],
  ['JSON list', `[${text}]`, 'key-json-list'],
  ['JSON number', '42', 'key-json-scalar'],
  ['JSON in a JSON text', JSON.stringify(text), 'key-json-in-text'],
  ['two documents', `${text}\n${text}`, 'key-json-several'],
  ['not JSON', 'hello, world', 'key-not-json'],
  ['truncated JSON, inside a text', text.slice(0, 1000), 'key-json-truncated'],
  ['truncated JSON, last brace', text.trimEnd().slice(0, -1), 'key-json-truncated'],
  ['comma at the end', text.replace(/\n\}$/, ',\n}'), 'key-not-json'],
  ['single quotes', text.replaceAll('"', "'"), 'key-single-quotes'],
  ['typographic quotes', text.replaceAll('"', '\u201d'), 'key-typographic-quotes'],
  ['real line breaks', text.replaceAll('\\n', '\n'), 'key-raw-line-breaks'],
  ['empty', '', 'key-empty'],
  ['blank', ' \n\t\n', 'key-empty'],
  ['empty object', '{}', 'key-empty-object'],
  ['too large', JSON.stringify({ ...fields, note: 'x'.repeat(17_000) }), 'key-too-large'],
  ['base64 of the file', Buffer.from(text).toString('base64'), 'key-base64'],
  ['base64 of DER', der.toString('base64'), 'key-base64-binary'],
  ['BOM', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), utf8(text)]), 'key-byte-order-mark'],
  [
    'UTF-16 with mark',
    Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]),
    'key-utf16',
  ],
  ['UTF-16 without mark', Buffer.from(text, 'utf16le'), 'key-utf16'],
  ['Latin-1', Buffer.from(withFields({ note: 'Schl\u00fcssel' }), 'latin1'), 'key-not-utf8'],
  ['NUL inside', `{"type":\0"service_account"}`, 'key-not-utf8'],
  [
    'zip',
    Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), Buffer.alloc(100, 1)]),
    'key-other-file',
  ],
  [
    'gcloud credentials.db',
    Buffer.concat([Buffer.from('SQLite format 3\0', 'latin1'), Buffer.alloc(100_000)]),
    'key-gcloud-database',
  ],
  ['Java key store', Buffer.from([0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]), 'key-java-keystore'],
  ...(
    [
      ['little-endian with mark', [0xff, 0xfe, 0, 0], 0],
      ['little-endian without mark', [], 0],
      ['big-endian with mark', [0, 0, 0xfe, 0xff], 3],
      ['big-endian without mark', [], 3],
    ] as const
  ).map(
    ([name, mark, place]) =>
      [
        `UTF-32 ${name}`,
        Buffer.concat([Buffer.from(mark), utf32(text, place)]),
        'key-utf32',
      ] as const,
  ),
  ['bzip2', Buffer.concat([Buffer.from('BZh91AY&SY'), Buffer.alloc(50, 7)]), 'key-bzip2'],
  ['tar', tarOf(text), 'key-tar'],
  ['7z', Buffer.from([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c, 0, 4, 1, 2, 3, 4]), 'key-7z'],
  [
    'KeePass',
    Buffer.from([0x03, 0xd9, 0xa2, 0x9a, 0x67, 0xfb, 0x4b, 0xb5, 1, 0, 4, 0]),
    'key-keepass',
  ],
  [
    'Java key store, JCEKS',
    Buffer.from([0xce, 0xce, 0xce, 0xce, 0, 0, 0, 2]),
    'key-java-keystore-jceks',
  ],
  ...['MESSAGE', 'PRIVATE KEY BLOCK', 'PUBLIC KEY BLOCK', 'SIGNED MESSAGE'].map(
    (what) =>
      [
        `PGP ${what}`,
        `-----BEGIN PGP ${what}-----\n\nhQEMA\n=abcd\n-----END PGP ${what}-----\n`,
        'key-pgp',
      ] as const,
  ),
  [
    'SOPS',
    JSON.stringify({
      type: 'ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]',
      private_key: 'ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]',
      sops: { version: '3.9.0' },
    }),
    'key-sops',
  ],
  [
    'SOPS with its type left open',
    withFields({ private_key: 'ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]', sops: {} }),
    'key-sops',
  ],
  ['Ansible Vault', '$ANSIBLE_VAULT;1.1;AES256\n6162\n6364\n', 'key-ansible-vault'],
  ['Ansible Vault, its first line', '$ANSIBLE_VAULT;1.1;AES256', 'key-ansible-vault'],
  [
    'age',
    Buffer.concat([
      Buffer.from('age-encryption.org/v1\n-> X25519 abc\n--- mac\n'),
      Buffer.from([0xff, 0xc0, 0x80, 1]),
    ]),
    'key-age',
  ],
  [
    'age, armoured',
    '-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n',
    'key-age-armour',
  ],
  ['base64 of a PEM', Buffer.from(pem).toString('base64'), 'key-base64-pem'],
  ['PEM alone, on one line', pem.replaceAll('\n', ''), 'key-pem-one-line'],
  ['PEM alone, with blanks', pem.trim().replaceAll('\n', ' '), 'key-pem-one-line'],
  [
    'private_key: on one line',
    withFields({ private_key: pem.replaceAll('\n', '') }),
    'key-private-key-one-line',
  ],
  [
    'private_key: blanks for line breaks',
    withFields({ private_key: pem.replaceAll('\n', ' ') }),
    'key-private-key-one-line',
  ],
  [
    'Git LFS pointer',
    'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 2390\n',
    'key-git-lfs',
  ],
  [
    'rclone',
    '# mine\n[gcs]\ntype = google cloud storage\nservice_account_file = /k.json\n',
    'key-rclone',
  ],
  ['rclone, a remote named default', '[default]\nscope = drive\ntype = drive\n', 'key-rclone'],
  [
    'TOML of a key',
    `[gcp_service_account]\ntype = "service_account"\nproject_id = "x"\n`,
    'key-ini',
  ],
  ['INI of a key', 'type = service_account\nproject_id = x\n', 'key-ini'],
  ['project_id that is none', withFields({ project_id: 'Demo Project' }), 'key-project-id'],
  ['project_id with a path', withFields({ project_id: 'demo/../other' }), 'key-project-id'],
  ['project_id that is a number', withFields({ project_id: '123456789012' }), 'key-project-id'],
  ['private_key_id with a blank', withFields({ private_key_id: 'abc def' }), 'key-private-key-id'],
  [
    'private_key_id that is far too long',
    withFields({ private_key_id: 'a'.repeat(129) }),
    'key-private-key-id',
  ],
  ['bad e-mail', withFields({ client_email: 'someone@gmail.com' }), 'key-email'],
  [
    'e-mail that only contains the suffix',
    withFields({ client_email: 'x@y.gserviceaccount.com.evil.example' }),
    'key-email',
  ],
  [
    'e-mail that ends like the suffix',
    withFields({ client_email: 'x@evilgserviceaccount.com' }),
    'key-email',
  ],
  ['other universe', withFields({ universe_domain: 'other.example' }), 'key-universe'],
  ['universe that is no text', withFields({ universe_domain: null }), 'key-universe'],
  [
    'foreign token_uri',
    withFields({ token_uri: 'https://oauth2.googleapis.com.evil.example/token' }),
    'key-token-uri',
  ],
  [
    'token_uri of plain http',
    withFields({ token_uri: 'http://oauth2.googleapis.com/token' }),
    'key-token-uri',
  ],
  [
    'token_uri of an emulator not in force',
    withFields({ token_uri: 'http://127.0.0.1:9199/token' }),
    'key-token-uri-emulator',
  ],
  ['API key', 'AIzaSyA1234567890abcdefghijklmnopqrstuv', 'key-api-key'],
  ['access token', `ya29.${'a'.repeat(100)}`, 'key-access-token'],
  [
    'answer with an access token',
    JSON.stringify({ access_token: 'ya29.x', expires_in: 3599, token_type: 'Bearer' }),
    'key-access-token',
  ],
  ['refresh token', `1//0${'a'.repeat(60)}`, 'key-refresh-token'],
  ['JWT', `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.e30.c2ln`, 'key-signed-token'],
  [
    'Firebase web',
    JSON.stringify({ apiKey: 'AIza', authDomain: 'x.firebaseapp.com', projectId: 'x' }),
    'key-firebase',
  ],
  [
    'Firebase Android',
    JSON.stringify({ project_info: { project_id: 'x' }, client: [] }),
    'key-firebase-android',
  ],
  ['kubeconfig YAML', 'apiVersion: v1\nkind: Config\nclusters:\n- name: x\n', 'key-kubeconfig'],
  [
    'kubeconfig JSON',
    JSON.stringify({ apiVersion: 'v1', kind: 'Config', clusters: [], users: [] }),
    'key-kubeconfig',
  ],
  [
    'Kubernetes secret',
    JSON.stringify({ apiVersion: 'v1', kind: 'Secret', data: {} }),
    'key-kubernetes',
  ],
  ['Docker configuration', JSON.stringify({ auths: { 'gcr.io': { auth: 'x' } } }), 'key-docker'],
  [
    'Terraform state',
    JSON.stringify({ version: 4, terraform_version: '1.9.0', resources: [] }),
    'key-terraform',
  ],
  ['JSON Web Key', JSON.stringify({ kty: 'RSA', n: 'x', e: 'AQAB', d: 'y' }), 'key-json-web-key'],
  ['AWS JSON', JSON.stringify({ AccessKeyId: 'AKIA', SecretAccessKey: 's' }), 'key-aws'],
  ['AWS ini', '[default]\naws_access_key_id = AKIA\naws_secret_access_key = s\n', 'key-aws'],
  ['Azure', JSON.stringify({ clientId: 'x', clientSecret: 's', tenantId: 't' }), 'key-azure'],
  ['boto', '[Credentials]\ngs_oauth2_refresh_token = 1//x\n', 'key-boto'],
  ['gcloud configuration', '[core]\naccount = me@example.org\n', 'key-gcloud-configuration'],
  [
    'answer of the IAM API',
    JSON.stringify({ name: 'projects/x', privateKeyData: Buffer.from(text).toString('base64') }),
    'key-api-answer',
  ],
  ['path pasted', '/home/me/Downloads/key.json', 'key-path'],
  ['Windows path pasted', 'C:\\Users\\me\\key.json', 'key-path'],
  ['variable pasted', '$GOOGLE_APPLICATION_CREDENTIALS', 'key-path'],
  ['variable in braces', '"${GOOGLE_APPLICATION_CREDENTIALS}"', 'key-path'],
  ['.env', 'GOOGLE_APPLICATION_CREDENTIALS=/home/me/key.json\n', 'key-environment'],
  ['export', 'export GOOGLE_APPLICATION_CREDENTIALS=/home/me/key.json\n', 'key-environment'],
  ['address', 'gs://bucket/key.json', 'key-address'],
  ['e-mail alone', 'trainer@demo-project.iam.gserviceaccount.com', 'key-email-alone'],
  ['web page', '<!DOCTYPE html>\n<html><title>Sign in</title></html>', 'key-web-page'],
  ['word processor', '{\\rtf1\\ansi {"type": "service_account"}}', 'key-word-processor'],
  ['YAML', '---\ntype: service_account\nproject_id: x\n', 'key-yaml'],
  ['key inside another document', JSON.stringify({ credentials: fields }), 'key-nested'],
  ['unknown type', withFields({ type: 'service-account' }), 'key-unknown-type'],
  ['type in another case', withFields({ type: 'Service_Account' }), 'key-unknown-type'],
  ['type is a number', withFields({ type: 7 }), 'key-type-not-text'],
  ['other JSON', JSON.stringify({ name: 'x', version: '1.0.0' }), 'key-unknown-json'],
  ['no type', without('type'), 'key-missing-type'],
  ['no project_id', without('project_id'), 'key-missing-project-id'],
  ['no private_key_id', without('private_key_id'), 'key-missing-private-key-id'],
  ['no private_key', without('private_key'), 'key-missing-private-key'],
  ['no client_email', without('client_email'), 'key-missing-client-email'],
  ['no token_uri', without('token_uri'), 'key-missing-token-uri'],
  ['project_id is a number', withFields({ project_id: 12 }), 'key-field-type'],
  ['private_key is a list', withFields({ private_key: [pem] }), 'key-field-type'],
  ['client_id is a number', withFields({ client_id: 12 }), 'key-field-type'],
  ['private_key_id is empty', withFields({ private_key_id: ' ' }), 'key-field-empty'],
  ['line break in a field', withFields({ project_id: 'demo\nproject' }), 'key-field-characters'],
  [
    'a field twice',
    text.replace('{', '{"token_uri": "https://evil.example/",'),
    'key-duplicate-field',
  ],
  [
    'a field twice, once escaped',
    text.replace('{', '{"\\u0074ype": "authorized_user",'),
    'key-duplicate-field',
  ],
];

/** Pieces of a text of the file's own that no message may repeat: every run of 12 characters but those allowed to be shown. */
function leaks(shown: string, content: string): string | null {
  const allowed = `${JSON.stringify(fields['client_email'])} ${TOKEN_URI} privateKeyData impersonated_service_account`;
  for (let index = 0; index + 12 <= content.length; index += 1) {
    const piece = content.slice(index, index + 12);
    if (!/[A-Za-z0-9+/]{12}/.test(piece) || allowed.includes(piece)) continue;
    if (shown.includes(piece)) return piece;
  }
  return null;
}

describe('a key file as Google writes it', () => {
  test('is read, field by field; what is unknown is dropped', () => {
    const read = parse(withFields({ note: 'mine', nested: { type: 'x' } }));
    expect(read).toEqual({
      ok: true,
      value: {
        projectId: 'demo-project',
        privateKeyId: '0123456789abcdef0123456789abcdef01234567',
        privateKey: der.toString('base64'),
        clientEmail: 'trainer@demo-project.iam.gserviceaccount.com',
        clientId: '109876543210987654321',
        tokenUri: TOKEN_URI,
      },
    });
  });

  test('may lack client_id and universe_domain, and have Windows line ends', () => {
    const read = parse(without('client_id').replace(',"universe_domain":"googleapis.com"', ''));
    expect(read.ok && read.value.clientId).toBe(null);
    expect(parse(text.replaceAll('\n', '\r\n')).ok).toBe(true);
    expect(parse(withFields({ private_key: pem.replaceAll('\n', '\r\n') })).ok).toBe(true);
  });

  test('may belong to a project of an organisation with a domain', () => {
    const read = parse(withFields({ project_id: 'example.com:demo-project' }));
    expect(read.ok && read.value.projectId).toBe('example.com:demo-project');
  });

  test('has its old token address replaced', () => {
    const read = parse(withFields({ token_uri: 'https://accounts.google.com/o/oauth2/token' }));
    expect(read.ok && read.value.tokenUri).toBe(TOKEN_URI);
  });

  test('may carry the emulated token address while it is in force, exactly', () => {
    const emulated = 'http://127.0.0.1:9199/token';
    const read = parse(withFields({ token_uri: emulated }), [emulated]);
    expect(read.ok && read.value.tokenUri).toBe(emulated);
    // The emulator has another port after a restart: the endpoint in force is the one that is asked.
    const other = 'http://localhost:9/mock';
    expect(parse(withFields({ token_uri: other }), [emulated])).toMatchObject({
      ok: true,
      value: { tokenUri: other },
    });
    expect(parse(withFields({ token_uri: other }), [TOKEN_URI]).ok).toBe(false);
    expect(parse(withFields({ token_uri: 'http://example.org/token' }), [emulated]).ok).toBe(false);
  });

  test('written anew is the same key, and Google’s own library reads it', () => {
    const read = parse(text);
    if (!read.ok) throw new Error(read.problem.message);
    const written = formatServiceAccountFile(read.value);
    expect(JSON.parse(written)).toEqual(JSON.parse(text));
    expect(parse(written)).toEqual(read);
    const client = new JWT();
    client.fromJSON(JSON.parse(written) as Parameters<JWT['fromJSON']>[0]);
    expect(createPrivateKey(client.key ?? '').equals(privateKey)).toBe(true);
    expect(
      JSON.parse(formatServiceAccountFile(read.value, { tokenUri: 'http://x/t' })),
    ).toHaveProperty('token_uri', 'http://x/t');
  });

  test('is told by the fingerprint of its public key', () => {
    const read = parse(text);
    if (!read.ok) throw new Error(read.problem.message);
    const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
    expect(fingerprintOf(read.value)).toBe(createHash('sha256').update(spki).digest('hex'));
    const described = JSON.stringify(describeKey(read.value));
    expect(described).toContain('trainer@demo-project.iam.gserviceaccount.com');
    expect(described).not.toContain(read.value.privateKey.slice(100, 140));
  });
});

describe('a wrong file', () => {
  test.each(wrong)('%s', (_name, content, code) => {
    const read = parse(content);
    if (read.ok) throw new Error('It was accepted.');
    expect(read.problem.code).toBe(`input.${code}`);
    expect(exitStatusOf(read.problem)).toBe(2);
    expect(read.problem.subject).toBe('key.json');
    expect(read.problem.message).toMatch(/^[A-Z][^\n]{10,}\.$/);
    expect(read.problem.hint.length).toBeGreaterThan(15);
    const shown = JSON.stringify(read.problem);
    expect(leaks(shown, pem)).toBe(null);
  });

  // An address that is no account's is shown: it is no secret, and what is wrong with it is seen in it.
  test.each(wrong.filter(([, , code]) => code !== 'key-email'))(
    '%s: nothing of it is shown',
    (_name, content) => {
      const shown = JSON.stringify(problemOf(parse(content)));
      expect(leaks(shown, Buffer.from(content).toString('latin1'))).toBe(null);
      expect(shown).not.toContain('evil');
    },
  );

  test('each kind has a code of its own with one message and hint', () => {
    const byCode = new Map<string, Set<string>>();
    const codes = new Set<string>();
    for (const [, content] of wrong) {
      const { code, message } = problemOf(parse(content));
      codes.add(code);
      byCode.set(message, (byCode.get(message) ?? new Set()).add(code));
    }
    expect(codes.size).toBeGreaterThan(60);
    for (const [message, set] of byCode) expect([message, set.size]).toEqual([message, 1]);
  });
});
