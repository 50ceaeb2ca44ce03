import * as z from 'zod';
import { readJson } from '../body.ts';
import type { Context } from '../context.ts';
import { bindingsOf, etagOf, hasConditions, policyBodySchema, readPolicy } from '../iam/policy.ts';
import {
  conditionNotMet,
  empty,
  invalid,
  json,
  notFound,
  refuse,
  type ErrorReply,
  type Reply,
} from '../reply.ts';
import type { ManagedFolder } from '../state/managed-folders.ts';
import { findBucket } from './access.ts';

/** Managed folders (https://cloud.google.com/storage/docs/json_api/v1/managedFolder): what may be asked of them is decided on the bucket. */

function resourceOf(folder: ManagedFolder, origin: string): Record<string, unknown> {
  const { bucket, name, timeCreated } = folder;
  return {
    kind: 'storage#managedFolder',
    id: `${bucket}/${name}`,
    selfLink: `${origin}/storage/v1/b/${bucket}/managedFolders/${encodeURIComponent(name)}`,
    name,
    bucket,
    createTime: timeCreated,
    updateTime: timeCreated,
    metageneration: '1',
  };
}

/** GET /b/{bucket}/managedFolders, those of `prefix`; all on one page. */
export function listManagedFolders(context: Context, bucket: string): Reply {
  const found = findBucket(context, bucket, 'storage.managedFolders.list');
  if ('kind' in found) return found;
  const prefix = context.query.get('prefix') ?? '';
  const { folders, origin } = context.emulator;
  const items = folders.of(bucket).filter(({ name }) => name.startsWith(prefix));
  return json({
    kind: 'storage#managedFolders',
    ...(items.length === 0 ? {} : { items: items.map((one) => resourceOf(one, origin)) }),
  });
}

/** POST /b/{bucket}/managedFolders. */
export async function createManagedFolder(context: Context, bucket: string): Promise<Reply> {
  const found = findBucket(context, bucket, 'storage.managedFolders.create');
  if ('kind' in found) return found;
  if (!found.uniformAccess) return invalid('Managed folders need uniform bucket-level access.');
  const body = await readJson(context.request, z.object({ name: z.string().min(1) }));
  if (!body.ok) return body.reply;
  const name = body.value.name.endsWith('/') ? body.value.name : `${body.value.name}/`;
  const { folders, origin } = context.emulator;
  if (folders.get(bucket, name) !== null)
    return refuse(409, 'conflict', 'The managed folder you tried to create already exists.');
  const folder = {
    bucket,
    name,
    timeCreated: new Date().toISOString(),
    policy: { bindings: [] },
  };
  await folders.put(folder);
  return json(resourceOf(folder, origin));
}

function findFolder(
  context: Context,
  bucket: string,
  name: string,
  permission: string,
): ManagedFolder | ErrorReply {
  const found = findBucket(context, bucket, permission);
  if ('kind' in found) return found;
  return (
    context.emulator.folders.get(bucket, name) ??
    notFound('The specified managed folder does not exist.')
  );
}

/** GET and DELETE /b/{bucket}/managedFolders/{name}. */
export async function managedFolder(
  context: Context,
  bucket: string,
  name: string,
): Promise<Reply> {
  const removes = context.method === 'DELETE';
  const permission = `storage.managedFolders.${removes ? 'delete' : 'get'}`;
  const folder = findFolder(context, bucket, name, permission);
  if ('kind' in folder) return folder;
  if (!removes) return json(resourceOf(folder, context.emulator.origin));
  await context.emulator.folders.remove(bucket, name);
  return empty(204);
}

function policyReply(folder: ManagedFolder): Reply {
  const { bucket, name, policy } = folder;
  return json({
    kind: 'storage#policy',
    resourceId: `projects/_/buckets/${bucket}/managedFolders/${name}`,
    version: hasConditions(policy) ? 3 : 1,
    etag: etagOf(policy),
    bindings: bindingsOf(policy),
  });
}

/** GET and PUT /b/{bucket}/managedFolders/{name}/iam. */
export async function managedFolderPolicy(
  context: Context,
  bucket: string,
  name: string,
): Promise<Reply> {
  const sets = context.method === 'PUT';
  const permission = `storage.managedFolders.${sets ? 'set' : 'get'}IamPolicy`;
  const folder = findFolder(context, bucket, name, permission);
  if ('kind' in folder) return folder;
  if (!sets) return policyReply(folder);
  const body = await readJson(context.request, policyBodySchema);
  if (!body.ok) return body.reply;
  const { etag } = body.value;
  if (etag !== undefined && etag !== '' && etag !== etagOf(folder.policy)) return conditionNotMet();
  const read = readPolicy(body.value, context.emulator.rules.roles);
  if (!read.ok) return invalid(read.message);
  const changed = { ...folder, policy: read.policy };
  await context.emulator.folders.put(changed);
  return policyReply(changed);
}
