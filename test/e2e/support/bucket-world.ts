import { readFile } from 'node:fs/promises';
import { mintToken } from '../../../src/google/access-token.ts';
import { acceptedTokenUris, endpointsFromEnvironment } from '../../../src/google/endpoints.ts';
import { parseServiceAccountFile } from '../../../src/google/service-account-file.ts';
import type { Result } from '../../../src/shared/problem.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../../emulator/start.ts';
import type { Profile } from './application.ts';
import { openVault } from './keys.ts';

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
  readonly read: (bucket: string, name: string) => Promise<string>;
  readonly remove: (bucket: string, name: string) => Promise<void>;
  /** The names of a bucket's objects. */
  readonly names: (bucket: string) => Promise<readonly string[]>;
  /** Removes every object and fault rule; its request log begins anew. */
  readonly empty: () => Promise<void>;
  /** What a window needs to see it: the emulator, and a vault that opens by itself. */
  readonly environment: (profile: Pick<Profile, 'home'>) => Promise<Record<string, string>>;
}

const valueOf = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(result.problem.message);
  return result.value;
};

const BUCKETS = ['input-data-bucket', 'artifacts-bucket'];

/** `filled`: with how many objects `data/0000000.bin` and so on the first bucket begins; the second is not there then. */
export async function startBucketWorld(filled?: number): Promise<BucketWorld> {
  const started = await startEmulator({
    accounts: [{ name: 'trainer' }, { name: 'admin' }],
    admins: [emailOf('admin')],
    grants: GRANTS,
    flags: filled === undefined ? [] : ['--fill', `input-data-bucket=${filled}`],
  });
  let forgotten = 0;
  const emulator: RunningEmulator = {
    ...started,
    requestLog: async () => (await started.requestLog()).slice(forgotten),
  };
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
  const send = async (
    path: string,
    init: Omit<RequestInit, 'headers'> & {
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<Response> => {
    const answer = await fetch(`${emulator.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...init.headers },
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  const ask = async (...asked: Parameters<typeof send>): Promise<unknown> => {
    const answer = await send(...asked);
    return answer.status === 204 ? null : answer.json();
  };
  for (const name of filled === undefined ? BUCKETS : [])
    await ask('/storage/v1/b?project=demo-project', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name }),
    });
  const remove = async (bucket: string, name: string): Promise<void> => {
    await ask(`/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`, { method: 'DELETE' });
  };
  const names = async (bucket: string): Promise<readonly string[]> => {
    const listed = (await ask(`/storage/v1/b/${bucket}/o`)) as {
      items?: readonly { readonly name: string }[];
    };
    return (listed.items ?? []).map(({ name }) => name);
  };
  return {
    emulator,
    empty: async () => {
      await emulator.setFaults([]);
      for (const bucket of BUCKETS) {
        // A page at a time.
        for (let all = await names(bucket); all.length > 0; all = await names(bucket))
          await Promise.all(all.map((name) => remove(bucket, name)));
      }
      forgotten = (await started.requestLog()).length;
    },
    put: async (bucket, name, body, type = 'text/plain') => {
      await ask(
        `/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(name)}`,
        { method: 'POST', headers: { 'content-type': type }, body: Buffer.from(body) },
      );
    },
    read: async (bucket, name) =>
      (await send(`/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}?alt=media`)).text(),
    remove,
    names,
    environment: async (profile) => ({
      ...emulator.environment,
      ...(await openVault(profile)),
    }),
  };
}
