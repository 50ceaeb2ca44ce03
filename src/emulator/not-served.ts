import type { IncomingMessage } from 'node:http';
import { refuse, type ErrorReply } from './reply.ts';

/** What Cloud Storage has and the emulator has not is said, never passed over: a client would believe that it was done. */
export const notImplemented = (what: string): ErrorReply =>
  refuse(501, 'notImplemented', `The emulator does not serve ${what}.`);

/** Fields of a bucket or an object that would change what the service does. */
const FIELDS: Readonly<Record<string, string>> = {
  acl: 'access control lists',
  defaultObjectAcl: 'access control lists',
  versioning: 'versioning',
  lifecycle: 'lifecycle rules',
  softDeletePolicy: 'soft deletion',
  retentionPolicy: 'retention policies',
  retention: 'retention',
  objectRetention: 'retention',
  temporaryHold: 'holds',
  eventBasedHold: 'holds',
  defaultEventBasedHold: 'holds',
  encryption: 'keys of Cloud KMS',
  kmsKeyName: 'keys of Cloud KMS',
  customerEncryption: 'customer-supplied keys',
  autoclass: 'Autoclass',
  website: 'websites',
  logging: 'usage logs',
  cors: 'CORS',
  ipFilter: 'IP filters',
};

/** Parameters of a query, with the values that ask for nothing. */
const PARAMETERS: Readonly<Record<string, string>> = {
  versions: 'versioning',
  softDeleted: 'soft deletion',
  predefinedAcl: 'access control lists',
  predefinedDefaultObjectAcl: 'access control lists',
  destinationPredefinedAcl: 'access control lists',
  kmsKeyName: 'keys of Cloud KMS',
  destinationKmsKeyName: 'keys of Cloud KMS',
};

/** Collections and actions below a bucket or an object, and services of their own. */
const PARTS: Readonly<Record<string, string>> = {
  acl: 'access control lists',
  defaultObjectAcl: 'access control lists',
  notificationConfigs: 'notifications',
  folders: 'folders',
  anywhereCaches: 'Anywhere Cache',
  lockRetentionPolicy: 'retention policies',
  operations: 'long-running operations',
  relocate: 'relocation',
  restore: 'soft deletion',
  bulkRestore: 'soft deletion',
  deleteRecursive: 'folders',
  watch: 'notifications',
  moveTo: 'moveTo',
  hmacKeys: 'HMAC keys',
  serviceAccount: 'service agents',
  channels: 'notifications',
  batch: 'batch requests',
};

/** The refusal of a part of a path that the service has and the emulator has not; null where the service has none either. Pure. */
export function partNotServed(part: string | undefined): ErrorReply | null {
  const what = part === undefined || !Object.hasOwn(PARTS, part) ? undefined : PARTS[part];
  return what === undefined ? null : notImplemented(what);
}

/** Lists that give nobody anything: rclone asks for one always. */
const NOBODY: readonly string[] = ['private', 'projectPrivate', 'project-private'];

/** Whether a value asks for anything: `{ "enabled": false }`, an empty list and a duration of 0 do not. */
function asks(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '' || value === 0)
    return false;
  if (value === '0' || value === 'false') return false;
  return typeof value === 'object' ? Object.values(value).some(asks) : true;
}

/** The refusal of a body that asks for what is not served. Pure. */
export function bodyNotServed(body: unknown): ErrorReply | null {
  if (typeof body !== 'object' || body === null) return null;
  for (const [name, value] of Object.entries(body)) {
    const what = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (what !== undefined && asks(value)) return notImplemented(what);
  }
  // The object that a composition makes.
  return 'destination' in body ? bodyNotServed(body.destination) : null;
}

/** The refusal of a request whose query or headers ask for what is not served. Pure. */
export function requestNotServed(
  query: URLSearchParams,
  headers: IncomingMessage['headers'],
): ErrorReply | null {
  for (const [name, value] of query) {
    const what = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined;
    const isNothing = /acl$/i.test(name) && NOBODY.includes(value);
    if (what !== undefined && asks(value) && !isNothing) return notImplemented(what);
  }
  const names = Object.keys(headers);
  if (names.some((name) => /^x-goog-(copy-source-)?encryption-(algorithm|key)/.test(name)))
    return notImplemented('customer-supplied keys');
  if (headers['x-goog-encryption-kms-key-name'] !== undefined)
    return notImplemented('keys of Cloud KMS');
  const acl = headers['x-goog-acl'];
  const asksForAcl = acl !== undefined && !NOBODY.includes(String(acl));
  if (asksForAcl || names.some((name) => name.startsWith('x-goog-grant-')))
    return notImplemented('access control lists');
  return null;
}
