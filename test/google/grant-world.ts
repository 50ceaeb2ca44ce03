import { readFile } from 'node:fs/promises';
import { mintToken } from '../../src/google/access-token.ts';
import { acceptedTokenUris, endpointsFromEnvironment } from '../../src/google/endpoints.ts';
import { parseServiceAccountFile } from '../../src/google/service-account-file.ts';
import type { GoogleEndpoints } from '../../src/shared/endpoints.ts';
import type { ServiceAccountKey } from '../../src/shared/key.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import type { ReadGrants } from './grant-reader.ts';
import type { GrantedBinding } from './grant-shell.ts';

/** An emulator with keys in hand, and an administrator who sets it up. */
export interface GrantWorld {
  readonly emulator: RunningEmulator;
  readonly endpoints: GoogleEndpoints;
  key(name: string): ServiceAccountKey;
  /** A request as the administrator. Throws where it is refused. */
  admin(method: string, path: string, body?: unknown): Promise<unknown>;
  put(bucket: string, name: string, content?: string): Promise<void>;
  /** The names of all objects of a bucket. */
  names(bucket: string): Promise<readonly string[]>;
}

export async function startGrantWorld(options: {
  readonly accounts: readonly string[];
  readonly grants?: readonly string[];
  readonly flags?: readonly string[];
  readonly buckets: readonly string[];
}): Promise<GrantWorld> {
  const names = [...options.accounts, 'boss'];
  const emulator = await startEmulator({
    accounts: names.map((name) => ({ name })),
    admins: [emailOf('boss')],
    grants: options.grants ?? [],
    flags: options.flags ?? [],
  });
  const read = endpointsFromEnvironment(emulator.environment);
  if (!read.ok) throw new Error(read.problem.message);
  const endpoints = read.value;
  const keys = new Map<string, ServiceAccountKey>();
  for (const name of names) {
    const key = parseServiceAccountFile(await readFile(emulator.keyFiles[name] ?? ''), {
      fileName: name,
      acceptedTokenUris: acceptedTokenUris(endpoints),
    });
    if (!key.ok) throw new Error(key.problem.message);
    keys.set(name, key.value);
  }
  const key = (name: string): ServiceAccountKey => {
    const found = keys.get(name);
    if (found === undefined) throw new Error(`There is no account ${name}.`);
    return found;
  };
  const token = await mintToken(
    key('boss'),
    ['https://www.googleapis.com/auth/cloud-platform'],
    endpoints,
    { signal: new AbortController().signal },
  );
  if (!token.ok) throw new Error(token.problem.message);
  const ask = async (method: string, path: string, body: string | null): Promise<unknown> => {
    const answer = await fetch(`${emulator.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token.value.token}`,
        ...(body === null ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === null ? {} : { body }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? null : (JSON.parse(text) as unknown);
  };
  const world: GrantWorld = {
    emulator,
    endpoints,
    key,
    admin: (method, path, body) =>
      ask(method, path, body === undefined ? null : JSON.stringify(body)),
    put: async (bucket, name, content = name) => {
      const query = `uploadType=media&name=${encodeURIComponent(name)}`;
      await ask('POST', `/upload/storage/v1/b/${bucket}/o?${query}`, content);
    },
    names: async (bucket) => {
      const page = (await ask('GET', `/storage/v1/b/${bucket}/o`, null)) as {
        readonly items?: readonly { readonly name: string }[];
      };
      return (page.items ?? []).map(({ name }) => name);
    },
  };
  for (const name of options.buckets)
    await world.admin('POST', '/storage/v1/b?project=demo-project', { name });
  return world;
}

interface Binding {
  readonly role: string;
  readonly members: readonly string[];
  readonly condition?: GrantedBinding['condition'];
}

/** The policy of a bucket (`gs://bucket`) or a managed folder (`gs://bucket/folder/`). */
export async function policyAt(
  world: GrantWorld,
  url: string,
): Promise<{
  readonly path: string;
  readonly etag: string;
  readonly bindings: readonly Binding[];
}> {
  const [, bucket = '', folder = ''] = /^gs:\/\/([^/]+)\/?(.*)$/s.exec(url) ?? [];
  const path =
    folder === ''
      ? `/storage/v1/b/${bucket}/iam`
      : `/storage/v1/b/${bucket}/managedFolders/${encodeURIComponent(folder)}/iam`;
  const policy = (await world.admin('GET', `${path}?optionsRequestedPolicyVersion=3`)) as {
    readonly bindings?: readonly Binding[];
    readonly etag: string;
  };
  return { path, etag: policy.etag, bindings: policy.bindings ?? [] };
}

/** Adds a binding as gcloud and Terraform do: to the one of the same role and condition where there is one, with version 3. */
async function bind(world: GrantWorld, granted: GrantedBinding): Promise<void> {
  const { role, member, condition } = granted;
  const { path, etag, bindings } = await policyAt(world, granted.url);
  const isSame = (one: Binding): boolean =>
    one.role === role &&
    one.condition?.title === condition?.title &&
    one.condition?.expression === condition?.expression;
  const others = bindings.filter((one) => !isSame(one));
  const members = bindings.filter(isSame).flatMap((one) => one.members);
  const wanted = {
    role,
    members: [...new Set([...members, member])],
    ...(condition === null ? {} : { condition }),
  };
  await world.admin('PUT', path, { version: 3, etag, bindings: [...others, wanted] });
}

/** Does what a text of the assistant says, as whoever reads it would. Folders and bindings that are there stay. */
export async function applyGrants(world: GrantWorld, read: ReadGrants): Promise<void> {
  for (const { bucket, name } of read.managedFolders)
    await world
      .admin('POST', `/storage/v1/b/${bucket}/managedFolders`, { name })
      .catch((error: unknown) => {
        if (!String(error).includes('409')) throw error;
      });
  for (const binding of read.bindings) await bind(world, binding);
}
