import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mint, SCOPES } from './ask.ts';
import { emailOf, startEmulator, type RunningEmulator } from './start.ts';

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const VIEWER = 'inRole:roles/storage.objectViewer';
const CREATOR = 'inRole:roles/storage.objectCreator';

let emulator: RunningEmulator;
let boss: string;
let reader: string;
beforeAll(async () => {
  emulator = await startEmulator({
    accounts: [{ name: 'boss' }, { name: 'reader' }],
    admins: [emailOf('boss')],
    grants: [
      `${emailOf('reader')}=roles/storage.objectViewer@sts-data@resource.name.startsWith("projects/_/buckets/sts-data/objects/open/")`,
    ],
    flags: ['--role', 'lister=storage.objects.list'],
  });
  boss = await mint(emulator, 'boss', SCOPES.platform);
  reader = await mint(emulator, 'reader', SCOPES.platform);
  for (const [name, uniform] of [
    ['sts-data', true],
    ['sts-other', true],
    ['sts-acl', false],
  ] as const) {
    const iamConfiguration = { uniformBucketLevelAccess: { enabled: uniform } };
    await call(boss, 'POST', '/storage/v1/b?project=demo-project', { name, iamConfiguration });
    for (const object of ['data/a', 'data-private/a', 'open/a', "it's/a"])
      await upload(boss, name, object);
  }
});
afterAll(() => emulator.stop());

async function call(token: string, method: string, path: string, body?: object): Promise<number> {
  const answer = await fetch(`${emulator.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await answer.arrayBuffer();
  return answer.status;
}

async function upload(token: string, bucket: string, name: string): Promise<number> {
  const address = `${emulator.url}/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(name)}`;
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(address, { method: 'POST', headers, body: 'text' })).status;
}

const read = (token: string, bucket: string, name: string): Promise<number> =>
  call(token, 'GET', `/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}?alt=media`);
const list = (token: string, bucket: string, prefix?: string): Promise<number> =>
  call(token, 'GET', `/storage/v1/b/${bucket}/o${prefix === undefined ? '' : `?prefix=${prefix}`}`);

interface Rule {
  readonly bucket?: string;
  readonly permissions?: readonly string[];
  readonly expression?: string;
}

/** What the Security Token Service answers to a boundary. */
async function exchange(
  token: string,
  rules: readonly Rule[],
  fields: Readonly<Record<string, string>> = {},
) {
  const accessBoundaryRules = rules.map(({ bucket, permissions, expression }) => ({
    availableResource: `//storage.googleapis.com/projects/_/buckets/${bucket ?? 'sts-data'}`,
    availablePermissions: permissions ?? [VIEWER],
    ...(expression === undefined ? {} : { availabilityCondition: { title: 'one', expression } }),
  }));
  const answer = await fetch(emulator.environment['TRAINYARD_STS_ENDPOINT'] ?? '', {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requested_token_type: ACCESS_TOKEN,
      subject_token_type: ACCESS_TOKEN,
      subject_token: token,
      options: JSON.stringify({ accessBoundary: { accessBoundaryRules } }),
      ...fields,
    }),
  });
  const body = (await answer.json()) as Record<string, unknown>;
  return { status: answer.status, body };
}

async function narrow(token: string, rules: readonly Rule[]): Promise<string> {
  const { body } = await exchange(token, rules);
  const narrowed = body['access_token'];
  if (typeof narrowed !== 'string') throw new Error(JSON.stringify(body));
  return narrowed;
}

const BELOW_DATA =
  "resource.name.startsWith('projects/_/buckets/sts-data/objects/data/') || api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('data/')";

describe('a narrowed token', () => {
  test('may do what its boundary says, by prefix and by the prefix of a listing', async () => {
    const token = await narrow(boss, [{ expression: BELOW_DATA }]);
    expect(await read(token, 'sts-data', 'data/a')).toBe(200);
    expect(await list(token, 'sts-data', 'data/')).toBe(200);
    expect(await read(token, 'sts-data', 'data-private/a')).toBe(403);
    expect(await list(token, 'sts-data', 'data')).toBe(403);
    expect(await list(token, 'sts-data', 'data-private/')).toBe(403);
    expect(await list(token, 'sts-data')).toBe(403);
    expect(await read(token, 'sts-other', 'data/a')).toBe(403);
    expect(await upload(token, 'sts-data', 'data/new')).toBe(403);
    expect(await call(token, 'DELETE', '/storage/v1/b/sts-data/o/data%2Fa')).toBe(403);
    expect(await call(token, 'GET', '/storage/v1/b/sts-data')).toBe(403);
    expect(await call(token, 'GET', '/storage/v1/b?project=demo-project')).toBe(403);
  });

  test('of several rules may do the sum; equality and custom roles count', async () => {
    const token = await narrow(boss, [
      { expression: "resource.name == 'projects/_/buckets/sts-data/objects/open/a'" },
      { permissions: ['inRole:projects/demo-project/roles/lister'], bucket: 'sts-other' },
      {
        permissions: [CREATOR],
        expression: "resource.name.startsWith('projects/_/buckets/sts-data/objects/out/')",
      },
    ]);
    expect(await read(token, 'sts-data', 'open/a')).toBe(200);
    expect(await read(token, 'sts-data', 'data/a')).toBe(403);
    expect(await list(token, 'sts-other')).toBe(200);
    expect(await read(token, 'sts-other', 'open/a')).toBe(403);
    expect(await upload(token, 'sts-data', 'out/one')).toBe(200);
    expect(await upload(token, 'sts-data', 'out/one')).toBe(403);
    expect(await upload(token, 'sts-data', 'outside')).toBe(403);
  });

  test('is never more than its account', async () => {
    const token = await narrow(reader, [{}]);
    expect(await read(token, 'sts-data', 'open/a')).toBe(200);
    expect(await read(token, 'sts-data', 'data/a')).toBe(403);
    expect(await list(token, 'sts-data', 'open/')).toBe(403);
  });

  test('is refused by a bucket without uniform access, though the exchange succeeded', async () => {
    const token = await narrow(boss, [{ bucket: 'sts-acl' }]);
    expect(await read(boss, 'sts-acl', 'data/a')).toBe(200);
    expect(await read(token, 'sts-acl', 'data/a')).toBe(403);
  });

  test('cannot be narrowed again', async () => {
    const token = await narrow(boss, [{}]);
    expect(await exchange(token, [{}])).toMatchObject({
      status: 400,
      body: { error: 'invalid_request' },
    });
  });
});

describe('the exchange refuses', () => {
  test.each([
    ['no rule', []],
    ['eleven rules', Array.from({ length: 11 }, () => ({}))],
    ['a bucket that cannot be', [{ bucket: 'Bad/Name' }]],
    ['a bare permission', [{ permissions: ['storage.objects.get'] }]],
    ['a role that is none', [{ permissions: ['inRole:roles/storage.nobody'] }]],
    ['no permissions', [{ permissions: [] }]],
    ['an expression that does not parse', [{ expression: "resource.name.startsWith('it's')" }]],
    ['an attribute that is unknown', [{ expression: "api.getAttribute('x', '') == ''" }]],
  ] as const)('%s', async (_, rules) => {
    expect(await exchange(boss, rules)).toMatchObject({
      status: 400,
      body: { error: 'invalid_request' },
    });
  });

  test('ten rules are none too many; the answer tells no expiry unless it is asked to', async () => {
    const { status, body } = await exchange(
      boss,
      Array.from({ length: 10 }, () => ({})),
    );
    expect([status, Object.keys(body).sort()]).toEqual([
      200,
      ['access_token', 'issued_token_type', 'token_type'],
    ]);
  });

  test('another grant, other kinds of token, and a token that it does not know', async () => {
    expect((await exchange(boss, [{}], { grant_type: 'password' })).body['error']).toBe(
      'unsupported_grant_type',
    );
    expect((await exchange(boss, [{}], { subject_token_type: 'x' })).body['error']).toBe(
      'invalid_request',
    );
    expect((await exchange('nobody', [{}])).body['error']).toBe('invalid_grant');
    expect((await exchange(boss, [{}], { options: 'null' })).body['error']).toBe('invalid_request');
  });
});
