import * as z from 'zod';
import { isBucketName } from '../../shared/address.ts';
import { readJson } from '../body.ts';
import type { Context } from '../context.ts';
import { isGranted } from '../iam/evaluate.ts';
import { bindingsOf, etagOf, hasConditions, policyBodySchema, readPolicy } from '../iam/policy.ts';
import { isPermission } from '../iam/roles.ts';
import {
  conditionNotMet,
  empty,
  invalid,
  isError,
  json,
  noSuchBucket,
  refuse,
  type Reply,
} from '../reply.ts';
import type { BucketRecord } from '../state/model.ts';
import { allow, findBucket, wholeNumber } from './access.ts';
import { readMaxResults } from './list.ts';
import { bucketResource } from './resources.ts';

const bucketBodySchema = z.object({
  name: z.string().optional(),
  location: z.string().optional(),
  storageClass: z.string().optional(),
  labels: z.record(z.string(), z.string().nullable()).nullish(),
  iamConfiguration: z
    .object({ uniformBucketLevelAccess: z.object({ enabled: z.boolean() }).optional() })
    .nullish(),
});

/** POST /b?project=P. Uniform access is on unless the body says otherwise. */
export async function createBucket(context: Context): Promise<Reply> {
  const { query, emulator } = context;
  const project = query.get('project');
  if (project === null) return refuse(400, 'required', 'Required parameter: project');
  const refusal = allow(context, 'storage.buckets.create', { kind: 'project' });
  if (refusal !== null) return refusal;
  const body = await readJson(context.request, bucketBodySchema);
  if (!body.ok) return body.reply;
  const { name, location, storageClass, labels, iamConfiguration } = body.value;
  if (name === undefined) return refuse(400, 'required', 'Required');
  if (!isBucketName(name)) return invalid(`Invalid bucket name: '${name}'`);
  if (emulator.store.bucket(name) !== null)
    return refuse(
      409,
      'conflict',
      'Your previous request to create the named bucket succeeded and you already own it.',
    );
  const now = new Date().toISOString();
  const record: BucketRecord = {
    name,
    project,
    location: (location ?? 'US').toUpperCase(),
    storageClass: storageClass ?? 'STANDARD',
    uniformAccess: iamConfiguration?.uniformBucketLevelAccess?.enabled ?? true,
    labels: withoutNulls(labels ?? {}),
    metageneration: 1,
    timeCreated: now,
    updated: now,
  };
  await emulator.store.createBucket(record);
  return json(bucketResource(record, emulator.origin));
}

function withoutNulls(labels: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).flatMap(([key, value]) => (value === null ? [] : [[key, value]])),
  );
}

/** GET /b?project=P. */
export function listBuckets(context: Context): Reply {
  const { query, emulator } = context;
  const project = query.get('project');
  if (project === null) return refuse(400, 'required', 'Required parameter: project');
  const refusal = allow(context, 'storage.buckets.list', { kind: 'project' });
  if (refusal !== null) return refusal;
  const maxResults = readMaxResults(query);
  if (typeof maxResults !== 'number') return maxResults;
  const after = Buffer.from(query.get('pageToken') ?? '', 'base64url').toString('utf8');
  const found = emulator.store
    .buckets()
    .filter((bucket) => bucket.project === project && bucket.name > after)
    .filter((bucket) => bucket.name.startsWith(query.get('prefix') ?? ''));
  const page = found.slice(0, maxResults);
  const last = page.at(-1);
  return json({
    kind: 'storage#buckets',
    ...(found.length > page.length && last !== undefined
      ? { nextPageToken: Buffer.from(last.name).toString('base64url') }
      : {}),
    ...(page.length === 0
      ? {}
      : { items: page.map((bucket) => bucketResource(bucket, emulator.origin)) }),
  });
}

function metagenerationHolds(context: Context, bucket: BucketRecord): boolean {
  const match = context.query.get('ifMetagenerationMatch');
  return match === null || match === String(bucket.metageneration);
}

/** GET /b/{bucket}. */
export function getBucket(context: Context, name: string): Reply {
  const bucket = findBucket(context, name, 'storage.buckets.get');
  if ('kind' in bucket) return bucket;
  if (!metagenerationHolds(context, bucket)) return conditionNotMet();
  return json(bucketResource(bucket, context.emulator.origin));
}

/** PATCH or PUT /b/{bucket}: labels, storage class, uniform access. */
export async function updateBucket(context: Context, name: string): Promise<Reply> {
  const bucket = findBucket(context, name, 'storage.buckets.update');
  if ('kind' in bucket) return bucket;
  const body = await readJson(context.request, bucketBodySchema);
  if (!body.ok) return body.reply;
  if (!metagenerationHolds(context, bucket)) return conditionNotMet();
  const { labels, storageClass, iamConfiguration } = body.value;
  const uniformAccess = iamConfiguration?.uniformBucketLevelAccess?.enabled ?? bucket.uniformAccess;
  const policy = context.emulator.store.policy(name);
  if (!uniformAccess && policy !== null && hasConditions(policy))
    return invalid('Uniform bucket-level access is required while the policy has conditions.');
  const record: BucketRecord = {
    ...bucket,
    storageClass: storageClass ?? bucket.storageClass,
    uniformAccess,
    labels:
      labels === undefined
        ? bucket.labels
        : withoutNulls({ ...(context.method === 'PATCH' ? bucket.labels : {}), ...labels }),
    metageneration: bucket.metageneration + 1,
    updated: new Date().toISOString(),
  };
  await context.emulator.store.updateBucket(record);
  return json(bucketResource(record, context.emulator.origin));
}

/** DELETE /b/{bucket}: only an empty one. */
export async function deleteBucket(context: Context, name: string): Promise<Reply> {
  const bucket = findBucket(context, name, 'storage.buckets.delete');
  if ('kind' in bucket) return bucket;
  if (!metagenerationHolds(context, bucket)) return conditionNotMet();
  if (context.emulator.store.names(name).length > 0)
    return refuse(409, 'conflict', 'The bucket you tried to delete is not empty.');
  await context.emulator.store.deleteBucket(name);
  return empty(204);
}

/** GET /b/{bucket}/storageLayout: needs a listing's permission, with the prefix that is given. */
export function getStorageLayout(context: Context, name: string): Reply {
  const bucket = context.emulator.store.bucket(name);
  if (bucket === null) return noSuchBucket();
  const refusal = allow(context, 'storage.objects.list', {
    kind: 'bucket',
    bucket: name,
    listPrefix: context.query.get('prefix') ?? '',
  });
  if (refusal !== null) return refusal;
  return json({
    kind: 'storage#storageLayout',
    bucket: name,
    location: bucket.location,
    locationType: bucket.location.includes('-') ? 'region' : 'multi-region',
    hierarchicalNamespace: { enabled: false },
  });
}

/** GET /b/{bucket}/iam. A policy with conditions is only given to who asks for version 3. */
export function getPolicy(context: Context, name: string): Reply {
  const bucket = findBucket(context, name, 'storage.buckets.getIamPolicy');
  if ('kind' in bucket) return bucket;
  const policy = context.emulator.store.policy(name) ?? { bindings: [] };
  const version = wholeNumber(context.query, 'optionsRequestedPolicyVersion');
  if (typeof version === 'object' && isError(version)) return version;
  if (hasConditions(policy) && (version ?? 1) < 3)
    return invalid(
      'The policy has conditions: ask for it with optionsRequestedPolicyVersion=3 to see them.',
    );
  return json({
    kind: 'storage#policy',
    resourceId: `projects/_/buckets/${name}`,
    version: hasConditions(policy) ? 3 : 1,
    etag: etagOf(policy),
    bindings: bindingsOf(policy),
  });
}

/** PUT /b/{bucket}/iam: the whole policy; an etag that is not the present one's is a 412. */
export async function setPolicy(context: Context, name: string): Promise<Reply> {
  const bucket = findBucket(context, name, 'storage.buckets.setIamPolicy');
  if ('kind' in bucket) return bucket;
  const body = await readJson(context.request, policyBodySchema);
  if (!body.ok) return body.reply;
  const { store, rules } = context.emulator;
  const present = store.policy(name) ?? { bindings: [] };
  const { etag, version } = body.value;
  if (etag !== undefined && etag !== '' && etag !== etagOf(present)) return conditionNotMet();
  const read = readPolicy(body.value, rules.roles);
  if (!read.ok) return invalid(read.message);
  if (hasConditions(read.policy) && version !== 3)
    return invalid('Conditions need a policy of version 3.');
  if (hasConditions(read.policy) && !bucket.uniformAccess)
    return invalid('Conditions need uniform bucket-level access.');
  const open = read.policy.bindings.find(
    ({ members, condition }) =>
      condition !== null &&
      members.some((member) => member === 'allUsers' || member === 'allAuthenticatedUsers'),
  );
  if (open !== undefined)
    return invalid('Conditions cannot be set for allUsers or allAuthenticatedUsers.');
  await store.setPolicy(name, read.policy);
  return json({
    kind: 'storage#policy',
    resourceId: `projects/_/buckets/${name}`,
    version: hasConditions(read.policy) ? 3 : 1,
    etag: etagOf(read.policy),
    bindings: bindingsOf(read.policy),
  });
}

/** GET /b/{bucket}/iam/testPermissions: needs no permission; answers those of the asked that are held on the bucket itself. */
export function testPermissions(context: Context, name: string): Reply {
  const { store, rules } = context.emulator;
  if (store.bucket(name) === null) return noSuchBucket();
  const asked = context.query.getAll('permissions');
  if (asked.length === 0) return refuse(400, 'required', 'Required parameter: permissions');
  const wrong = asked.find(
    (permission) =>
      !/^storage\.(buckets|objects|multipartUploads|managedFolders|folders)\./.test(permission) ||
      !isPermission(permission) ||
      permission === 'storage.buckets.list' ||
      permission === 'storage.buckets.create',
  );
  if (wrong !== undefined) return invalid(`Permission ${wrong} is not valid for this resource.`);
  const held = asked.filter((permission) =>
    isGranted(rules, context.principal, permission, { kind: 'bucket', bucket: name }),
  );
  return json({
    kind: 'storage#testIamPermissionsResponse',
    ...(held.length === 0 ? {} : { permissions: held }),
  });
}

const projectPermissionsSchema = z.object({ permissions: z.array(z.string()).default([]) });

/** POST /v1/projects/{project}:testIamPermissions of the Cloud Resource Manager. */
export async function testProjectPermissions(context: Context): Promise<Reply> {
  const { principal, emulator } = context;
  const body = await readJson(context.request, projectPermissionsSchema);
  if (!body.ok) return body.reply;
  if (principal.kind === 'anonymous')
    return refuse(
      401,
      'required',
      'Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential.',
    );
  const wrong = body.value.permissions.find((permission) => !isPermission(permission));
  if (wrong !== undefined) return invalid(`Permission ${wrong} is not valid for this resource.`);
  const held = body.value.permissions.filter((permission) =>
    isGranted(emulator.rules, principal, permission, { kind: 'project' }),
  );
  return json(held.length === 0 ? {} : { permissions: held });
}
