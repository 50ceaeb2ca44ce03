import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { keyTokenSource, mintToken, refreshMarginMs } from '../../src/google/access-token.ts';
import { parseServiceAccountFile } from '../../src/google/service-account-file.ts';
import { describeDuration } from '../../src/google/token-refusal.ts';
import type { GoogleEndpoints } from '../../src/shared/endpoints.ts';
import type { ServiceAccountKey } from '../../src/shared/key.ts';
import { exitStatusOf } from '../../src/shared/problem.ts';
import { keyFileFields, rsaKey, TOKEN_URI } from './keys.ts';
import {
  answerJson,
  emulatedAt,
  knowing,
  readAssertion,
  serve,
  type LocalServer,
} from './token-server.ts';

const privateKey = rsaKey();
const read = parseServiceAccountFile(Buffer.from(JSON.stringify(keyFileFields(privateKey))), {
  fileName: 'key.json',
});
if (!read.ok) throw new Error(read.problem.message);
const key: ServiceAccountKey = read.value;
const signal = new AbortController().signal;

let server: LocalServer | null = null;
afterEach(async () => {
  await server?.stop();
  server = null;
});

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;
async function tokenServer(handle: Handler): Promise<GoogleEndpoints> {
  server = await serve(knowing(privateKey, key.privateKeyId, handle));
  return emulatedAt(server.url);
}

describe('mintToken', () => {
  test('sends an assertion that verifies, for the endpoint in force alone, and takes any lifetime', async () => {
    const seen: ReturnType<typeof readAssertion>[] = [];
    const endpoints = await tokenServer((request, response, body) => {
      expect(request.method).toBe('POST');
      expect(request.headers['content-type']).toBe('application/x-www-form-urlencoded');
      seen.push(readAssertion(body, privateKey));
      answerJson(response, 200, { access_token: 'ya29.one', expires_in: 60 });
    });
    const before = Date.now();
    const minted = await mintToken(key, 'read', endpoints, { signal });
    if (!minted.ok) throw new Error(minted.problem.message);
    expect(minted.value.token).toBe('ya29.one');
    expect(minted.value.expiresAt - before).toBeGreaterThanOrEqual(60_000);
    expect(minted.value.expiresAt - before).toBeLessThan(70_000);
    const { header, claims } = seen[0]!;
    expect(header).toEqual({ alg: 'RS256', typ: 'JWT', kid: key.privateKeyId });
    expect(claims).toMatchObject({
      iss: key.clientEmail,
      aud: endpoints.oauthToken,
      scope: 'https://www.googleapis.com/auth/devstorage.read_only',
    });
    expect(Number(claims['exp']) - Number(claims['iat'])).toBe(3600);
    expect(Math.abs(Number(claims['iat']) - before / 1000)).toBeLessThan(5);
  });

  test('an emulated endpoint is its own audience, whatever the key file names', async () => {
    const audiences: unknown[] = [];
    const endpoints = await tokenServer((_request, response, body) => {
      audiences.push(readAssertion(body, privateKey).claims['aud']);
      answerJson(response, 200, { access_token: 't', expires_in: 3600 });
    });
    for (const tokenUri of [endpoints.oauthToken, TOKEN_URI, 'http://127.0.0.1:1/other'])
      await mintToken({ ...key, tokenUri }, ['a', 'b'], endpoints, { signal });
    expect(audiences).toEqual(Array(3).fill(endpoints.oauthToken));
  });

  test.each([
    ['Invalid JWT Signature.', 'access.key-signature'],
    ['Invalid grant: account not found', 'access.account-unknown'],
    ['Service account has been disabled.', 'access.key-disabled-or-deleted'],
    ['Robot is on holiday', 'access.key-refused'],
  ])('invalid_grant, "%s" is %s', async (description, code) => {
    const endpoints = await tokenServer((_request, response) =>
      answerJson(response, 400, { error: 'invalid_grant', error_description: description }),
    );
    const minted = await mintToken(key, 'read', endpoints, { signal });
    if (minted.ok) throw new Error('It was given.');
    expect(minted.problem.code).toBe(code);
    expect(exitStatusOf(minted.problem)).toBe(3);
    expect(minted.problem.retryable).toBe(false);
    expect(server?.count()).toBe(1);
  });

  test.each([
    [61 * 60_000, 'is 61 minutes ahead of'],
    [-26 * 3_600_000, 'is 26 hours behind'],
  ])('a clock that is off by %i ms is told by how much', async (offset, words) => {
    const endpoints = await tokenServer((_request, response) =>
      answerJson(response, 400, {
        error: 'invalid_grant',
        error_description:
          'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.',
      }),
    );
    const minted = await mintToken(key, 'read', endpoints, {
      signal,
      now: () => Date.now() + offset,
    });
    if (minted.ok) throw new Error('It was given.');
    expect(minted.problem.code).toBe('access.clock');
    expect(minted.problem.message).toContain(words);
    expect(minted.problem.hint).toContain('clock');
  });

  test('a busy service is asked again, and Retry-After is waited for', async () => {
    const times: number[] = [];
    const endpoints = await tokenServer((_request, response) => {
      times.push(performance.now());
      if (times.length === 1) answerJson(response, 503, {}, { 'retry-after': '1' });
      else answerJson(response, 200, { access_token: 't', expires_in: 3600 });
    });
    expect((await mintToken(key, 'read', endpoints, { signal })).ok).toBe(true);
    expect(times[1]! - times[0]!).toBeGreaterThan(950);
  });

  test('a server that is silent ends at the time given', async () => {
    const endpoints = await tokenServer(() => undefined);
    const started = performance.now();
    const minted = await mintToken(key, 'read', endpoints, { signal, timeoutMs: 500 });
    expect(minted.ok || minted.problem.code).toBe('network.timeout');
    expect(performance.now() - started).toBeLessThan(8_000);
  });

  test('a port where nobody listens is told as unreachable', async () => {
    const endpoints = await tokenServer(() => undefined);
    await server?.stop();
    server = null;
    const minted = await mintToken(key, 'read', endpoints, { signal, timeoutMs: 700 });
    if (minted.ok) throw new Error('It was given.');
    expect(minted.problem.code).toBe('network.unreachable');
    expect(exitStatusOf(minted.problem)).toBe(4);
    expect(minted.problem.message).toContain('Nothing listens at 127.0.0.1');
    expect(minted.problem.hint).toContain('emulator');
  });

  test('a web page in place of an answer is told as such', async () => {
    const endpoints = await tokenServer((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>'),
    );
    const minted = await mintToken(key, 'read', endpoints, { signal });
    expect(minted.ok || minted.problem.code).toBe('network.unexpected-answer');
  });

  test('a redirect is not followed', async () => {
    const endpoints = await tokenServer((request, response) => {
      if (request.url === '/token') response.writeHead(307, { location: '/elsewhere' }).end();
      else answerJson(response, 200, { access_token: 'stolen', expires_in: 3600 });
    });
    const minted = await mintToken(key, 'read', endpoints, { signal });
    expect(minted.ok || minted.problem.code).toBe('network.unexpected-answer');
    expect(server?.count()).toBe(1);
  });

  test('is cancelled by its signal, at once', async () => {
    const endpoints = await tokenServer(() => undefined);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    const started = performance.now();
    const minted = await mintToken(key, 'read', endpoints, { signal: controller.signal });
    expect(minted.ok || minted.problem.code).toBe('job.cancelled');
    expect(performance.now() - started).toBeLessThan(8_000);
  });

  test('no problem repeats the assertion, the key or a token of the answer', async () => {
    const assertions: string[] = [];
    const endpoints = await tokenServer((_request, response, body) => {
      const assertion = new URLSearchParams(body).get('assertion') ?? '';
      assertions.push(assertion);
      answerJson(response, 400, {
        error: 'invalid_scope',
        error_description: `bad: ${assertion} ya29.secret-secret`,
      });
    });
    const minted = await mintToken(key, 'read', endpoints, { signal });
    const shown = JSON.stringify(minted);
    expect(shown).toContain('access.key-refused');
    expect(shown).not.toContain(assertions[0]!.slice(0, 20));
    expect(shown).not.toContain('secret-secret');
  });
});

describe('keyTokenSource', () => {
  test('mints once for all who ask, and again a quarter of the lifetime before the end', async () => {
    let minted = 0;
    const endpoints = await tokenServer((_request, response) => {
      minted += 1;
      answerJson(response, 200, { access_token: `token-${minted}`, expires_in: 60 });
    });
    let offset = 0;
    const tokens = keyTokenSource(key, 'read', endpoints, { now: () => Date.now() + offset });
    expect(tokens.email).toBe(key.clientEmail);
    const all = await Promise.all(Array.from({ length: 20 }, () => tokens.token({ signal })));
    expect(new Set(all.map((one) => one.ok && one.value.token))).toEqual(new Set(['token-1']));
    offset = 40_000;
    expect(await tokens.token()).toMatchObject({ value: { token: 'token-1' } });
    offset = 46_000;
    expect(await tokens.token()).toMatchObject({ value: { token: 'token-2' } });
    expect(minted).toBe(2);
    expect(refreshMarginMs(3_600_000)).toBe(300_000);
    expect(refreshMarginMs(60_000)).toBe(15_000);
  });

  test('does not give a refused token again', async () => {
    let minted = 0;
    const endpoints = await tokenServer((_request, response) => {
      minted += 1;
      answerJson(response, 200, { access_token: `token-${minted}`, expires_in: 3600 });
    });
    const tokens = keyTokenSource(key, 'read', endpoints);
    await tokens.token();
    expect(await tokens.token({ refused: 'token-1' })).toMatchObject({
      value: { token: 'token-2' },
    });
    expect(await tokens.token({ refused: 'token-1' })).toMatchObject({
      value: { token: 'token-2' },
    });
    expect(minted).toBe(2);
  });

  test('gives the token in hand until its end when an early refresh fails', async () => {
    let works = true;
    const endpoints = await tokenServer((_request, response) => {
      if (works) answerJson(response, 200, { access_token: 'first', expires_in: 100 });
      else answerJson(response, 400, { error: 'invalid_grant', error_description: 'no' });
    });
    let offset = 0;
    const tokens = keyTokenSource(key, 'read', endpoints, { now: () => Date.now() + offset });
    await tokens.token();
    works = false;
    offset = 80_000;
    expect(await tokens.token()).toMatchObject({ ok: true, value: { token: 'first' } });
    offset = 101_000;
    expect((await tokens.token()).ok).toBe(false);
  });

  test('one caller’s cancel leaves the others their token; the last one’s ends the request', async () => {
    const waiting: ServerResponse[] = [];
    let closed = 0;
    const endpoints = await tokenServer((_request, response) => {
      waiting.push(response);
      response.on('close', () => (closed += 1));
    });
    const tokens = keyTokenSource(key, 'read', endpoints);
    const first = new AbortController();
    const second = new AbortController();
    const one = tokens.token({ signal: first.signal });
    const two = tokens.token({ signal: second.signal });
    while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    first.abort();
    expect(await one).toMatchObject({ ok: false, problem: { code: 'job.cancelled' } });
    answerJson(waiting[0]!, 200, { access_token: 'shared', expires_in: 3600 });
    expect(await two).toMatchObject({ ok: true, value: { token: 'shared' } });
    const third = new AbortController();
    const alone = tokens.token({ signal: third.signal, refused: 'shared' });
    while (waiting.length === 1) await new Promise((resolve) => setTimeout(resolve, 10));
    closed = 0;
    third.abort();
    expect(await alone).toMatchObject({ ok: false, problem: { code: 'job.cancelled' } });
    while (closed === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  });
});

test('lengths of time are told as a person would', () => {
  expect(describeDuration(61 * 60_000)).toBe('61 minutes');
  expect(describeDuration(-90_000)).toBe('90 seconds');
  expect(describeDuration(5 * 3_600_000)).toBe('5 hours');
  expect(describeDuration(3 * 86_400_000)).toBe('3 days');
  expect(describeDuration(1_000)).toBe('1 second');
});
