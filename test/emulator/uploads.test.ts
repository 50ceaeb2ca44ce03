import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { crc32c } from '@node-rs/crc32';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readMultipart } from '../../src/emulator/storage/multipart.ts';
import { ask, makeBucket, objectPath, put, type Answer, type Question } from './ask.ts';
import { startEmulator, type RunningEmulator } from './start.ts';
import { fc } from '../support/properties.ts';
import { randomBytes } from '../support/random.ts';

const B = 'upload-bucket';
const K256 = 256 * 1024;
let emulator: RunningEmulator;
let url: string;

beforeAll(async () => {
  emulator = await startEmulator({ open: true });
  url = emulator.url;
  await makeBucket(url, B);
});
afterAll(async () => emulator.stop());

const content = async (name: string): Promise<Buffer> =>
  (await ask(url, 'GET', `${objectPath(B, name)}?alt=media`)).body;
const exists = async (name: string): Promise<boolean> =>
  (await ask(url, 'GET', objectPath(B, name))).status === 200;

describe('multipart', () => {
  const multipart = (body: Buffer | string, boundary = 'sep', query = ''): Promise<Answer> =>
    ask(url, 'POST', `/upload/storage/v1/b/${B}/o?uploadType=multipart${query}`, {
      body,
      headers: { 'Content-Type': `multipart/related; boundary=${boundary}` },
    });

  test.each([
    ['CRLF', '\r\n'],
    ['LF alone', '\n'],
  ])(
    'a body with %s, typed and untyped content, and bytes that look like a delimiter',
    async (_, eol) => {
      const data = Buffer.concat([
        Buffer.from('\r\n--sepx\n--se\r--sep--\r\n--'),
        randomBytes(100_000),
        Buffer.from('\r'),
      ]);
      for (const type of ['Content-Type: text/x-a' + eol, '']) {
        const name = `multi/${eol.length}${type.length}`;
        const answer = await multipart(
          Buffer.concat([
            Buffer.from(
              `--sep${eol}Content-Type: application/json${eol}${eol}${JSON.stringify({ name, metadata: { k: 'ü' } })}${eol}--sep${eol}${type}${eol}`,
            ),
            data,
            Buffer.from(`${eol}--sep--`),
          ]),
        );
        expect(answer.json()).toMatchObject({
          name,
          size: String(data.length),
          metadata: { k: 'ü' },
          contentType: type === '' ? 'application/octet-stream' : 'text/x-a',
          md5Hash: createHash('md5').update(data).digest('base64'),
        });
        expect((await content(name)).equals(data)).toBe(true);
      }
    },
  );

  test('an empty content; a quoted boundary; the name in the query; checksums that must fit', async () => {
    const body = (metadata: string, data: string) =>
      `--a b\r\n\r\n${metadata}\r\n--a b\r\n\r\n${data}\r\n--a b--\r\n`;
    const send = (metadata: object, data: string, query = '') =>
      multipart(body(JSON.stringify(metadata), data), '"a b"', query);
    expect((await send({ name: 'm-empty' }, '')).json()).toMatchObject({ size: '0' });
    expect((await send({}, 'x', '&name=m-query')).json()).toMatchObject({ name: 'm-query' });
    expect((await send({ name: 'm-right', crc32c: '4waSgw==' }, '123456789')).status).toBe(200);
    for (const wrong of [{ crc32c: '4waSgA==' }, { md5Hash: 'AAAAAAAAAAAAAAAAAAAAAA==' }])
      expect((await send({ name: 'm-wrong', ...wrong }, '123456789')).status).toBe(400);
    expect(await exists('m-wrong')).toBe(false);
    expect((await send({ name: 'm-right' }, 'x', '&ifGenerationMatch=0')).status).toBe(412);
  });

  test('what is not well formed is a 400 and leaves nothing', async () => {
    for (const body of [
      '',
      'nothing',
      '--sep\r\n\r\n{"name":"cut"}\r\n--sep\r\n\r\nno end',
      '--sep\r\n\r\nno json\r\n--sep\r\n\r\nx\r\n--sep--',
      '--sep\r\n\r\n{"name":7}\r\n--sep\r\n\r\nx\r\n--sep--',
    ])
      expect([body, (await multipart(body)).status]).toEqual([body, 400]);
    expect(await exists('cut')).toBe(false);
    const unknown = await ask(url, 'POST', `/upload/storage/v1/b/${B}/o?uploadType=what&name=x`);
    expect(unknown.status).toBe(400);
  });

  test('any content arrives, however the body is cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('\r', '\n', '-', '--', '\r\n--b', '\n--b', 'b', 'x'), {
          maxLength: 12,
        }),
        fc.constantFrom('\r\n', '\n'),
        fc.integer({ min: 1, max: 7 }),
        async (parts, eol, size) => {
          const data = parts.join('');
          const delimiters = [`${eol}--b--`, `${eol}--b${eol}`, `${eol}--b\n`];
          fc.pre(delimiters.every((delimiter) => !`${eol}${data}${eol}`.includes(delimiter)));
          const raw = Buffer.from(`--b${eol}${eol}{}${eol}--b${eol}${eol}${data}${eol}--b--${eol}`);
          const pieces = async function* () {
            for (let at = 0; at < raw.length; at += size) yield raw.subarray(at, at + size);
          };
          const got: Buffer[] = [];
          const problem = await readMultipart(
            pieces(),
            'b',
            async () => null,
            async (piece) => void got.push(Buffer.from(piece)),
          );
          expect(problem).toBeNull();
          expect(Buffer.concat(got).toString()).toBe(data);
        },
      ),
    );
  });
});

describe('resumable', () => {
  const start = async (
    name: string,
    question: Question & { query?: string } = {},
    service = '/upload',
  ) => {
    const answer = await ask(
      url,
      'POST',
      `${service}/storage/v1/b/${B}/o?uploadType=resumable&${question.query ?? ''}`,
      { json: { name }, ...question },
    );
    return { answer, session: answer.headers['location'] ?? '' };
  };
  const send = (session: string, range: string | null, body?: Buffer | string): Promise<Answer> =>
    ask(url, 'PUT', session, {
      ...(body === undefined ? {} : { body }),
      headers: range === null ? {} : { 'Content-Range': `bytes ${range}` },
      ...(body === undefined ? { curl: ['-H', 'Content-Length: 0'] } : {}),
    });
  const state = (answer: Answer) => [answer.status, answer.headers['range'] ?? null];

  test('in chunks, with the offset asked for, and asked again when it is complete', async () => {
    const data = randomBytes(K256 * 3 + 17);
    const { answer, session } = await start('r/chunks', {
      headers: {
        'X-Upload-Content-Type': 'text/x-r',
        'X-Upload-Content-Length': String(data.length),
      },
    });
    expect(answer.status).toBe(200);
    expect(session).toMatch(new RegExp(`^${url}/upload/storage/v1/b/${B}/o\\?.*upload_id=`));
    expect(state(await send(session, '*/*'))).toEqual([308, null]);
    expect(state(await send(session, `0-${K256 - 1}/*`, data.subarray(0, K256)))).toEqual([
      308,
      `bytes=0-${K256 - 1}`,
    ]);
    expect(state(await send(session, `*/${data.length}`))).toEqual([308, `bytes=0-${K256 - 1}`]);
    expect(
      state(
        await send(
          session,
          `${K256}-${3 * K256 - 1}/${data.length}`,
          data.subarray(K256, 3 * K256),
        ),
      ),
    ).toEqual([308, `bytes=0-${3 * K256 - 1}`]);
    expect(await exists('r/chunks')).toBe(false);
    const done = await send(
      session,
      `${3 * K256}-${data.length - 1}/${data.length}`,
      data.subarray(3 * K256),
    );
    expect(done.json()).toMatchObject({
      name: 'r/chunks',
      contentType: 'text/x-r',
      size: String(data.length),
      md5Hash: createHash('md5').update(data).digest('base64'),
    });
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32c(data));
    expect(done.json().crc32c).toBe(crc.toString('base64'));
    expect((await content('r/chunks')).equals(data)).toBe(true);
    for (const query of ['*/*', `*/${data.length}`]) {
      const again = await send(session, query);
      expect([again.status, again.json().generation]).toEqual([200, done.json().generation]);
    }
  });

  test('in one request, with and without a Content-Range; at the alias; of no bytes', async () => {
    const one = await start('r/one');
    expect((await send(one.session, null, 'abc')).json()).toMatchObject({ size: '3' });
    const open = await start('r/open', {}, '/resumable/upload');
    expect(open.session).toContain('/resumable/upload/storage/v1/');
    expect((await send(open.session, '0-*/*', 'abcd')).json()).toMatchObject({ size: '4' });
    const known = await start('r/known');
    expect((await send(known.session, '0-*/5', 'abcde')).json()).toMatchObject({ size: '5' });
    const none = await start('r/none');
    expect((await send(none.session, '*/0')).json()).toMatchObject({ size: '0' });
    const multiple = await start('r/multiple');
    await send(multiple.session, `0-${K256 - 1}/*`, Buffer.alloc(K256, 1));
    expect((await send(multiple.session, `*/${K256}`)).json()).toMatchObject({
      size: String(K256),
    });
  });

  test('a chunk that is no multiple of 256 KiB is kept up to the last multiple', async () => {
    const { session } = await start('r/odd');
    const data = randomBytes(K256 + 1000);
    expect(state(await send(session, `0-${data.length - 1}/*`, data))).toEqual([
      308,
      `bytes=0-${K256 - 1}`,
    ]);
    expect(
      (await send(session, `${data.length}-${data.length + 9}/*`, 'x'.repeat(10))).status,
    ).toBe(400);
    // Bytes that are there already are passed over.
    const rest = data.subarray(K256 - 100);
    const done = await send(session, `${K256 - 100}-${data.length - 1}/${data.length}`, rest);
    expect(done.json().md5Hash).toBe(createHash('md5').update(data).digest('base64'));
  });

  test('what arrived before the connection was cut is kept', async () => {
    const { session } = await start('r/cut');
    const data = randomBytes(K256 * 4);
    const { port, pathname, search } = new URL(session);
    await new Promise<void>((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.write(
          `PUT ${pathname}${search} HTTP/1.1\r\nHost: x\r\nContent-Length: ${data.length}\r\nContent-Range: bytes 0-${data.length - 1}/${data.length}\r\n\r\n`,
        );
        socket.write(data.subarray(0, K256 * 2 + 5000));
        setTimeout(() => socket.resetAndDestroy(), 300);
      });
      socket.on('close', () => resolve());
      socket.on('error', reject);
    });
    const offset = await send(session, `*/${data.length}`);
    expect(state(offset)).toEqual([308, `bytes=0-${2 * K256 - 1}`]);
    const done = await send(
      session,
      `${2 * K256}-${data.length - 1}/${data.length}`,
      data.subarray(2 * K256),
    );
    expect(done.json().md5Hash).toBe(createHash('md5').update(data).digest('base64'));
    expect((await content('r/cut')).equals(data)).toBe(true);
  });

  test('cancelled is 499, then gone; unknown is 404', async () => {
    const { session } = await start('r/cancelled');
    await send(session, `0-${K256 - 1}/*`, Buffer.alloc(K256));
    const cancelled = await ask(url, 'DELETE', session, { curl: ['-H', 'Content-Length: 0'] });
    expect(cancelled.status).toBe(499);
    expect((await send(session, '*/*')).status).toBe(410);
    expect(await exists('r/cancelled')).toBe(false);
    expect((await send(session.replace(/upload_id=.*/, 'upload_id=nothing'), '*/*')).status).toBe(
      404,
    );
    const other = await start('r/bad-range');
    for (const range of ['what', '5-3/10', '0-10/10'])
      expect((await send(other.session, range, 'x')).status).toBe(400);
  });

  test('preconditions and checksums hold for the whole session', async () => {
    await put(url, B, 'r/there', 'x');
    expect((await start('r/there', { query: 'ifGenerationMatch=0' })).answer.status).toBe(412);
    const race = await start('r/race', { query: 'ifGenerationMatch=0' });
    await put(url, B, 'r/race', 'first');
    expect((await send(race.session, null, 'second')).status).toBe(412);
    expect((await content('r/race')).toString()).toBe('first');
    const wrong = await start('r/wrong', { json: { name: 'r/wrong', crc32c: 'AAAAAA==' } });
    expect((await send(wrong.session, null, 'x')).status).toBe(400);
    expect(await exists('r/wrong')).toBe(false);
    expect((await start('.')).answer.status).toBe(400);
  });

  test("Google's Go client gets 200 with the real status in a header", async () => {
    const { session } = await start('r/go');
    const answer = await ask(url, 'POST', session, {
      body: Buffer.alloc(K256),
      headers: { 'Content-Range': `bytes 0-${K256 - 1}/*`, 'X-GUploader-No-308': 'yes' },
    });
    expect([answer.status, answer.headers['x-http-status-code-override']]).toEqual([200, '308']);
    expect(answer.headers['range']).toBe(`bytes=0-${K256 - 1}`);
  });
});
