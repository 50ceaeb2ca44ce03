import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { GOOGLE_ENDPOINTS } from '../shared/endpoints.ts';
import type { ServiceAccountKey } from '../shared/key.ts';
import { ok, type Result } from '../shared/problem.ts';
import { duplicateField } from './json-scan.ts';
import { MAKE_A_KEY, refuseKey, type WrongFile } from './key-refusal.ts';
import { isProjectId } from './project-id.ts';
import { isLoopback } from './routes.ts';
import { readPrivateKey } from './private-key.ts';
import { readJsonText, MAXIMUM_KEY_FILE_BYTES } from './wrong-files.ts';
import { wrongJson } from './wrong-json.ts';

export { MAXIMUM_KEY_FILE_BYTES };

/** The token address that Google's older key files carry; the present one is put in its place. */
const OLD_TOKEN_URI = 'https://accounts.google.com/o/oauth2/token';
const UNIVERSE = 'googleapis.com';

const REQUIRED = [
  'type',
  'project_id',
  'private_key_id',
  'private_key',
  'client_email',
  'token_uri',
] as const;
type RequiredField = (typeof REQUIRED)[number];
type Fields = Readonly<Record<RequiredField, string>>;

const EMAIL = /^[A-Za-z0-9][A-Za-z0-9._-]*@([a-z0-9-]+\.)+gserviceaccount\.com$/;
const KEY_ID = /^[A-Za-z0-9_-]{1,128}$/;
const FROM_GOOGLE = `Use the file as Google gave it, unchanged. ${MAKE_A_KEY}`;

function kebab(field: string): string {
  return field.replaceAll('_', '-');
}

/** The JSON name of a value's kind. */
function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value)
    ? 'a list'
    : typeof value === 'object'
      ? 'an object'
      : `a ${typeof value}`;
}

type FieldsResult =
  | { readonly ok: true; readonly fields: Fields }
  | { readonly ok: false; readonly wrong: WrongFile };

function readFields(value: Readonly<Record<string, unknown>>): FieldsResult {
  const fields: Partial<Record<RequiredField, string>> = {};
  for (const field of REQUIRED) {
    const content = value[field];
    const refuse = (code: WrongFile['code'], message: string, hint: string): FieldsResult => ({
      ok: false,
      wrong: { code, message, hint },
    });
    if (!Object.hasOwn(value, field))
      return refuse(
        `input.key-missing-${kebab(field)}`,
        `The field "${field}" is missing.`,
        FROM_GOOGLE,
      );
    if (typeof content !== 'string')
      return refuse(
        'input.key-field-type',
        `The field "${field}" is ${kindOf(content)}; it must be text.`,
        FROM_GOOGLE,
      );
    if (content.trim() === '')
      return refuse('input.key-field-empty', `The field "${field}" is empty.`, FROM_GOOGLE);
    if (field !== 'private_key' && /[\p{Cc}\p{Zl}\p{Zp}]/u.test(content))
      return refuse(
        'input.key-field-characters',
        `The field "${field}" holds a line break or control character.`,
        FROM_GOOGLE,
      );
    fields[field] = content;
  }
  return { ok: true, fields: fields as Fields };
}

function checkEmail(email: string): WrongFile | null {
  if (EMAIL.test(email)) return null;
  const shown = /^[^\s"@]{1,64}@[^\s"@]{1,255}$/.test(email) ? ` ("${email}")` : '';
  return {
    code: 'input.key-email',
    message: `The field "client_email"${shown} is not the address of a service account: it must end in ".gserviceaccount.com".`,
    hint: 'A personal or group address cannot have such a key. Use the key file of a service account, unchanged.',
  };
}

/** The ids that Google gives: of the project and of the key. They stand in addresses, messages and plans. */
function checkIds({ project_id, private_key_id }: Fields): WrongFile | null {
  if (!isProjectId(project_id))
    return {
      code: 'input.key-project-id',
      message: 'The field "project_id" is not the id of a project.',
      hint: `An id has 6 to 30 small letters, digits and "-", with a domain and ":" before it in some organisations. ${FROM_GOOGLE}`,
    };
  if (!KEY_ID.test(private_key_id))
    return {
      code: 'input.key-private-key-id',
      message: 'The field "private_key_id" is not the id of a key.',
      hint: `Google’s ids of keys are letters and digits, 40 as a rule. ${FROM_GOOGLE}`,
    };
  return null;
}

function checkUniverse(value: Readonly<Record<string, unknown>>): WrongFile | null {
  if (!Object.hasOwn(value, 'universe_domain') || value['universe_domain'] === UNIVERSE)
    return null;
  return {
    code: 'input.key-universe',
    message: 'The field "universe_domain" names another cloud than Google’s public one.',
    hint: 'Trainyard works with googleapis.com only. Use a key of an account in the public Google Cloud.',
  };
}

function isLoopbackAddress(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname } = new URL(address);
  return /^https?:$/.test(protocol) && isLoopback(hostname);
}

function readTokenUri(
  uri: string,
  accepted: readonly string[],
): { readonly ok: true; readonly uri: string } | { readonly ok: false; readonly wrong: WrongFile } {
  if (uri === OLD_TOKEN_URI) return { ok: true, uri: GOOGLE_ENDPOINTS.oauthToken };
  if (uri === GOOGLE_ENDPOINTS.oauthToken || accepted.includes(uri)) return { ok: true, uri };
  // A mock of a token endpoint, or an emulator that was started again on another port: tokens come from the endpoint in force whatever the file says.
  if (isLoopbackAddress(uri) && accepted.some(isLoopbackAddress)) return { ok: true, uri };
  if (isLoopbackAddress(uri))
    return {
      ok: false,
      wrong: {
        code: 'input.key-token-uri-emulator',
        message:
          'The field "token_uri" points to an emulator on this machine that is not in force.',
        hint: 'Set the variables that the emulator printed (TRAINYARD_OAUTH_ENDPOINT above all), or use a key file from Google.',
      },
    };
  return {
    ok: false,
    wrong: {
      code: 'input.key-token-uri',
      message: `The field "token_uri" is not Google’s address (${GOOGLE_ENDPOINTS.oauthToken}).`,
      hint: `A file with another address can send what the key signs to a stranger: do not use it. ${MAKE_A_KEY}`,
    },
  };
}

/**
 * Checks a service-account key file field by field and returns what was checked and nothing else; unknown fields are dropped.
 * `acceptedTokenUris` are accepted besides Google's own (see `acceptedTokenUris` in `endpoints.ts`).
 *
 * Errors: `input.key-*`, one for each kind of wrong file, each with its own advice. None repeats anything of the file but names of
 * fields, the value of `type` and the e-mail. Rules: Google's documentation of service-account keys and of externally sourced credentials.
 */
export function parseServiceAccountFile(
  bytes: Uint8Array,
  options: { readonly fileName: string; readonly acceptedTokenUris?: readonly string[] },
): Result<ServiceAccountKey> {
  const { fileName, acceptedTokenUris = [] } = options;
  const read = readJsonText(bytes);
  if (!read.ok) return refuseKey(read.wrong, fileName);
  const { text, value } = read;
  const other = wrongJson(value);
  if (other !== null) return refuseKey(other, fileName);
  const repeated = duplicateField(text);
  if (repeated !== null) {
    const shown = /^\w{1,64}$/.test(repeated) ? `The field "${repeated}"` : 'A field';
    return refuseKey(
      {
        code: 'input.key-duplicate-field',
        message: `${shown} stands in the file twice; programs differ in which of them they take.`,
        hint: FROM_GOOGLE,
      },
      fileName,
    );
  }
  const checked = readFields(value);
  if (!checked.ok) return refuseKey(checked.wrong, fileName);
  const { fields } = checked;
  const wrong = checkEmail(fields.client_email) ?? checkIds(fields) ?? checkUniverse(value);
  if (wrong !== null) return refuseKey(wrong, fileName);
  const tokenUri = readTokenUri(fields.token_uri, acceptedTokenUris);
  if (!tokenUri.ok) return refuseKey(tokenUri.wrong, fileName);
  const clientId = value['client_id'] ?? null;
  if (
    clientId !== null &&
    (typeof clientId !== 'string' || !/^[A-Za-z0-9._-]{0,128}$/.test(clientId))
  )
    return refuseKey(
      {
        code: 'input.key-field-type',
        message: 'The field "client_id" is not a number written as text.',
        hint: FROM_GOOGLE,
      },
      fileName,
    );
  const privateKey = readPrivateKey(fields.private_key);
  if (!privateKey.ok) return refuseKey(privateKey.wrong, fileName);
  return ok({
    projectId: fields.project_id,
    privateKeyId: fields.private_key_id,
    privateKey: privateKey.der,
    clientEmail: fields.client_email,
    clientId: clientId === '' ? null : clientId,
    tokenUri: tokenUri.uri,
  });
}

function keyObject(key: ServiceAccountKey) {
  return createPrivateKey({
    key: Buffer.from(key.privateKey, 'base64'),
    format: 'der',
    type: 'pkcs8',
  });
}

/**
 * A key file as Google writes it, from checked fields: what a worker in `key-file` mode is given. Holds the private key.
 * `tokenUri` replaces the key's own (the emulated one in force).
 */
export function formatServiceAccountFile(
  key: ServiceAccountKey,
  options: { readonly tokenUri?: string } = {},
): string {
  const file = {
    type: 'service_account',
    project_id: key.projectId,
    private_key_id: key.privateKeyId,
    private_key: keyObject(key).export({ format: 'pem', type: 'pkcs8' }),
    client_email: key.clientEmail,
    ...(key.clientId === null ? {} : { client_id: key.clientId }),
    auth_uri: 'https://accounts.google.com/o/oauth2/auth',
    token_uri: options.tokenUri ?? key.tokenUri,
    auth_provider_x509_cert_url: 'https://www.googleapis.com/oauth2/v1/certs',
    client_x509_cert_url: `https://www.googleapis.com/robot/v1/metadata/x509/${encodeURIComponent(key.clientEmail)}`,
    universe_domain: UNIVERSE,
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** SHA-256 of the public key (SPKI DER), hex: tells two keys of one account apart without showing either. */
export function fingerprintOf(key: ServiceAccountKey): string {
  const publicKey = createPublicKey(keyObject(key)).export({ format: 'der', type: 'spki' });
  return createHash('sha256').update(publicKey).digest('hex');
}

/** What everybody may know of a key. */
export interface KeyDescription {
  readonly email: string;
  readonly projectId: string;
  readonly privateKeyId: string;
  readonly clientId: string | null;
  readonly tokenUri: string;
  /** See {@link fingerprintOf}. */
  readonly fingerprint: string;
}

export function describeKey(key: ServiceAccountKey): KeyDescription {
  return {
    email: key.clientEmail,
    projectId: key.projectId,
    privateKeyId: key.privateKeyId,
    clientId: key.clientId,
    tokenUri: key.tokenUri,
    fingerprint: fingerprintOf(key),
  };
}
