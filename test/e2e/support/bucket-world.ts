import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mintToken } from '../../../src/google/access-token.ts';
import { acceptedTokenUris, endpointsFromEnvironment } from '../../../src/google/endpoints.ts';
import { parseServiceAccountFile } from '../../../src/google/service-account-file.ts';
import type { Result } from '../../../src/shared/problem.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../../emulator/start.ts';
import type { Profile } from './application.ts';

const trainer = emailOf('trainer');
const below = (bucket: string, prefix: string) =>
  `resource.name.startsWith("projects/_/buckets/${bucket}/objects/${prefix}")`;

/** What the account `trainer` may: read below data/, list that bucket, create below results/ of another, and nothing else. */
const GRANTS = [
  `${trainer}=roles/storage.objectViewer@input-data-bucket@${below('input-data-bucket', 'data/')}`,
  `${trainer}=storage.objects.list@input-data-bucket`,
  `${trainer}=roles/storage.objectCreator@artifacts-bucket@${below('artifacts-bucket', 'results/')}`,
];

/** An emulated Google with two buckets, and an administrator who fills them and looks into them. */
export interface BucketWorld {
  readonly emulator: RunningEmulator;
  readonly put: (
    bucket: string,
    name: string,
    body: string | Uint8Array,
    type?: string,
  ) => Promise<void>;
  readonly remove: (bucket: string, name: string) => Promise<void>;
  /** The names of a bucket's objects. */
  readonly names: (bucket: string) => Promise<readonly string[]>;
  /** What a window needs to see it: the emulator, and a vault that opens by itself. */
  readonly environment: (profile: Profile) => Promise<Record<string, string>>;
}

const valueOf = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(result.problem.message);
  return result.value;
};

/** Writes an emulator's folder with a bucket of many objects that were never uploaded: only their listing can be asked for. */
export async function writeManyObjects(folder: string, bucket: string, names: Iterable<string>) {
  const time = '2026-11-20T08:00:00.000Z';
  const record = {
    name: bucket,
    project: 'demo-project',
    location: 'US',
    storageClass: 'STANDARD',
    uniformAccess: true,
    labels: {},
    metageneration: 1,
    timeCreated: time,
    updated: time,
  };
  const lines: unknown[] = [{ kind: 'bucket', bucket: record }];
  let generation = 1_700_000_000_000_000;
  for (const name of names) {
    generation += 1;
    const object = {
      bucket,
      name,
      generation,
      metageneration: 1,
      size: 1_024,
      crc32c: 'AAAAAA==',
      md5: null,
      componentCount: null,
      attributes: {},
      timeCreated: time,
      updated: time,
    };
    lines.push({ kind: 'object', object });
  }
  await writeFile(
    join(folder, 'index.jsonl'),
    lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
  );
}

/** `dir`: what the emulator begins with, see {@link writeManyObjects}. */
export async function startBucketWorld(dir?: string): Promise<BucketWorld> {
  const emulator = await startEmulator({
    accounts: [{ name: 'trainer' }, { name: 'admin' }],
    admins: [emailOf('admin')],
    grants: GRANTS,
    flags: ['--allow-faults'],
    ...(dir === undefined ? {} : { dir }),
  });
  const endpoints = valueOf(endpointsFromEnvironment(emulator.environment));
  const key = valueOf(
    parseServiceAccountFile(await readFile(emulator.keyFiles['admin'] ?? ''), {
      fileName: 'admin.json',
      acceptedTokenUris: acceptedTokenUris(endpoints),
    }),
  );
  const scopes = ['https://www.googleapis.com/auth/cloud-platform'];
  const { token } = valueOf(
    await mintToken(key, scopes, endpoints, { signal: AbortSignal.timeout(20_000) }),
  );
  const ask = async (
    path: string,
    init: Omit<RequestInit, 'headers'> & {
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<unknown> => {
    const answer = await fetch(`${emulator.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...init.headers },
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? null : answer.json();
  };
  for (const name of dir === undefined ? ['input-data-bucket', 'artifacts-bucket'] : [])
    await ask('/storage/v1/b?project=demo-project', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name }),
    });
  return {
    emulator,
    put: async (bucket, name, body, type = 'text/plain') => {
      await ask(
        `/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(name)}`,
        { method: 'POST', headers: { 'content-type': type }, body: Buffer.from(body) },
      );
    },
    remove: async (bucket, name) => {
      await ask(`/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`, { method: 'DELETE' });
    },
    names: async (bucket) => {
      const listed = (await ask(`/storage/v1/b/${bucket}/o`)) as {
        items?: readonly { readonly name: string }[];
      };
      return (listed.items ?? []).map(({ name }) => name);
    },
    environment: async (profile) => {
      const passphrase = join(profile.home, '..', 'passphrase');
      await writeFile(passphrase, 'four words in order\n', { mode: 0o600 });
      return {
        ...emulator.environment,
        TRAINYARD_VAULT: 'passphrase',
        TRAINYARD_PASSPHRASE_FILE: passphrase,
      };
    },
  };
}
