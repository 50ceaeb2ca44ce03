import { readFileSync } from 'node:fs';
import { endpointsFromEnvironment } from '../../src/google/endpoints.ts';
import { acceptedTokenUris } from '../../src/google/endpoints.ts';
import { mintToken } from '../../src/google/access-token.ts';
import { parseServiceAccountFile } from '../../src/google/service-account-file.ts';
import type { AgentSecrets, GrantedToken } from '../../src/shared/agent-protocol.ts';
import type { GoogleEndpoints } from '../../src/shared/endpoints.ts';
import type { AccessPurpose, Account, ServiceAccountKey } from '../../src/shared/key.ts';
import type { JobPlan } from '../../src/shared/plan.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';

/** A service account of an emulator, with its key as the vault would have it. */
export interface TestAccount {
  readonly account: Account;
  readonly key: ServiceAccountKey;
  readonly endpoints: GoogleEndpoints;
  token(purpose: AccessPurpose): Promise<GrantedToken>;
  secrets(...purposes: AccessPurpose[]): Promise<AgentSecrets>;
}

export function openAccount(emulator: RunningEmulator, name: string): TestAccount {
  const parsed = endpointsFromEnvironment(emulator.environment);
  if (!parsed.ok) throw new Error(parsed.problem.message);
  const endpoints = parsed.value;
  const file = emulator.keyFiles[name]!;
  const key = parseServiceAccountFile(readFileSync(file), {
    fileName: file,
    acceptedTokenUris: acceptedTokenUris(endpoints),
  });
  if (!key.ok) throw new Error(key.problem.message);
  const keyId = `id-of-${name}`;
  const token = async (purpose: AccessPurpose): Promise<GrantedToken> => {
    const minted = await mintToken(key.value, purpose, endpoints, {
      signal: AbortSignal.timeout(10_000),
    });
    if (!minted.ok) throw new Error(minted.problem.message);
    return { keyId, purpose, access: minted.value };
  };
  return {
    account: {
      keyId,
      name,
      email: key.value.clientEmail,
      projectId: key.value.projectId,
      privateKeyId: key.value.privateKeyId,
    },
    key: key.value,
    endpoints,
    token,
    async secrets(...purposes) {
      return { format: 1, tokens: await Promise.all(purposes.map(token)), keys: [] };
    },
  };
}

/** Speaks with the emulator's JSON API as an administrator, by fetch alone. */
export interface Admin {
  makeBucket(name: string): Promise<void>;
  put(bucket: string, object: string, content: string | Uint8Array): Promise<void>;
  get(bucket: string, object: string): Promise<string>;
  bytes(bucket: string, object: string): Promise<Uint8Array>;
  names(bucket: string): Promise<string[]>;
  remove(bucket: string, object: string): Promise<void>;
  grant(bucket: string, role: string, email: string): Promise<void>;
}

export function openAdmin(admin: TestAccount, url: string): Admin {
  const call = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const minted = await mintToken(
      admin.key,
      ['https://www.googleapis.com/auth/cloud-platform'],
      admin.endpoints,
      { signal: AbortSignal.timeout(10_000) },
    );
    if (!minted.ok) throw new Error(minted.problem.message);
    const headers = { ...(init.headers as object), authorization: `Bearer ${minted.value.token}` };
    const answer = await fetch(`${url}${path}`, { ...init, headers });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  const json = { 'content-type': 'application/json' };
  return {
    async makeBucket(name) {
      const body = JSON.stringify({ name });
      await call('/storage/v1/b?project=demo-project', { method: 'POST', headers: json, body });
    },
    async put(bucket, object, content) {
      await call(
        `/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(object)}`,
        { method: 'POST', body: content as BodyInit },
      );
    },
    async get(bucket, object) {
      return (
        await call(`/storage/v1/b/${bucket}/o/${encodeURIComponent(object)}?alt=media`)
      ).text();
    },
    async bytes(bucket, object) {
      const answer = await call(
        `/storage/v1/b/${bucket}/o/${encodeURIComponent(object)}?alt=media`,
      );
      return new Uint8Array(await answer.arrayBuffer());
    },
    async names(bucket) {
      const names: string[] = [];
      for (let page: string | null = ''; page !== null;) {
        const answer = (await (
          await call(`/storage/v1/b/${bucket}/o?fields=items(name),nextPageToken&pageToken=${page}`)
        ).json()) as { items?: { name: string }[]; nextPageToken?: string };
        names.push(...(answer.items ?? []).map((item) => item.name));
        page = answer.nextPageToken === undefined ? null : encodeURIComponent(answer.nextPageToken);
      }
      return names;
    },
    async remove(bucket, object) {
      await call(`/storage/v1/b/${bucket}/o/${encodeURIComponent(object)}`, { method: 'DELETE' });
    },
    async grant(bucket, role, email) {
      const policy = (await (
        await call(`/storage/v1/b/${bucket}/iam?optionsRequestedPolicyVersion=3`)
      ).json()) as { bindings?: object[] };
      const bindings = [...(policy.bindings ?? []), { role, members: [`serviceAccount:${email}`] }];
      await call(`/storage/v1/b/${bucket}/iam`, {
        method: 'PUT',
        headers: json,
        body: JSON.stringify({ ...policy, version: 3, bindings }),
      });
    },
  };
}

/** An emulator with the buckets `inputs` and `outputs`, and a trainer that may read the one and create in the other, nothing else. */
export interface TestGoogle {
  readonly emulator: RunningEmulator;
  readonly trainer: TestAccount;
  readonly admin: Admin;
  /** An output of the trainer below `results/<id>/` of `outputs`. */
  readonly output: (
    id: string,
    fields?: Partial<NonNullable<JobPlan['output']>>,
  ) => NonNullable<JobPlan['output']>;
}

export async function startGoogle(): Promise<TestGoogle> {
  const emulator = await startEmulator({
    accounts: [{ name: 'trainer' }, { name: 'boss' }],
    admins: [emailOf('boss')],
    grants: [
      `${emailOf('trainer')}=roles/storage.objectViewer@inputs`,
      `${emailOf('trainer')}=roles/storage.objectCreator@outputs`,
    ],
  });
  const trainer = openAccount(emulator, 'trainer');
  const admin = openAdmin(openAccount(emulator, 'boss'), emulator.url);
  await admin.makeBucket('inputs');
  await admin.makeBucket('outputs');
  return {
    emulator,
    trainer,
    admin,
    output: (id, fields = {}) => ({
      address: 'gs://outputs/results',
      bucket: 'outputs',
      prefix: `results/${id}/`,
      manifest: `results/${id}/manifest.json`,
      layout: 'per-run',
      archive: false,
      account: trainer.account,
      ...fields,
    }),
  };
}
