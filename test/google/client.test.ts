import { afterEach, expect, test } from 'vitest';
import type { TokenSource } from '../../src/google/access-token.ts';
import { getObject, isObjectName, listAll, listPage } from '../../src/google/listing.ts';
import { testBucketPermissions } from '../../src/google/permissions.ts';
import { GOOGLE_ENDPOINTS, type GoogleEndpoints } from '../../src/shared/endpoints.ts';
import { ok } from '../../src/shared/problem.ts';
import { answerJson, serve, type LocalServer } from './token-server.ts';

const signal = new AbortController().signal;
let server: LocalServer | null = null;
let environment: string | undefined;

afterEach(async () => {
  await server?.stop();
  server = null;
  if (environment === undefined) delete process.env['STORAGE_EMULATOR_HOST'];
  else process.env['STORAGE_EMULATOR_HOST'] = environment;
});

async function storageServer(handle: Parameters<typeof serve>[0]): Promise<GoogleEndpoints> {
  environment = process.env['STORAGE_EMULATOR_HOST'];
  server = await serve(handle);
  return { ...GOOGLE_ENDPOINTS, storage: server.url, emulated: true };
}

function tokensOf(...values: string[]): TokenSource {
  let index = 0;
  return {
    email: 'a@b.iam.gserviceaccount.com',
    token: async ({ refused } = {}) => {
      if (refused === values[index]) index += 1;
      return ok({ token: values[index] ?? '', expiresAt: Date.now() + 60_000 });
    },
  };
}

const item = (name: string) => ({
  name,
  size: '9007199254740991',
  crc32c: 'yZRlqg==',
  generation: '1700000000000001',
  updated: '2026-11-23T14:00:00.000Z',
  md5Hash: 'XrY7u+Ae7tCTyyK7j1rNww==',
  contentType: 'text/plain',
});

test('asks for exactly the fields, with the token, and reads what comes back', async () => {
  const seen: { url: string; authorization: string | undefined }[] = [];
  const endpoints = await storageServer((request, response) => {
    seen.push({ url: request.url ?? '', authorization: request.headers.authorization });
    answerJson(response, 200, { items: [item('data/a')], prefixes: ['data/x/'] });
  });
  const page = await listPage({
    endpoints,
    tokens: tokensOf('ya29.t'),
    bucket: 'input-data-bucket',
    prefix: 'data/ü &=%2F{{projectId}}',
    delimiter: true,
    pageToken: 'a+/=',
    pageSize: 7,
    signal,
  });
  expect(page).toEqual({
    ok: true,
    value: {
      objects: [
        {
          name: 'data/a',
          size: 9007199254740991,
          crc32c: 'yZRlqg==',
          generation: '1700000000000001',
          updated: '2026-11-23T14:00:00.000Z',
          contentType: 'text/plain',
          contentEncoding: null,
          md5: 'XrY7u+Ae7tCTyyK7j1rNww==',
          componentCount: null,
        },
      ],
      prefixes: ['data/x/'],
      nextPageToken: null,
    },
  });
  const url = new URL(seen[0]!.url, 'http://x');
  expect(url.pathname).toBe('/storage/v1/b/input-data-bucket/o');
  expect(Object.fromEntries(url.searchParams)).toEqual({
    prefix: 'data/ü &=%2F{{projectId}}',
    delimiter: '/',
    pageToken: 'a+/=',
    maxResults: '7',
    fields:
      'nextPageToken,prefixes,items(name,size,crc32c,generation,updated,contentType,contentEncoding,md5Hash,componentCount)',
  });
  expect(seen[0]!.authorization).toBe('Bearer ya29.t');
});

test('without a token source no credential is sent, whatever the environment holds', async () => {
  const seen: (string | undefined)[] = [];
  const endpoints = await storageServer((request, response) => {
    seen.push(request.headers.authorization);
    answerJson(response, 200, {});
  });
  process.env['STORAGE_EMULATOR_HOST'] = 'http://127.0.0.1:1';
  const page = await listPage({
    endpoints,
    tokens: null,
    bucket: 'open-bucket',
    prefix: '',
    delimiter: false,
    signal,
  });
  expect(page).toEqual({ ok: true, value: { objects: [], prefixes: [], nextPageToken: null } });
  expect(seen).toEqual([undefined]);
});

test('a 401 takes one fresh token; a 503 is asked again', async () => {
  const seen: (string | undefined)[] = [];
  const endpoints = await storageServer((request, response) => {
    seen.push(request.headers.authorization);
    if (seen.length === 1) answerJson(response, 401, { error: { message: 'expired' } });
    else if (seen.length === 2) answerJson(response, 503, { error: { message: 'busy' } });
    else answerJson(response, 200, { items: [] });
  });
  const page = await listPage({
    endpoints,
    tokens: tokensOf('old', 'new'),
    bucket: 'b-1',
    prefix: '',
    delimiter: false,
    signal,
  });
  expect(page.ok).toBe(true);
  expect(seen).toEqual(['Bearer old', 'Bearer new', 'Bearer new']);
});

test('all pages come in order, each asked for once; an empty one in between ends nothing', async () => {
  const asked: (string | null)[] = [];
  const endpoints = await storageServer((request, response) => {
    const token = new URL(request.url ?? '', 'http://x').searchParams.get('pageToken');
    asked.push(token);
    if (token === null) answerJson(response, 200, { items: [item('a')], nextPageToken: '2' });
    else if (token === '2') answerJson(response, 200, { nextPageToken: '3' });
    else answerJson(response, 200, { items: [item('b')] });
  });
  const names: string[] = [];
  for await (const page of listAll({
    endpoints,
    tokens: null,
    bucket: 'b-1',
    prefix: '',
    delimiter: false,
    signal,
  })) {
    if (!page.ok) throw new Error(page.problem.message);
    names.push(...page.value.objects.map((object) => object.name));
  }
  expect(names).toEqual(['a', 'b']);
  expect(asked).toEqual([null, '2', '3']);
});

test('a listing whose pages go round in a circle ends with that', async () => {
  let asked = 0;
  const endpoints = await storageServer((_request, response) => {
    asked += 1;
    // The limit ends the test where nothing else does.
    answerJson(response, 200, {
      items: [item('a')],
      ...(asked < 50 ? { nextPageToken: 'again' } : {}),
    });
  });
  const ends: string[] = [];
  const request = { endpoints, tokens: null, bucket: 'b-1', prefix: '', delimiter: false, signal };
  for await (const page of listAll(request)) ends.push(page.ok ? 'page' : page.problem.code);
  expect(ends).toEqual(['page', 'network.unexpected-answer']);
  expect(asked).toBe(2);
});

test('object names are data in every address', async () => {
  const paths: string[] = [];
  const endpoints = await storageServer((request, response) => {
    paths.push(request.url ?? '');
    answerJson(response, 200, item('x'));
  });
  for (const name of ['a/b c', 'a/../../b', '/lead', 'trail/', '%2e%2e', '?x#y', 'ü😀', '...'])
    expect((await getObject({ endpoints, tokens: null, bucket: 'b-1', name, signal })).ok).toBe(
      true,
    );
  expect(paths.map((path) => decodeURIComponent(new URL(path, 'http://x').pathname))).toEqual(
    ['a/b c', 'a/../../b', '/lead', 'trail/', '%2e%2e', '?x#y', 'ü😀', '...'].map(
      (name) => `/storage/v1/b/b-1/o/${name}`,
    ),
  );
  for (const name of ['', '.', '..', 'a\nb', '\ud800', 'x'.repeat(1025)]) {
    expect(isObjectName(name)).toBe(false);
    expect(await getObject({ endpoints, tokens: null, bucket: 'b-1', name, signal })).toMatchObject(
      { problem: { code: 'input.object-name' } },
    );
  }
  expect(paths.length).toBe(8);
});

test('a bucket name that is none reaches no server', async () => {
  const endpoints = await storageServer((_request, response) => answerJson(response, 200, {}));
  for (const bucket of ['..', 'a/b', 'b?x=1', 'UPPER']) {
    const common = { endpoints, tokens: null, bucket, signal };
    expect((await listPage({ ...common, prefix: '', delimiter: false })).ok).toBe(false);
    expect((await getObject({ ...common, name: 'x' })).ok).toBe(false);
    expect(
      (await testBucketPermissions({ ...common, permissions: ['storage.objects.get'] })).ok,
    ).toBe(false);
  }
  expect(server?.count()).toBe(0);
});

test('a cancelled listing ends at once and leaves no request behind', async () => {
  let closed = false;
  const endpoints = await storageServer((_request, response) => {
    response.on('close', () => (closed = true));
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"items":[');
  });
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 100);
  const started = performance.now();
  const page = await listPage({
    endpoints,
    tokens: null,
    bucket: 'b-1',
    prefix: '',
    delimiter: false,
    signal: controller.signal,
  });
  expect(page).toMatchObject({ problem: { code: 'job.cancelled' } });
  expect(performance.now() - started).toBeLessThan(8_000);
  while (!closed) await new Promise((resolve) => setTimeout(resolve, 10));
});

test('a server that stalls in the middle of its answer ends at the deadline', async () => {
  const endpoints = await storageServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"items":[');
  });
  const page = await listPage({
    endpoints,
    tokens: null,
    bucket: 'b-1',
    prefix: '',
    delimiter: false,
    signal,
    deadlineMs: 300,
  });
  expect(page).toMatchObject({ problem: { code: 'network.timeout' } });
});

test.each([
  ['<html>Sign in</html>'],
  ['{"items":[{"name":7}]}'],
  ['{"items":[{"name":"a","size":"-1","generation":"1"}]}'],
  ['[]'],
  ['{"items":{}}'],
  ['{"items":[null]}'],
  ['{"items":"abc"}'],
])('an answer that is not Cloud Storage’s (%s) is told as such', async (body) => {
  const endpoints = await storageServer((_request, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(body),
  );
  const page = await listPage({
    endpoints,
    tokens: null,
    bucket: 'b-1',
    prefix: '',
    delimiter: false,
    signal,
  });
  expect(page).toMatchObject({ problem: { code: 'network.unexpected-answer' } });
});

test('permissions are asked for one by one, and only those asked for are believed', async () => {
  const asked: string[] = [];
  const endpoints = await storageServer((request, response) => {
    asked.push(request.url ?? '');
    answerJson(response, 200, { permissions: ['storage.objects.list', 'storage.buckets.delete'] });
  });
  const tested = await testBucketPermissions({
    endpoints,
    tokens: tokensOf('t'),
    bucket: 'b-1',
    permissions: ['storage.objects.get', 'storage.objects.list'],
    signal,
  });
  expect(tested).toEqual({ ok: true, value: { held: ['storage.objects.list'] } });
  expect(asked).toEqual([
    '/storage/v1/b/b-1/iam/testPermissions?permissions=storage.objects.get&permissions=storage.objects.list',
  ]);
});
