import { MAKE_A_KEY, type WrongFile } from './key-refusal.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** Values of `type` that Google's libraries know, other than the one accepted. */
const TYPES: Readonly<Record<string, WrongFile>> = {
  authorized_user: {
    code: 'input.key-authorized-user',
    message:
      'The file is a person’s own sign-in ("authorized_user"), as `gcloud auth application-default login` writes it.',
    hint: `It can do everything that person can. Make a service account for training and use its key. ${MAKE_A_KEY}`,
  },
  external_account: {
    code: 'input.key-external-account',
    message:
      'The file is a configuration of workload identity federation ("external_account"), not a key.',
    hint: `Such a file can make programs read files, call addresses and run commands, so it is never accepted. ${MAKE_A_KEY}`,
  },
  external_account_authorized_user: {
    code: 'input.key-external-account-authorized-user',
    message:
      'The file is a person’s sign-in through workforce identity federation ("external_account_authorized_user").',
    hint: `Such a file names addresses that programs call, so it is never accepted. ${MAKE_A_KEY}`,
  },
  impersonated_service_account: {
    code: 'input.key-impersonated',
    message:
      'The file borrows a service account through another sign-in ("impersonated_service_account"); it holds no key of its own.',
    hint: `Make a key of that service account itself. ${MAKE_A_KEY}`,
  },
  gdch_service_account: {
    code: 'input.key-gdch',
    message:
      'The file is a key for Google Distributed Cloud ("gdch_service_account"), which has its own servers.',
    hint: `Trainyard works with the public Google Cloud. ${MAKE_A_KEY}`,
  },
};

const has = (value: JsonObject, ...names: readonly string[]): boolean =>
  names.every((name) => Object.hasOwn(value, name));

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface ObjectKind {
  readonly is: (value: JsonObject) => boolean;
  readonly wrong: WrongFile;
}

const kind = (
  is: (value: JsonObject) => boolean,
  code: WrongFile['code'],
  message: string,
  hint: string,
): ObjectKind => ({ is, wrong: { code, message, hint } });

/** Objects without a `type` of Google's, by the fields that give them away; the first that fits counts. */
const KINDS: readonly ObjectKind[] = [
  kind(
    (value) => isObject(value['installed']) && has(value['installed'], 'client_id'),
    'input.key-oauth-client-installed',
    'The file is the OAuth client of a desktop program ("installed"), with which people sign in.',
    `It is no key of an account. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) => isObject(value['web']) && has(value['web'], 'client_id'),
    'input.key-oauth-client-web',
    'The file is the OAuth client of a web application ("web"), with which people sign in.',
    `It is no key of an account. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) => has(value, 'privateKeyData'),
    'input.key-api-answer',
    'The file is the answer of Google’s API that made a key; the key file is inside it, encoded in base64 ("privateKeyData").',
    'Decode that field first (`jq -r .privateKeyData FILE | base64 --decode > key.json`), then give the decoded file, and remove both afterwards.',
  ),
  kind(
    (value) =>
      value['kind'] === 'storage#hmacKey' ||
      (has(value, 'secret') && (has(value, 'accessId') || isObject(value['metadata']))),
    'input.key-hmac',
    'The file holds an HMAC key (an access id and a secret).',
    `HMAC keys serve the S3-compatible interface only. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) => has(value, 'project_info', 'client'),
    'input.key-firebase-android',
    'The file is the Firebase configuration of an Android application (google-services.json).',
    `It names a project and holds no key of an account. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) => has(value, 'apiKey') && (has(value, 'authDomain') || has(value, 'projectId')),
    'input.key-firebase',
    'The file is the Firebase configuration of a web application.',
    `It names a project and holds no key of an account. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) => has(value, 'clusters') && (has(value, 'users') || has(value, 'contexts')),
    'input.key-kubeconfig',
    'The file is a Kubernetes configuration (kubeconfig).',
    `It opens a cluster, not a bucket. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) => has(value, 'apiVersion', 'kind'),
    'input.key-kubernetes',
    'The file is a Kubernetes object.',
    `Where it is a secret that holds a key file, decode that first and give it. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) => isObject(value['auths']),
    'input.key-docker',
    'The file is a Docker configuration.',
    `It opens image registries, not buckets. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) => has(value, 'terraform_version'),
    'input.key-terraform',
    'The file is a state file of Terraform.',
    `It may hold many secrets: keep it closed. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) => has(value, 'kty') || (Array.isArray(value['keys']) && value['keys'].every(isObject)),
    'input.key-json-web-key',
    'The file holds keys in the JSON Web Key form.',
    `Trainyard takes Google’s key file, which also names the account. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) => has(value, 'access_token') || has(value, 'token', 'token_type'),
    'input.key-access-token',
    'The file holds an access token.',
    `A token ends within an hour; Trainyard makes its own from a key. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) => has(value, 'refresh_token', 'client_secret'),
    'input.key-authorized-user',
    'The file is a person’s own sign-in (it holds a refresh token).',
    `Make a service account for training and use its key. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) =>
      has(value, 'AccessKeyId') || has(value, 'aws_access_key_id') || has(value, 'AccessKey'),
    'input.key-aws',
    'The file holds credentials of Amazon Web Services.',
    `They open no Google bucket. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) => has(value, 'tenantId') || has(value, 'tenant'),
    'input.key-azure',
    'The file holds credentials of Microsoft Azure.',
    `They open no Google bucket. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) =>
      Object.values(value).some((inner) => isObject(inner) && inner['type'] === 'service_account'),
    'input.key-nested',
    'A key file stands inside another document.',
    'Save the inner object ({ "type": "service_account", ... }) to a file of its own and give that.',
  ),
  kind(
    (value) => has(value, 'private_key') || has(value, 'client_email'),
    'input.key-missing-type',
    'The field "type" is missing.',
    `Use the file as Google gave it, unchanged. ${MAKE_A_KEY}`,
  ),
  kind(
    (value) => Object.keys(value).length === 0,
    'input.key-empty-object',
    'The file holds an empty object ("{}").',
    MAKE_A_KEY,
  ),
];

/** Values that SOPS encrypted in place; the names of the fields stay. */
const SOPS: WrongFile = {
  code: 'input.key-sops',
  message:
    'The file is encrypted by SOPS: the names of its fields are there, their values are not.',
  hint: 'Decrypt it first (`sops --decrypt FILE > key.json`), give the decrypted file, and remove it afterwards.',
};
const isSops = (value: JsonObject): boolean =>
  isObject(value['sops']) ||
  Object.values(value).some((inner) => typeof inner === 'string' && /^ENC\[AES/.test(inner));

/** What a JSON object is when it is no service-account key; null when its `type` says that it is one. */
export function wrongJson(value: JsonObject): WrongFile | null {
  if (isSops(value)) return SOPS;
  const type = value['type'];
  if (type === 'service_account') return null;
  if (typeof type === 'string') {
    const known = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
    if (known !== undefined) return known;
  }
  const byFields = KINDS.find((one) => one.is(value));
  if (
    byFields !== undefined &&
    (type === undefined || byFields.wrong.code !== 'input.key-missing-type')
  )
    return byFields.wrong;
  if (type === undefined)
    return {
      code: 'input.key-unknown-json',
      message: 'The file is JSON, but no service-account key: it has no field "type".',
      hint: MAKE_A_KEY,
    };
  if (typeof type !== 'string')
    return {
      code: 'input.key-type-not-text',
      message: 'The field "type" is not text; it must be "service_account".',
      hint: `Use the file as Google gave it, unchanged. ${MAKE_A_KEY}`,
    };
  const shown = /^[A-Za-z0-9_.-]{1,64}$/.test(type) ? `"${type}"` : 'something else';
  return {
    code: 'input.key-unknown-type',
    message: `The field "type" is ${shown}; it must be "service_account".`,
    hint: `It is some other kind of credential, or was changed. ${MAKE_A_KEY}`,
  };
}
