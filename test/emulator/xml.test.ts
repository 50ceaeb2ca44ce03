import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomBytes } from '../support/random.ts';
import { startEmulator, type RunningEmulator } from './start.ts';

let emulator: RunningEmulator;
beforeAll(async () => {
  emulator = await startEmulator({ open: true });
  expect((await json('/storage/v1/b?project=p', 'POST', { name: 'the-bucket' })).status).toBe(200);
});
afterAll(() => emulator.stop());

/** As Rust's object_store asks: everything but letters and digits is percent-encoded, and the token is empty where there is none. */
const strict = (text: string): string =>
  encodeURIComponent(text).replace(/[-_.!~*'()]/g, (one) => `%${one.charCodeAt(0).toString(16)}`);
const ask = (
  object: string,
  method = 'GET',
  {
    query = '',
    body,
    headers = {},
  }: {
    readonly query?: string;
    readonly body?: string | Uint8Array;
    readonly headers?: Record<string, string>;
  } = {},
) =>
  fetch(
    `${emulator.url}/${strict('the-bucket')}${object === '' ? '' : `/${strict(object)}`}${query}`,
    {
      method,
      headers: { authorization: 'Bearer ', ...headers },
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> | string }),
    },
  );
const json = (path: string, method: string, body: unknown) =>
  fetch(`${emulator.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const between = (text: string, tag: string): readonly string[] =>
  [...text.matchAll(new RegExp(`<${tag}>(.*?)</${tag}>`, 'gs'))].map(([, inner = '']) => inner);

describe('the XML API, as object_store uses it', () => {
  it('writes, reads, copies and deletes an object', async () => {
    const put = await ask('a dir/one+two.txt', 'PUT', {
      body: 'alpha',
      headers: {
        'content-type': 'text/plain',
        'cache-control': 'no-store',
        'x-goog-meta-run': '7',
        'x-goog-if-generation-match': '0',
      },
    });
    expect(put.status).toBe(200);
    const generation = put.headers.get('x-goog-generation') ?? '';
    expect(generation).toMatch(/^\d+$/);
    expect(put.headers.get('etag')).toMatch(/^".+"$/);
    const again = await ask('a dir/one+two.txt', 'PUT', {
      body: 'beta',
      headers: { 'x-goog-if-generation-match': '0' },
    });
    expect(again.status).toBe(412);

    const got = await ask('a dir/one+two.txt', 'GET', { query: `?generation=${generation}` });
    expect([got.status, await got.text()]).toEqual([200, 'alpha']);
    expect(got.headers.get('x-goog-meta-run')).toBe('7');
    expect(got.headers.get('content-type')).toBe('text/plain');
    expect((await ask('a dir/one+two.txt', 'HEAD')).headers.get('content-length')).toBe('5');

    const copied = await ask('copied', 'PUT', {
      headers: { 'x-goog-copy-source': `the-bucket/${strict('a dir/one+two.txt')}` },
    });
    expect(copied.status).toBe(200);
    expect(await (await ask('copied')).text()).toBe('alpha');
    expect((await ask('copied', 'DELETE')).status).toBe(204);
    expect((await ask('copied')).status).toBe(404);
  });

  it('takes an upload in parts, whichever comes first', async () => {
    const parts = [randomBytes(300_000), randomBytes(200_000), randomBytes(7)];
    const started = await ask('large.bin', 'POST', { query: '?uploads' });
    const [id = ''] = between(await started.text(), 'UploadId');
    expect(id).not.toBe('');
    const etags: string[] = [];
    for (const at of [2, 0, 1]) {
      const query = `?partNumber=${at + 1}&uploadId=${id}`;
      const sent = await ask('large.bin', 'PUT', { query, body: parts[at] ?? '' });
      etags[at] = sent.headers.get('etag') ?? '';
    }
    expect(etags[0]).toBe(
      `"${createHash('md5')
        .update(parts[0] ?? '')
        .digest('hex')}"`,
    );
    const list = (tags: readonly string[]) =>
      `<CompleteMultipartUpload>${tags.map((etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${etag.replaceAll('"', '&quot;')}</ETag></Part>`).join('')}</CompleteMultipartUpload>`;
    const complete = (tags: readonly string[]) =>
      ask('large.bin', 'POST', { query: `?uploadId=${id}`, body: list(tags) });
    expect((await complete(['"other"'])).status).toBe(400);
    const done = await complete(etags);
    expect(done.status).toBe(200);
    expect(done.headers.get('x-goog-generation')).toMatch(/^\d+$/);
    expect(between(await done.text(), 'ETag')).toHaveLength(1);
    const got = Buffer.from(await (await ask('large.bin')).arrayBuffer());
    expect(got.equals(Buffer.concat(parts))).toBe(true);
    expect((await complete(etags)).status).toBe(404);

    const other = await ask('gone.bin', 'POST', { query: '?uploads' });
    const [dropped = ''] = between(await other.text(), 'UploadId');
    expect((await ask('gone.bin', 'DELETE', { query: `?uploadId=${dropped}` })).status).toBe(204);
    expect((await ask('gone.bin')).status).toBe(404);
  });

  it('lists, page by page', async () => {
    for (const name of ['list/a&b', 'list/c', 'list/d/e', 'list/f'])
      await ask(name, 'PUT', { body: 'x' });
    const keys: string[] = [];
    const prefixes: string[] = [];
    let more = '';
    for (let pages = 0; pages < 9; pages += 1) {
      const query = `?list-type=2&prefix=${strict('list/')}&delimiter=%2F&max-keys=2${more}`;
      const text = await (await ask('', 'GET', { query })).text();
      keys.push(...between(text, 'Key'));
      prefixes.push(...between(text, 'CommonPrefixes'));
      const [token] = between(text, 'NextContinuationToken');
      if (token === undefined) break;
      more = `&continuation-token=${encodeURIComponent(token)}`;
    }
    expect(keys).toEqual(['list/a&#38;b', 'list/c', 'list/f']);
    expect(prefixes).toEqual(['<Prefix>list/d/</Prefix>']);
    const after = await ask('', 'GET', { query: '?list-type=2&prefix=list/&start-after=list/c' });
    expect(between(await after.text(), 'Key')).toEqual(['list/d/e', 'list/f']);
  });
});

describe('with --open', () => {
  it('any token will do, none that is one of Google’s own either', async () => {
    const listing = `${emulator.url}/storage/v1/b/the-bucket/o`;
    for (const authorization of ['Bearer ', 'Bearer anything', 'Bearer ya29.real', 'Basic eDp5'])
      expect((await fetch(listing, { headers: { authorization } })).status, authorization).toBe(
        200,
      );
  });

  /** fetch sets these headers itself. */
  const statusWith = (headers: Record<string, string>): Promise<number> =>
    new Promise((resolve, reject) => {
      request(`${emulator.url}/storage/v1/b/the-bucket/o`, { headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });
  it.each([
    [{ host: 'evil.example:4443' }, 403],
    [{ host: 'evil.example' }, 403],
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ host: 'localhost:4443' }, 200],
    [{ host: '127.0.0.1' }, 200],
    [{ host: 'storage.googleapis.com' }, 200],
    [{ origin: 'http://localhost:3000' }, 200],
  ])('a page of the web is refused: %o', async (headers, status) => {
    expect(await statusWith(headers)).toBe(status);
  });
});

describe('what is not served is said', () => {
  const O = '/storage/v1/b/the-bucket/o';
  it.each<[string, string, unknown]>([
    ['PATCH', '/storage/v1/b/the-bucket', { versioning: { enabled: true } }],
    [
      'PATCH',
      '/storage/v1/b/the-bucket',
      { lifecycle: { rule: [{ action: { type: 'Delete' } }] } },
    ],
    [
      'PATCH',
      '/storage/v1/b/the-bucket',
      { softDeletePolicy: { retentionDurationSeconds: '604800' } },
    ],
    [
      'POST',
      '/storage/v1/b?project=p',
      { name: 'other-bucket', defaultObjectAcl: [{ entity: 'allUsers' }] },
    ],
    ['POST', '/storage/v1/b/the-bucket/notificationConfigs', { topic: 't' }],
    ['GET', '/storage/v1/b/the-bucket/acl', null],
    ['GET', `${O}/copied/acl`, null],
    ['POST', `${O}/a/moveTo/o/b`, {}],
    ['POST', `${O}/a/restore?generation=1`, {}],
    ['GET', `${O}?versions=true`, null],
    ['GET', `${O}?softDeleted=true`, null],
    ['POST', '/batch/storage/v1', {}],
    ['GET', '/the-bucket?versioning', null],
    ['GET', '/the-bucket/copied?acl', null],
  ])('%s %s', async (method, path, body) => {
    const answer =
      body === null ? await fetch(`${emulator.url}${path}`) : await json(path, method, body);
    expect(answer.status).toBe(501);
    expect(await answer.text()).toMatch(/notImplemented|NotImplemented/);
  });

  it('so are customer-supplied keys; what asks for nothing is taken', async () => {
    const headers = { 'x-goog-encryption-algorithm': 'AES256', 'x-goog-encryption-key': 'k' };
    expect((await fetch(`${emulator.url}${O}/copied?alt=media`, { headers })).status).toBe(501);
    const nothing = { versioning: { enabled: false }, lifecycle: {}, cors: [] };
    expect((await json('/storage/v1/b/the-bucket', 'PATCH', nothing)).status).toBe(200);
    expect((await fetch(`${emulator.url}${O}?versions=false`)).status).toBe(200);
  });
});
