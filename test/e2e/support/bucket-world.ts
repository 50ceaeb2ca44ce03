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
  /** The names of a bucket's objects. */
  readonly names: (bucket: string) => Promise<readonly string[]>;
  /** What a window needs to see it: the emulator, and a vault that opens by itself. */
  readonly environment: (profile: Profile) => Promise<Record<string, string>>;
}

const valueOf = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(result.problem.message);
  return result.value;
};

export async function startBucketWorld(): Promise<BucketWorld> {
  const emulator = await startEmulator({
    accounts: [{ name: 'trainer' }, { name: 'admin' }],
    admins: [emailOf('admin')],
    grants: GRANTS,
    flags: ['--allow-faults'],
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
    init: RequestInit & { readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<unknown> => {
    const answer = await fetch(`${emulator.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...init.headers },
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  for (const name of ['input-data-bucket', 'artifacts-bucket'])
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
