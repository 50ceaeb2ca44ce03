import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, execute, makeBucket, objectPath, put } from './ask.ts';
import { startEmulator, type RunningEmulator } from './start.ts';
import { randomBytes } from '../support/random.ts';

let emulator: RunningEmulator;
let url: string;
const B = 'objects-bucket';

beforeAll(async () => {
  emulator = await startEmulator({ open: true, ownProcess: true });
  url = emulator.url;
  expect((await makeBucket(url, B)).status).toBe(200);
});
afterAll(async () => emulator.stop());

test('a bucket is made, described, listed, and only deleted when it is empty', async () => {
  const made = await ask(url, 'POST', '/storage/v1/b?project=other-project', {
    json: { name: 'short-lived', location: 'europe-west1', labels: { a: 'b' } },
  });
  expect(made.json()).toMatchObject({
    kind: 'storage#bucket',
    name: 'short-lived',
    location: 'EUROPE-WEST1',
    labels: { a: 'b' },
    iamConfiguration: { uniformBucketLevelAccess: { enabled: true } },
  });
  expect((await makeBucket(url, 'short-lived')).status).toBe(409);
  expect((await makeBucket(url, 'Not A Bucket')).status).toBe(400);
  expect((await ask(url, 'POST', '/storage/v1/b', { json: { name: 'xyz' } })).status).toBe(400);
  const listed = (await ask(url, 'GET', '/storage/v1/b?project=other-project')).json();
  expect(listed.items?.map((bucket) => bucket.name)).toEqual(['short-lived']);
  await put(url, 'short-lived', 'x', 'x');
  expect((await ask(url, 'DELETE', '/storage/v1/b/short-lived')).status).toBe(409);
  expect((await ask(url, 'DELETE', objectPath('short-lived', 'x'))).status).toBe(204);
  expect((await ask(url, 'DELETE', '/storage/v1/b/short-lived')).status).toBe(204);
  const gone = await ask(url, 'GET', '/storage/v1/b/short-lived');
  expect(gone.json()).toEqual({
    error: {
      code: 404,
      message: 'The specified bucket does not exist.',
      errors: [
        {
          domain: 'global',
          reason: 'notFound',
          message: 'The specified bucket does not exist.',
        },
      ],
    },
  });
});

test('an uploaded object has size, type, generation and both checksums', async () => {
  // The check value of CRC-32C: 0xe3069283.
  const answer = await put(url, B, 'dir/check value', '123456789', {
    headers: { 'Content-Type': 'text/x-check' },
  });
  expect(answer.json()).toMatchObject({
    name: 'dir/check value',
    bucket: B,
    size: '9',
    contentType: 'text/x-check',
    metageneration: '1',
    crc32c: '4waSgw==',
    md5Hash: createHash('md5').update('123456789').digest('base64'),
  });
  const { generation, mediaLink } = answer.json();
  expect(generation).toMatch(/^\d{16}$/);
  const media = await ask(url, 'GET', mediaLink);
  expect(media.text).toBe('123456789');
  expect(media.headers).toMatchObject({
    'content-type': 'text/x-check',
    'content-length': '9',
    'x-goog-generation': generation,
    'x-goog-stored-content-length': '9',
    'x-goog-stored-content-encoding': 'identity',
  });
  expect(media.headers['x-goog-hash']).toContain('crc32c=4waSgw==');
  for (const path of [`/${B}/dir/check%20value`, `/b/${B}/o/dir%2Fcheck%20value?alt=media`])
    expect((await ask(url, 'GET', path)).text).toBe('123456789');
  const head = await ask(url, 'HEAD', `/${B}/dir/check%20value`);
  expect([head.status, head.headers['content-length'], head.text]).toEqual([200, '9', '']);
});

test('errors are JSON at the JSON API, plain text for media, XML at the plain address', async () => {
  const path = objectPath(B, 'nowhere/<x>');
  const meta = await ask(url, 'GET', path);
  expect(meta.json().error).toMatchObject({
    code: 404,
    message: `No such object: ${B}/nowhere/<x>`,
  });
  const media = await ask(url, 'GET', `${path}?alt=media`);
  expect([media.status, media.text]).toEqual([404, `No such object: ${B}/nowhere/<x>`]);
  expect(media.headers['content-type']).toContain('text/');
  const plain = await ask(url, 'GET', `/${B}/nowhere`);
  expect(plain.status).toBe(404);
  expect(plain.text).toContain('<Code>NoSuchKey</Code>');
  expect((await ask(url, 'GET', '/storage/v1/elsewhere')).status).toBe(404);
  expect((await ask(url, 'GET', '/storage/v1/b/x%zz')).status).toBe(400);
});

test('a generation pins what is read; a replaced one is gone', async () => {
  const first = (await put(url, B, 'pinned', 'one')).json().generation;
  const second = (await put(url, B, 'pinned', 'two!')).json().generation;
  expect(BigInt(second)).toBeGreaterThan(BigInt(first));
  const path = objectPath(B, 'pinned');
  const media = async (query: string) => ask(url, 'GET', `${path}?alt=media&${query}`);
  expect((await media(`generation=${first}`)).status).toBe(404);
  expect((await media(`generation=${second}`)).text).toBe('two!');
  expect((await media(`ifGenerationMatch=${first}`)).status).toBe(412);
  expect((await media(`ifGenerationMatch=${second}`)).text).toBe('two!');
  expect((await media(`ifGenerationNotMatch=${second}`)).status).toBe(304);
  expect((await media(`ifMetagenerationMatch=2`)).status).toBe(412);
  expect((await media(`ifGenerationMatch=x`)).status).toBe(400);
  expect((await ask(url, 'DELETE', `${path}?ifGenerationMatch=${first}`)).status).toBe(412);
  expect((await put(url, B, 'pinned', '3', { query: 'ifGenerationMatch=0' })).status).toBe(412);
  expect((await put(url, B, 'pinned', '3', { query: `ifGenerationMatch=${first}` })).status).toBe(
    412,
  );
  expect((await media('')).text).toBe('two!');
  expect((await put(url, B, 'pinned', '3', { query: `ifGenerationMatch=${second}` })).status).toBe(
    200,
  );
  expect((await put(url, B, 'fresh', '1', { query: 'ifGenerationMatch=0' })).status).toBe(200);
  expect((await ask(url, 'DELETE', path)).status).toBe(204);
  expect((await ask(url, 'DELETE', path)).status).toBe(404);
  const etag = (await media('').then(() => ask(url, 'GET', `/${B}/fresh`))).headers['etag'] ?? '';
  const unchanged = await ask(url, 'GET', `/${B}/fresh`, { headers: { 'If-None-Match': etag } });
  expect(unchanged.status).toBe(304);
});

test('ranges are cut exactly, and past the end is 416', async () => {
  const content = randomBytes(700_000);
  await put(url, B, 'ranged', content);
  await put(url, B, 'empty', '');
  const part = async (name: string, range: string) =>
    ask(url, 'GET', `${objectPath(B, name)}?alt=media`, { headers: { Range: `bytes=${range}` } });
  for (const [range, from, to] of [
    ['0-0', 0, 1],
    ['262143-262145', 262_143, 262_146],
    ['699999-', 699_999, 700_000],
    ['-10', 699_990, 700_000],
    ['-9000000', 0, 700_000],
    ['100-9000000', 100, 700_000],
  ] as const) {
    const answer = await part('ranged', range);
    expect([range, answer.status]).toEqual([range, 206]);
    expect(answer.headers['content-range']).toBe(`bytes ${from}-${to - 1}/700000`);
    expect(answer.body.equals(content.subarray(from, to))).toBe(true);
  }
  for (const range of ['700000-', '800000-900000', '-0']) {
    const answer = await part('ranged', range);
    expect([range, answer.status, answer.headers['content-range']]).toEqual([
      range,
      416,
      'bytes */700000',
    ]);
  }
  expect((await part('empty', '0-')).status).toBe(416);
  expect((await part('ranged', 'what')).status).toBe(200);
});

test('names that no object can have are refused', async () => {
  const long = (bytes: number) => 'ä'.repeat(bytes / 2);
  for (const name of [
    '',
    '.',
    '..',
    'a\nb',
    'a\rb',
    '.well-known/acme-challenge/x',
    'x'.repeat(1025),
    long(1026),
  ])
    expect([name.slice(0, 30), (await put(url, B, name, 'x')).status]).toEqual([
      name.slice(0, 30),
      400,
    ]);
  for (const name of ['x'.repeat(1024), long(1024), '...', '/a//b/', '../up', 'a b%2F?#&+"\'ü🚂']) {
    expect((await put(url, B, name, name)).json().name).toBe(name);
    expect((await ask(url, 'GET', `${objectPath(B, name)}?alt=media`)).text).toBe(name);
  }
});

test('checksums that the client gives must fit', async () => {
  const right = { 'x-goog-hash': 'crc32c=4waSgw==' };
  expect((await put(url, B, 'hashed', '123456789', { headers: right })).status).toBe(200);
  for (const wrong of ['crc32c=AAAAAA==', 'md5=AAAAAAAAAAAAAAAAAAAAAA==']) {
    const answer = await put(url, B, 'wrong', '123456789', { headers: { 'x-goog-hash': wrong } });
    expect(answer.status).toBe(400);
    expect(answer.json().error.message).toContain("doesn't match");
  }
  expect((await ask(url, 'GET', objectPath(B, 'wrong'))).status).toBe(404);
});

test('gzip content is decompressed unless gzip is accepted', async () => {
  const text = 'compressible '.repeat(1000);
  const stored = gzipSync(text);
  const made = await put(url, B, 'zipped', stored, { query: 'contentEncoding=gzip' });
  expect(made.json()).toMatchObject({ contentEncoding: 'gzip', size: String(stored.length) });
  const path = `${objectPath(B, 'zipped')}?alt=media`;
  const open = await ask(url, 'GET', path);
  expect(open.text).toBe(text);
  expect(open.headers['content-encoding']).toBeUndefined();
  expect(open.headers['content-length']).toBeUndefined();
  const raw = await ask(url, 'GET', path, { headers: { 'Accept-Encoding': 'deflate, gzip' } });
  expect(raw.body.equals(stored)).toBe(true);
  expect(raw.headers).toMatchObject({
    'content-encoding': 'gzip',
    'x-goog-stored-content-encoding': 'gzip',
    'x-goog-stored-content-length': String(stored.length),
  });
  const refused = await ask(url, 'GET', path, { headers: { 'Accept-Encoding': 'gzip;q=0' } });
  expect(refused.text).toBe(text);
});

test('metadata is patched, with a new metageneration and the same generation', async () => {
  const made = (await put(url, B, 'patched', 'x')).json();
  const path = objectPath(B, 'patched');
  const first = await ask(url, 'PATCH', path, {
    json: { metadata: { a: '1', b: '2' }, cacheControl: 'no-store' },
  });
  expect(first.json()).toMatchObject({
    generation: made.generation,
    metageneration: '2',
    metadata: { a: '1', b: '2' },
    cacheControl: 'no-store',
  });
  const second = await ask(url, 'PATCH', `${path}?ifMetagenerationMatch=2`, {
    json: { metadata: { a: null }, cacheControl: null, contentType: 'text/x' },
  });
  expect(second.json()).toMatchObject({ metadata: { b: '2' }, contentType: 'text/x' });
  expect(second.json().metadata).toEqual({ b: '2' });
  expect(second.json().cacheControl).toBeUndefined();
  expect((await ask(url, 'GET', `${path}?alt=media`)).headers['x-goog-meta-b']).toBe('2');
  expect((await ask(url, 'PATCH', path, { json: { contentType: 5 } })).status).toBe(400);
});

test('objects are composed and copied', async () => {
  await put(url, B, 'part-1', '12345');
  await put(url, B, 'part-2', '6789');
  const compose = (name: string, sourceObjects: unknown) =>
    ask(url, 'POST', `${objectPath(B, name)}/compose`, { json: { sourceObjects } });
  const whole = (await compose('whole', [{ name: 'part-1' }, { name: 'part-2' }])).json();
  expect(whole).toMatchObject({ size: '9', componentCount: 2, crc32c: '4waSgw==' });
  expect(whole.md5Hash).toBeUndefined();
  expect((await ask(url, 'GET', `/${B}/whole`)).text).toBe('123456789');
  expect((await compose('more', [{ name: 'whole' }, { name: 'part-1' }])).json()).toMatchObject({
    componentCount: 3,
  });
  expect((await compose('bad', [{ name: 'nothing' }])).status).toBe(404);
  expect((await compose('bad', [])).status).toBe(400);
  expect((await compose('bad', [{ name: 'part-1', generation: '1' }])).status).toBe(404);

  const to = `${objectPath(B, 'whole')}/rewriteTo/b/${B}/o/a%2Fcopy`;
  const copied = (await ask(url, 'POST', to, { json: null })).json();
  expect(copied).toMatchObject({ done: true, objectSize: '9' });
  expect(copied.resource).toMatchObject({
    name: 'a/copy',
    crc32c: '4waSgw==',
    componentCount: 2,
  });
  expect((await ask(url, 'GET', `/${B}/a/copy`)).text).toBe('123456789');
  const simple = await ask(url, 'POST', `${objectPath(B, 'part-1')}/copyTo/b/${B}/o/part-3`);
  expect(simple.json()).toMatchObject({ name: 'part-3', size: '5' });
  expect(simple.json().md5Hash).toBe(createHash('md5').update('12345').digest('base64'));
});

test('a reader keeps its generation while the object is replaced', async () => {
  const before = randomBytes(24 * 1024 * 1024);
  await put(url, B, 'replaced', before);
  const pieces: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    request(`${url}/${B}/replaced`, (response) => {
      response.pause();
      // The server is held up by now: sockets hold far less than the object.
      put(url, B, 'replaced', 'new')
        .then((answer) => {
          expect(answer.status).toBe(200);
          response.on('data', (piece: Buffer) => pieces.push(piece));
          response.on('end', resolve);
          response.on('error', reject);
          response.resume();
        })
        .catch(reject);
    })
      .on('error', reject)
      .end();
  });
  expect(Buffer.concat(pieces).equals(before)).toBe(true);
  expect((await ask(url, 'GET', `/${B}/replaced`)).text).toBe('new');
});

test.skipIf(process.platform !== 'linux')(
  'content is streamed, never whole in memory',
  async () => {
    const peak = async (): Promise<number> => {
      const status = await readFile(`/proc/${emulator.pid}/status`, 'utf8');
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    };
    const before = await peak();
    const size = 384 * 1024 * 1024;
    await new Promise<void>((resolve, reject) => {
      const upload = request(
        `${url}/upload/storage/v1/b/${B}/o?uploadType=media&name=large`,
        { method: 'POST', headers: { 'content-length': size } },
        (response) => response.resume().on('end', resolve),
      ).on('error', reject);
      const piece = Buffer.alloc(1024 * 1024, 7);
      let left = size;
      const send = (): void => {
        while (left > 0) {
          left -= piece.length;
          if (!upload.write(piece)) {
            upload.once('drain', send);
            return;
          }
        }
        upload.end();
      };
      send();
    });
    const counted = await execute('curl', [
      ...['-s', '--noproxy', '*', '-o', '/dev/null', '-w', '%{size_download}'],
      `${url}/${B}/large`,
    ]);
    expect(counted.stdout.toString()).toBe(String(size));
    expect((await ask(url, 'GET', objectPath(B, 'large'))).json().size).toBe(String(size));
    expect((await peak()) - before).toBeLessThan(200);
    await ask(url, 'DELETE', objectPath(B, 'large'));
  },
);
