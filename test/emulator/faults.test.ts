import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FaultRuleInput } from '../../src/emulator/faults/rules.ts';
import { ask, assertion, exchange, makeBucket, mint, objectPath, put, readKeyFile } from './ask.ts';
import { rawRequest } from './raw.ts';
import { emailOf, startEmulator, type RunningEmulator } from './start.ts';
import { randomBytes } from '../support/random.ts';

const B = 'faulty-bucket';
const SIZE = 300_000;
const content = randomBytes(SIZE);
const mediaPath = `${objectPath(B, 'dir/big')}?alt=media`;
let emulator: RunningEmulator;
let token: string;
let headers: Record<string, string>;

beforeAll(async () => {
  emulator = await startEmulator({
    accounts: [{ name: 'admin' }],
    admins: [emailOf('admin')],
  });
  token = await mint(emulator, 'admin');
  headers = { Authorization: `Bearer ${token}` };
  await makeBucket(emulator.url, B, token);
  await put(emulator.url, B, 'dir/big', content, { token });
  await put(emulator.url, B, 'dir/small', 'small', { token });
});
afterAll(async () => emulator.stop());
beforeEach(async () => emulator.setFaults([]));

const get = (path = mediaPath, waitMs = 5000) =>
  rawRequest(emulator.url, 'GET', path, { headers, waitMs });
const upload = (name: string, body: Buffer, waitMs = 5000) =>
  rawRequest(emulator.url, 'POST', `/upload/storage/v1/b/${B}/o?uploadType=media&name=${name}`, {
    headers,
    body,
    waitMs,
  });
const stored = (name: string) => ask(emulator.url, 'GET', `/${B}/${name}`, { token });
const fired = async () => (await emulator.firedFaults()).map((rule) => rule.fired);
const media = (fault: FaultRuleInput['fault'], more: Partial<FaultRuleInput> = {}) =>
  emulator.setFaults([{ operation: 'media', ...more, fault }]);

async function startSession(name: string): Promise<string> {
  const started = await ask(
    emulator.url,
    'POST',
    `/upload/storage/v1/b/${B}/o?uploadType=resumable`,
    { token, json: { name } },
  );
  return started.headers['location'] ?? '';
}
const chunk = (session: string, body: Buffer | string, range: string) =>
  ask('', 'PUT', session, { token, body, headers: { 'Content-Range': range } });

describe('the answer', () => {
  test('a status, without Retry-After and with it, and nothing is done', async () => {
    await emulator.setFaults([
      { operation: 'upload-simple', first: 1, fault: { kind: 'status', status: 503 } },
      {
        operation: 'upload-simple',
        first: 1,
        fault: { kind: 'status', status: 429, retryAfter: 7, reason: 'rateLimitExceeded' },
      },
    ]);
    const first = await put(emulator.url, B, 'refused', 'x', { token });
    expect([first.status, first.headers['retry-after']]).toEqual([503, undefined]);
    expect(first.json().error.errors[0]?.reason).toBe('backendError');
    expect((await stored('refused')).status).toBe(404);
    await emulator.setFaults([
      { fault: { kind: 'status', status: 429, retryAfter: 7, reason: 'rateLimitExceeded' } },
    ]);
    const second = await put(emulator.url, B, 'refused', 'x', { token });
    expect([second.status, second.headers['retry-after']]).toEqual([429, '7']);
    expect(second.json().error.errors[0]?.reason).toBe('rateLimitExceeded');
  });

  test('a status after the thing was done', async () => {
    await emulator.setFaults([
      { operation: 'upload-simple', fault: { kind: 'status', status: 502, done: true } },
    ]);
    expect((await put(emulator.url, B, 'done', 'x', { token })).status).toBe(502);
    expect((await stored('done')).text).toBe('x');
  });

  test('the page of a proxy', async () => {
    await media({ kind: 'status', status: 200, body: '<html>Sign in</html>' });
    const page = await get();
    expect([page.status, page.headers['content-type'], page.body.toString()]).toEqual([
      200,
      'text/html; charset=UTF-8',
      '<html>Sign in</html>',
    ]);
  });

  test('latency comes before, delay after the thing was done', async () => {
    await media({ kind: 'latency', milliseconds: 400 });
    const late = await get();
    expect([late.firstByteMs >= 390, late.body.equals(content)]).toEqual([true, true]);
    for (const [kind, there] of [
      ['latency', 404],
      ['delay', 200],
    ] as const) {
      await emulator.setFaults([
        { operation: 'upload-simple', fault: { kind, milliseconds: 1500 } },
      ]);
      const waiting = upload(`waiting-${kind}`, Buffer.from('x'));
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect((await stored(`waiting-${kind}`)).status).toBe(there);
      const answer = await waiting;
      expect([answer.status, answer.firstByteMs >= 1490]).toEqual([200, true]);
    }
  });

  test('limited bandwidth', async () => {
    await media({ kind: 'bandwidth', bytesPerSecond: 300_000 });
    const slow = await get();
    expect(slow.body.equals(content)).toBe(true);
    expect(slow.endMs - slow.firstByteMs).toBeGreaterThan(800);
    expect(slow.endMs).toBeLessThan(15_000);
  });

  test('a reset after so many bytes; after none there is no header either', async () => {
    await media({ kind: 'reset', after: 100_001 });
    const cut = await get();
    expect([cut.status, cut.headers['content-length'], cut.ended]).toEqual([
      200,
      String(SIZE),
      'reset',
    ]);
    expect(cut.body.equals(content.subarray(0, 100_001))).toBe(true);
    expect(await fired()).toEqual([1]);
    await media({ kind: 'reset' });
    const nothing = await get();
    expect([nothing.status, nothing.body.length, nothing.ended]).toEqual([0, 0, 'reset']);
    await media({ kind: 'reset', after: SIZE + 1 });
    expect([(await get()).ended, await fired()]).toEqual(['closed', [0]]);
  });

  test('a stall, for good or for a while', async () => {
    await media({ kind: 'stall', after: 70_000 });
    const stalled = await get(mediaPath, 3_000);
    expect([stalled.body.length, stalled.ended]).toEqual([70_000, 'open']);
    await media({ kind: 'stall', after: 70_000, milliseconds: 500 });
    const slow = await get();
    expect([slow.body.equals(content), slow.ended]).toEqual([true, 'closed']);
    expect(slow.endMs).toBeGreaterThan(480);
    await media({ kind: 'stall' });
    const silent = await get(mediaPath, 500);
    expect([silent.status, silent.ended]).toEqual([0, 'open']);
  });

  test('short, long, one byte wrong: each looks whole', async () => {
    await media({ kind: 'short-body', bytes: 1000 });
    const short = await get();
    expect([short.headers['content-length'], short.ended]).toEqual([String(SIZE - 1000), 'closed']);
    expect(short.body.equals(content.subarray(0, SIZE - 1000))).toBe(true);
    await media({ kind: 'long-body', bytes: 70_000 });
    const long = await get();
    expect([long.headers['content-length'], long.body.length]).toEqual([
      String(SIZE + 70_000),
      SIZE + 70_000,
    ]);
    expect(long.body.subarray(0, SIZE).equals(content)).toBe(true);
    for (const at of [0, 65_536, SIZE - 1, -1]) {
      await media({ kind: 'wrong-byte', at });
      const { body } = await get();
      const wrong = [...content.keys()].filter((index) => body[index] !== content[index]);
      expect([body.length, wrong]).toEqual([SIZE, [at < 0 ? SIZE + at : at]]);
    }
    await media({ kind: 'short-body', bytes: SIZE + 5 });
    expect((await get()).body.length).toBe(0);
  });

  test('a length that is wrong, either way', async () => {
    await media({ kind: 'wrong-length', by: 10 });
    const more = await get();
    expect([more.headers['content-length'], more.body.length, more.ended]).toEqual([
      String(SIZE + 10),
      SIZE,
      'closed',
    ]);
    await media({ kind: 'wrong-length', by: -10 });
    const less = await get();
    expect([less.headers['content-length'], less.body.length, less.ended]).toEqual([
      String(SIZE - 10),
      SIZE,
      'closed',
    ]);
    await emulator.setFaults([{ operation: 'list', fault: { kind: 'wrong-length', by: 3 } }]);
    const list = await get(`/storage/v1/b/${B}/o`);
    expect(Number(list.headers['content-length']) - list.body.length).toBe(3);
  });

  test('a completed write whose answer is lost: simple, and the last chunk of a session', async () => {
    await emulator.setFaults([{ method: 'POST', first: 1, fault: { kind: 'lost-answer' } }]);
    const lost = await upload('lost', Buffer.from('kept'));
    expect([lost.status, lost.ended]).toEqual([0, 'reset']);
    expect((await stored('lost')).text).toBe('kept');

    await emulator.setFaults([
      { operation: 'upload-chunk', first: 1, fault: { kind: 'lost-answer' } },
    ]);
    const session = await startSession('lost-session');
    const quarter = randomBytes(256 * 1024);
    expect((await chunk(session, quarter, 'bytes 0-262143/262145')).status).toBe(308);
    await expect(chunk(session, 'e', 'bytes 262144-262144/262145')).rejects.toThrow(/curl/);
    const asked = await chunk(session, '', 'bytes */262145');
    expect([asked.status, asked.json().size]).toEqual([200, '262145']);
    const line = (await emulator.requestLog()).find((one) => one.faults?.includes('lost-answer'));
    expect(line).toMatchObject({ object: 'lost', status: 200 });
  });
});

describe('the request', () => {
  test('a reset after so many bytes leaves nothing of a simple upload, and 256 KiB of a session', async () => {
    await emulator.setFaults([
      { method: 'POST', fault: { kind: 'reset', of: 'request', after: 100_000 } },
    ]);
    expect(await upload('cut', content)).toMatchObject({ status: 0, ended: 'reset' });
    expect((await stored('cut')).status).toBe(404);
    expect(await fired()).toEqual([1]);
    await emulator.setFaults([
      {
        operation: 'upload-chunk',
        first: 1,
        fault: { kind: 'reset', of: 'request', after: 290_000 },
      },
    ]);
    const session = await startSession('cut-session');
    await expect(chunk(session, content, `bytes 0-${SIZE - 1}/${SIZE}`)).rejects.toThrow(/curl/);
    const asked = await chunk(session, '', `bytes */${SIZE}`);
    expect([asked.status, asked.headers['range']]).toEqual([308, 'bytes=0-262143']);
    const rest = content.subarray(262_144);
    expect((await chunk(session, rest, `bytes 262144-${SIZE - 1}/${SIZE}`)).status).toBe(200);
    expect((await stored('cut-session')).body.equals(content)).toBe(true);
  });

  test('a reset before anything', async () => {
    await media({ kind: 'reset', of: 'request' });
    expect(await get()).toMatchObject({ status: 0, ended: 'reset' });
  });

  test('a stall, and limited bandwidth', async () => {
    const post = (fault: FaultRuleInput['fault']) =>
      emulator.setFaults([{ operation: 'upload-simple', fault }]);
    await post({ kind: 'stall', of: 'request', after: 10_000 });
    expect(await upload('stalled', content, 700)).toMatchObject({ status: 0, ended: 'open' });
    expect((await stored('stalled')).status).toBe(404);
    await post({ kind: 'bandwidth', of: 'request', bytesPerSecond: 300_000 });
    const slow = await upload('slow', content);
    expect([slow.status, slow.firstByteMs > 800]).toEqual([200, true]);
    expect((await stored('slow')).body.equals(content)).toBe(true);
  });

  test('a byte that arrives wrong', async () => {
    await emulator.setFaults([
      { operation: 'upload-simple', fault: { kind: 'wrong-byte', of: 'request', at: -1 } },
    ]);
    await upload('wrong', Buffer.from('abc'));
    expect((await stored('wrong')).text).toBe('abb');
  });

  test('a session that has expired stays so', async () => {
    await emulator.setFaults([
      { operation: 'upload-chunk', first: 1, fault: { kind: 'expired-session' } },
    ]);
    const session = await startSession('expired');
    expect((await chunk(session, 'x', 'bytes 0-0/1')).status).toBe(410);
    expect((await chunk(session, 'x', 'bytes 0-0/1')).status).toBe(410);
    expect((await chunk(await startSession('expired'), 'x', 'bytes 0-0/1')).status).toBe(200);
    expect(await fired()).toEqual([1]);
  });

  test('a token that has expired stays so', async () => {
    const other = await mint(emulator, 'admin');
    await emulator.setFaults([{ first: 1, fault: { kind: 'expired-token' } }]);
    for (let time = 0; time < 2; time++)
      expect((await ask(emulator.url, 'GET', mediaPath, { token: other })).status).toBe(401);
    expect((await get()).status).toBe(200);
  });

  test('a clock that is ahead or behind, in the Date header and for the times of a JWT', async () => {
    const key = await readKeyFile(emulator.keyFiles['admin'] ?? '');
    const address = emulator.environment['TRAINYARD_OAUTH_ENDPOINT'] ?? '';
    for (const seconds of [7200, -7200]) {
      await emulator.setFaults([{ fault: { kind: 'clock', seconds } }]);
      const refused = await exchange(address, assertion(key, { aud: address }));
      expect(refused.status).toBe(400);
      expect(refused.json().error_description).toMatch(/^Invalid JWT: Token must be a short-lived/);
      for (const answer of [refused, await get()]) {
        const off = (Date.parse(answer.headers['date'] ?? '') - Date.now()) / 1000;
        expect(Math.abs(off - seconds)).toBeLessThan(10);
      }
      const iat = Math.floor(Date.now() / 1000) + seconds;
      const claims = { aud: address, iat, exp: iat + 3600 };
      expect((await exchange(address, assertion(key, claims))).status).toBe(200);
    }
  });
});

describe('which requests', () => {
  const status = async (path: string, method = 'GET') =>
    (await rawRequest(emulator.url, method, path, { headers })).status;
  const teapot = { kind: 'status', status: 418 } as const;

  test('by method, operation, bucket and object', async () => {
    const list = `/storage/v1/b/${B}/o`;
    const meta = objectPath(B, 'dir/small');
    for (const [rule, meant] of [
      [{ operation: 'list' }, [418, 200, 200]],
      [{ operation: ['list', 'media'] }, [418, 200, 418]],
      [{ operation: 'metadata' }, [200, 418, 200]],
      [{ method: 'POST' }, [200, 200, 200]],
      [{ method: ['GET', 'POST'], bucket: { prefix: 'faulty' } }, [418, 418, 418]],
      [{ bucket: 'faulty' }, [200, 200, 200]],
      [{ object: 'dir/small' }, [200, 418, 200]],
      [{ object: { prefix: 'dir/b' } }, [200, 200, 418]],
      [{ object: { glob: '*/b?g' } }, [200, 200, 418]],
      [{ object: { glob: '*' } }, [200, 200, 200]],
      [{ object: { glob: '**' } }, [200, 418, 418]],
      [{ object: { glob: 'dir/s.all' } }, [200, 200, 200]],
    ] as const satisfies readonly (readonly [Partial<FaultRuleInput>, number[]])[]) {
      await emulator.setFaults([{ ...rule, fault: teapot }]);
      expect([rule, [await status(list), await status(meta), await status(mediaPath)]]).toEqual([
        rule,
        meant,
      ]);
    }
  });

  test('an upload by its name, also where only its body tells it', async () => {
    await emulator.setFaults([{ object: 'named', fault: teapot }]);
    const multipart = (name: string) =>
      ask(emulator.url, 'POST', `/upload/storage/v1/b/${B}/o?uploadType=multipart`, {
        token,
        headers: { 'Content-Type': 'multipart/related; boundary=b' },
        body: `--b\r\nContent-Type: application/json\r\n\r\n{"name":"${name}"}\r\n--b\r\nContent-Type: text/plain\r\n\r\nthe content\r\n--b--\r\n`,
      });
    expect((await multipart('named')).status).toBe(418);
    expect((await multipart('other')).status).toBe(200);
    expect((await stored('other')).text).toBe('the content');
    expect((await put(emulator.url, B, 'named', 'x', { token })).status).toBe(418);
    expect(await startSession('named')).toBe('');
    const session = await startSession('other');
    expect((await chunk(session, 'x', 'bytes 0-0/1')).status).toBe(200);
    await emulator.setFaults([
      { operation: 'upload-query', object: 'asked', fault: teapot },
      { operation: 'upload-cancel', object: 'asked', fault: { kind: 'status', status: 500 } },
    ]);
    const asked = await startSession('asked');
    expect((await chunk(asked, '', 'bytes */*')).status).toBe(418);
    expect((await ask('', 'DELETE', asked, { token })).status).toBe(500);
    expect((await chunk(asked, 'x', 'bytes 0-0/1')).status).toBe(200);
  });

  test('by count: the first, every so many, after so many, all together or of each object', async () => {
    const run = async (rule: Partial<FaultRuleInput>) => {
      await emulator.setFaults([{ operation: 'metadata', ...rule, fault: teapot }]);
      let outcome = '';
      for (let time = 0; time < 7; time++)
        outcome += (await status(objectPath(B, 'dir/small'))) === 418 ? 'x' : '.';
      return outcome;
    };
    expect(await run({ first: 2 })).toBe('xx.....');
    expect(await run({ every: 3 })).toBe('..x..x.');
    expect(await run({ after: 4 })).toBe('....xxx');
    expect(await run({ after: 1, every: 2, first: 2 })).toBe('..x.x..');
    expect(await emulator.firedFaults()).toMatchObject([{ matched: 7, fired: 2 }]);
    await emulator.setFaults([
      { operation: 'metadata', first: 1, countBy: 'object', fault: teapot },
    ]);
    const each = [];
    for (const name of ['dir/small', 'dir/big', 'dir/small', 'dir/big'])
      each.push(await status(objectPath(B, name)));
    expect(each).toEqual([418, 418, 200, 200]);
  });

  test('by chance, the same with the same seed', async () => {
    const run = async (seed: number) => {
      await emulator.setFaults([{ operation: 'metadata', probability: 0.5, seed, fault: teapot }]);
      let outcome = '';
      for (let time = 0; time < 40; time++)
        outcome += (await status(objectPath(B, 'dir/small'))) === 418 ? 'x' : '.';
      return outcome;
    };
    const one = await run(1);
    expect(await run(1)).toBe(one);
    expect(await run(2)).not.toBe(one);
    expect(one.replaceAll('.', '').length).toBeGreaterThan(8);
    expect(one.replaceAll('.', '').length).toBeLessThan(32);
  });

  test('by what is answered', async () => {
    await emulator.setFaults([
      { operation: 'metadata', answered: [404], fault: { kind: 'lost-answer' } },
    ]);
    expect(await status(objectPath(B, 'nothing'))).toBe(0);
    expect(await status(objectPath(B, 'dir/small'))).toBe(200);
  });

  test('several at once', async () => {
    await media({ kind: 'wrong-byte', at: 3 });
    await emulator.setFaults([
      { name: 'one', operation: 'media', fault: { kind: 'wrong-byte', at: 3 } },
      { name: 'two', operation: 'media', fault: { kind: 'reset', after: 5000 } },
      { name: 'three', operation: 'media', fault: { kind: 'delay', milliseconds: 200 } },
    ]);
    const answer = await get();
    expect([answer.body.length, answer.ended, answer.firstByteMs >= 190]).toEqual([
      5000,
      'reset',
      true,
    ]);
    expect(answer.body[3]).not.toBe(content[3]);
    expect((await emulator.requestLog()).at(-1)).toMatchObject({
      object: 'dir/big',
      status: 200,
      bytes: 5000,
      faults: ['one', 'two', 'three'],
    });
  });
});

test('a connection serves the next request after a fault that left the body unread', async () => {
  await emulator.setFaults([
    {
      operation: 'upload-simple',
      object: 'twice',
      first: 1,
      fault: { kind: 'status', status: 503 },
    },
  ]);
  const address = `${emulator.url}/upload/storage/v1/b/${B}/o?uploadType=media&name=twice`;
  const answer = await ask(emulator.url, 'POST', address, {
    token,
    body: content,
    curl: [
      '--next',
      '-s',
      '-i',
      '--max-time',
      '10',
      '-X',
      'POST',
      '-H',
      `Authorization: Bearer ${token}`,
      '-d',
      'x',
      address,
    ],
  }).catch((error: unknown) => error as Error);
  expect(answer).not.toBeInstanceOf(Error);
  expect((await stored('twice')).status).toBe(200);
});
