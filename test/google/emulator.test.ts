import { readFile } from 'node:fs/promises';
import { crc32c } from '@node-rs/crc32';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keyTokenSource, mintToken, type TokenSource } from '../../src/google/access-token.ts';
import { acceptedTokenUris, endpointsFromEnvironment } from '../../src/google/endpoints.ts';
import { resolveInput } from '../../src/google/input.ts';
import { getObject, listAll } from '../../src/google/listing.ts';
import { testBucketPermissions } from '../../src/google/permissions.ts';
import { parseServiceAccountFile } from '../../src/google/service-account-file.ts';
import { parseGcsAddress } from '../../src/shared/address.ts';
import type { GoogleEndpoints } from '../../src/shared/endpoints.ts';
import type { ServiceAccountKey } from '../../src/shared/key.ts';
import type { InputTarget } from '../../src/shared/plan.ts';
import type { Result } from '../../src/shared/problem.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { rsaKey } from './keys.ts';

const BUCKET = 'input-data-bucket';
const signal = new AbortController().signal;
const below = `resource.name.startsWith("projects/_/buckets/${BUCKET}/objects/data/")`;
const listPrefix = `api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('data/')`;
const grant = (name: string, role: string, expression?: string): string =>
  `${emailOf(name)}=${role}@${BUCKET}${expression === undefined ? '' : `@${expression}`}`;

/** The accounts: what each may do on the input bucket. */
const grants = [
  grant('correct', 'roles/storage.objectViewer', below),
  grant('correct', 'storage.objects.list'),
  grant('hosted-recipe', 'roles/storage.objectViewer', below),
  grant('list-only', 'storage.objects.list'),
  grant('viewer', 'roles/storage.objectViewer'),
  grant('list-prefix', 'roles/storage.objectViewer', below),
  grant('list-prefix', 'storage.objects.list', listPrefix),
];
const accounts = [
  'admin',
  'correct',
  'hosted-recipe',
  'list-only',
  'viewer',
  'list-prefix',
  'nobody',
];

const OBJECTS: Readonly<Record<string, string>> = {
  'data/a.txt': 'one',
  'data/sub/b.txt': 'two',
  'data/archive.tar.gz': 'not really',
  'data/both': 'an object',
  'data/both/child': 'and a folder',
  'data/marked/': '',
  'data/marked/x': 'x',
  'data/empty/': '',
  'data-private/secret': 'no',
};

interface World {
  readonly emulator: RunningEmulator;
  readonly endpoints: GoogleEndpoints;
  readonly keys: ReadonlyMap<string, ServiceAccountKey>;
  tokens(name: string): TokenSource;
}

async function makeWorld(flags: readonly string[]): Promise<World> {
  const emulator = await startEmulator({
    accounts: accounts.map((name) => ({ name })),
    admins: [emailOf('admin')],
    grants,
    flags,
  });
  const read = endpointsFromEnvironment(emulator.environment);
  if (!read.ok) throw new Error(read.problem.message);
  const endpoints = read.value;
  const keys = new Map<string, ServiceAccountKey>();
  for (const name of accounts) {
    const key = parseServiceAccountFile(await readFile(emulator.keyFiles[name] ?? ''), {
      fileName: name,
      acceptedTokenUris: acceptedTokenUris(endpoints),
    });
    if (!key.ok) throw new Error(key.problem.message);
    keys.set(name, key.value);
  }
  const admin = await mintToken(
    keys.get('admin')!,
    ['https://www.googleapis.com/auth/cloud-platform'],
    endpoints,
    { signal },
  );
  if (!admin.ok) throw new Error(admin.problem.message);
  const headers = { authorization: `Bearer ${admin.value.token}` };
  const made = await fetch(`${emulator.url}/storage/v1/b?project=demo-project`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ name: BUCKET }),
  });
  expect(made.status).toBe(200);
  for (const [name, content] of Object.entries(OBJECTS)) {
    const uploaded = await fetch(
      `${emulator.url}/upload/storage/v1/b/${BUCKET}/o?uploadType=media&name=${encodeURIComponent(name)}`,
      { method: 'POST', headers, body: content },
    );
    expect(uploaded.status).toBe(200);
  }
  return {
    emulator,
    endpoints,
    keys,
    tokens: (name) => keyTokenSource(keys.get(name)!, 'read', endpoints),
  };
}

describe.each([
  ['list-prefix conditions not evaluated', []],
  ['list-prefix conditions evaluated', ['--evaluate-list-prefix']],
])('%s', (_title, flags) => {
  let world: World;
  beforeAll(async () => {
    world = await makeWorld(flags);
  }, 60_000);
  afterAll(() => world.emulator.stop());

  const resolve = (name: string | null, text: string): Promise<Result<InputTarget>> => {
    const address = parseGcsAddress(text);
    if (!address.ok) throw new Error(address.problem.message);
    return resolveInput({
      endpoints: world.endpoints,
      tokens: name === null ? null : world.tokens(name),
      address: address.value,
      signal,
    });
  };
  const code = async (asked: Promise<Result<InputTarget>>): Promise<string> => {
    const answer = await asked;
    return answer.ok ? JSON.stringify(answer.value) : answer.problem.code;
  };

  test('the correct set of grants finds the folder, written with a slash or without', async () => {
    const folder = { ok: true, value: { kind: 'folder', prefix: 'data/' } };
    expect(await resolve('correct', `gs://${BUCKET}/data`)).toEqual(folder);
    expect(await resolve('correct', `gs://${BUCKET}/data/`)).toEqual(folder);
    expect(await resolve('viewer', `gs://${BUCKET}`)).toEqual({
      ok: true,
      value: { kind: 'folder', prefix: '' },
    });
  });

  test('one object, an archive, a folder with a marker', async () => {
    expect(await resolve('correct', `gs://${BUCKET}/data/a.txt`)).toEqual({
      ok: true,
      value: { kind: 'object', object: 'data/a.txt' },
    });
    expect(await resolve('correct', `gs://${BUCKET}/data/archive.tar.gz`)).toEqual({
      ok: true,
      value: { kind: 'archive', object: 'data/archive.tar.gz', format: 'tar.gz' },
    });
    expect(await resolve('hosted-recipe', `gs://${BUCKET}/data/archive.tar.gz`)).toMatchObject({
      ok: true,
    });
    expect(await resolve('correct', `gs://${BUCKET}/data/marked`)).toEqual({
      ok: true,
      value: { kind: 'folder', prefix: 'data/marked/' },
    });
  });

  test('what is not there, is both, or is empty is refused in words', async () => {
    const base = `gs://${BUCKET}/data`;
    expect(await code(resolve('correct', `${base}/both`))).toBe('input.address-ambiguous');
    expect(await code(resolve('correct', `${base}/nothing`))).toBe('input.nothing-there');
    expect(await code(resolve('correct', `${base}/nothing/`))).toBe('input.nothing-there');
    expect(await code(resolve('viewer', `${base}/nothing.zip`))).toBe('input.nothing-there');
    expect(await code(resolve('correct', `${base}/empty`))).toBe('input.nothing-there');
    expect(await code(resolve('correct', `${base}/empty/`))).toBe('input.nothing-there');
    expect(await code(resolve('viewer', 'gs://no-such-bucket-here/data'))).toBe(
      'input.bucket-not-found',
    );
  });

  test('the hosted service’s own recipe cannot list: that one grant is asked for', async () => {
    const refused = await resolve('hosted-recipe', `gs://${BUCKET}/data`);
    if (refused.ok) throw new Error('It was listed.');
    expect(refused.problem.code).toBe('access.list-refused');
    expect(refused.problem.hint).toContain('custom role that holds only storage.objects.list');
    expect(refused.problem.hint).toContain(emailOf('hosted-recipe'));
    // What is there already is not asked for.
    expect(refused.problem.hint).not.toContain(below);
    const nobody = await resolve('nobody', `gs://${BUCKET}/data/`);
    expect(nobody.ok ? '' : nobody.problem.hint).toContain(
      'custom role that holds only storage.objects.list',
    );
    expect(nobody.ok ? '' : nobody.problem.hint).toContain(below);
  });

  test('one object comes without a listing; of one that is not there no grant is asked for that could open it', async () => {
    for (const object of ['data/a.txt', 'data/both'])
      expect(await resolve('hosted-recipe', `gs://${BUCKET}/${object}`)).toEqual({
        ok: true,
        value: { kind: 'object', object },
      });
    const absent = await resolve('hosted-recipe', `gs://${BUCKET}/data/b.txt`);
    if (absent.ok) throw new Error('It was found.');
    expect(absent.problem.message).toContain(`There is no object gs://${BUCKET}/data/b.txt.`);
    expect(absent.problem.hint).not.toContain('startsWith');
    expect(await code(resolve('hosted-recipe', `gs://${BUCKET}/data/none.tar.gz`))).toBe(
      'input.nothing-there',
    );
    const outside = await resolve('hosted-recipe', `gs://${BUCKET}/data-private/secret`);
    if (outside.ok) throw new Error('It was read.');
    expect(outside.problem.hint).toContain(
      `resource.name == "projects/_/buckets/${BUCKET}/objects/data-private/secret"`,
    );
  });

  test('a refusal to read the single object counts as not there, and is told where nothing else is', async () => {
    expect(await resolve('list-only', `gs://${BUCKET}/data`)).toEqual({
      ok: true,
      value: { kind: 'folder', prefix: 'data/' },
    });
    expect(await code(resolve('list-only', `gs://${BUCKET}/data/a`))).toBe('input.nothing-there');
    expect(await code(resolve('list-only', `gs://${BUCKET}/data/a.txt`))).toBe(
      'access.get-refused',
    );
    expect(await code(resolve('correct', `gs://${BUCKET}/data-private/secret`))).toBe(
      'access.get-refused',
    );
  });

  test('a list-prefix condition serves where it is evaluated, and is explained where not', async () => {
    expect(await code(resolve('list-prefix', `gs://${BUCKET}/data`))).toBe(
      flags.length > 0 ? '{"kind":"folder","prefix":"data/"}' : 'access.list-refused',
    );
    expect(await code(resolve('list-prefix', `gs://${BUCKET}/data-private/`))).toBe(
      'access.list-refused',
    );
  });

  test('without a key, and with one that has no grant', async () => {
    expect(await code(resolve(null, `gs://${BUCKET}/data`))).toBe('access.credential-needed');
    expect(await code(resolve('nobody', `gs://${BUCKET}/data`))).toBe('access.list-refused');
  });

  test('pages come one by one until all names are there', async () => {
    const names: string[] = [];
    let pages = 0;
    for await (const page of listAll({
      endpoints: world.endpoints,
      tokens: world.tokens('viewer'),
      bucket: BUCKET,
      prefix: '',
      delimiter: false,
      pageSize: 2,
      signal,
    })) {
      if (!page.ok) throw new Error(page.problem.message);
      pages += 1;
      names.push(...page.value.objects.map((object) => object.name));
    }
    expect(names).toEqual(Object.keys(OBJECTS).sort());
    expect(pages).toBe(Math.ceil(names.length / 2));
  });

  test('with a delimiter, one level: objects and prefixes', async () => {
    const pages: object[] = [];
    for await (const page of listAll({
      endpoints: world.endpoints,
      tokens: world.tokens('viewer'),
      bucket: BUCKET,
      prefix: 'data/',
      delimiter: true,
      signal,
    })) {
      if (!page.ok) throw new Error(page.problem.message);
      const { objects, prefixes } = page.value;
      pages.push({ objects: objects.map(({ name }) => name), prefixes });
    }
    expect(pages).toEqual([
      {
        objects: ['data/a.txt', 'data/archive.tar.gz', 'data/both'],
        prefixes: ['data/both/', 'data/empty/', 'data/marked/', 'data/sub/'],
      },
    ]);
  });

  test('an object is described by size, checksum and generation', async () => {
    const found = await getObject({
      endpoints: world.endpoints,
      tokens: world.tokens('correct'),
      bucket: BUCKET,
      name: 'data/a.txt',
      signal,
    });
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(crc32c('one'));
    expect(found).toMatchObject({
      ok: true,
      value: {
        name: 'data/a.txt',
        size: 3,
        crc32c: checksum.toString('base64'),
        md5: '+XxdKZQb+xsv2rCHSQargg==',
        generation: expect.stringMatching(/^\d{10,}$/) as string,
      },
    });
    const missing = await getObject({
      endpoints: world.endpoints,
      tokens: world.tokens('viewer'),
      bucket: BUCKET,
      name: 'data/none',
      signal,
    });
    expect(missing).toMatchObject({ problem: { code: 'storage.object-not-found' } });
  });

  test('permissions held on the whole bucket are told; conditioned ones are not seen', async () => {
    const ask = (name: string) =>
      testBucketPermissions({
        endpoints: world.endpoints,
        tokens: world.tokens(name),
        bucket: BUCKET,
        permissions: ['storage.objects.get', 'storage.objects.list', 'storage.objects.delete'],
        signal,
      });
    expect(await ask('viewer')).toEqual({
      ok: true,
      value: { held: ['storage.objects.get', 'storage.objects.list'] },
    });
    expect(await ask('correct')).toEqual({ ok: true, value: { held: ['storage.objects.list'] } });
  });

  test('a key that is not registered, and a clock an hour off, are told apart', async () => {
    const key = world.keys.get('viewer')!;
    const strange: ServiceAccountKey = {
      ...key,
      privateKey: rsaKey().export({ format: 'der', type: 'pkcs8' }).toString('base64'),
    };
    expect(await mintToken(strange, 'read', world.endpoints, { signal })).toMatchObject({
      problem: { code: 'access.key-not-emulated' },
    });
    const behind = () => Date.now() - 5 * 3_600_000;
    expect(await mintToken(key, 'read', world.endpoints, { signal, now: behind })).toMatchObject({
      problem: {
        code: 'access.clock',
        message: expect.stringContaining('5 hours behind') as string,
      },
    });
    const gone = { ...key, clientEmail: emailOf('deleted') };
    expect(await mintToken(gone, 'read', world.endpoints, { signal })).toMatchObject({
      problem: { code: 'access.key-not-emulated' },
    });
  });

  test('the emulator saw only what each account may be asked to hold', async () => {
    const log = await world.emulator.requestLog();
    const byCorrect = log.filter((request) => request.account === emailOf('correct'));
    expect(byCorrect.length).toBeGreaterThan(0);
    for (const request of byCorrect) {
      expect(request.method).toBe('GET');
      expect(request.path).toMatch(/\/o(\/|$|\?)|\/iam\/testPermissions/);
    }
  });
});

test('a token that lives a minute is taken, and replaced before its end', async () => {
  const emulator = await startEmulator({
    accounts: [{ name: 'short' }],
    tokenLifetimeSeconds: 60,
  });
  try {
    const endpoints = endpointsFromEnvironment(emulator.environment);
    if (!endpoints.ok) throw new Error(endpoints.problem.message);
    const key = parseServiceAccountFile(await readFile(emulator.keyFiles['short'] ?? ''), {
      fileName: 'short',
      acceptedTokenUris: acceptedTokenUris(endpoints.value),
    });
    if (!key.ok) throw new Error(key.problem.message);
    let offset = 0;
    const tokens = keyTokenSource(key.value, 'write', endpoints.value, {
      now: () => Date.now() + offset,
    });
    const first = await tokens.token();
    if (!first.ok) throw new Error(first.problem.message);
    expect(first.value.expiresAt - Date.now()).toBeLessThanOrEqual(60_000);
    offset = 46_000;
    const second = await tokens.token();
    expect(second.ok && second.value.token !== first.value.token).toBe(true);
  } finally {
    await emulator.stop();
  }
});
