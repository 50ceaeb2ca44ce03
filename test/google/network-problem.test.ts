import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { exchange, type HttpRequest } from '../../src/google/http.ts';
import { isMistake } from '../../src/google/network-problem.ts';
import type { Problem } from '../../src/shared/problem.ts';
import {
  PROXY_VARIABLES,
  startConnectProxy,
  startSocksProxy,
  type ConnectProxy,
} from '../support/connect-proxy.ts';

const AWAY = 'http://storage.trainyard-test.invalid/b';
const before = PROXY_VARIABLES.map((name) => [name, process.env[name]] as const);
const clear = (): void => {
  for (const name of PROXY_VARIABLES) Reflect.deleteProperty(process.env, name);
};

/** What was started in a test. */
const started: ConnectProxy[] = [];
const server = createServer((request, answer) => {
  if (request.url === '/bomb')
    answer
      .writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/json' })
      .end(bomb);
  else if (request.url === '/refusal-bomb')
    answer.writeHead(500, { 'content-encoding': 'gzip' }).end(bomb);
  else answer.end('{}');
});
let bomb: Buffer;
let here: string;
beforeAll(async () => {
  clear();
  bomb = gzipSync(Buffer.alloc(40 * 1024 * 1024, ' '), { level: 1 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  here = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  clear();
  for (const one of started.splice(0)) await one.stop();
});
afterAll(async () => {
  for (const [name, was] of before) if (was !== undefined) process.env[name] = was;
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const ask = (address: string, more: Partial<HttpRequest> = {}) =>
  exchange(
    address,
    { method: 'GET', headers: {}, ...more },
    {
      op: 'ask',
      subject: 'it',
      signal: new AbortController().signal,
      timeoutMs: 20_000,
    },
  );
async function problemOf(address: string): Promise<Problem> {
  const result = await ask(address);
  if (result.ok) throw new Error(`an answer: ${result.answer.status}`);
  return result.problem;
}

describe('a proxy that answers in place of the other end', { timeout: 30_000 }, () => {
  it.each([
    [403, {}, 'network.proxy-refused', /refuses to connect to storage\.trainyard-test\.invalid/],
    [502, {}, 'network.proxy-no-way', /found no way to storage\.trainyard-test\.invalid \(502\)/],
    [504, {}, 'network.proxy-no-way', /found no way/],
    [407, {}, 'network.proxy-sign-in', /does not accept the user name and password/],
    [
      407,
      { 'Proxy-Authenticate': 'Negotiate, NTLM' },
      'network.proxy-sign-in',
      /kind negotiate or ntlm .*does not speak/,
    ],
  ])('with %i %o is told as what it is, once', async (status, headers, code, words) => {
    const proxy = await startConnectProxy(here, { refusal: { status, headers } });
    started.push(proxy);
    process.env['HTTP_PROXY'] = proxy.url.replace('://', '://user:hunter2@');
    const problem = await problemOf(AWAY);
    expect(problem).toMatchObject({ code, retryable: false });
    expect(problem.message).toMatch(words);
    expect(problem.message).toContain(`${proxy.url} (HTTP_PROXY)`);
    expect(problem.hint).not.toBe('');
    expect(JSON.stringify(problem)).not.toContain('hunter2');
    expect(proxy.asked()).toHaveLength(1);
  });

  it.each([
    ['forbids it', { reply: 2 }, 'network.proxy-refused'],
    ['finds no way', { reply: 4 }, 'network.proxy-no-way'],
    ['wants a password', { credentials: 'user:other' }, 'network.proxy-sign-in'],
  ])('by SOCKS, where it %s', async (_, options, code) => {
    const proxy = await startSocksProxy(here, options);
    started.push(proxy);
    process.env['ALL_PROXY'] = proxy.url.replace('://', '://user:hunter2@');
    const problem = await problemOf(AWAY);
    expect(problem).toMatchObject({ code, retryable: false });
    expect(problem.message).toContain(proxy.url);
    expect(JSON.stringify(problem)).not.toContain('hunter2');
  });

  it.each(['http', 'https', 'socks5'])('and is not there (%s) is named', async (scheme) => {
    const gone = await startConnectProxy(here);
    await gone.stop();
    process.env['HTTP_PROXY'] = gone.url.replace('http', scheme);
    const problem = await problemOf(AWAY);
    expect(problem).toMatchObject({ code: 'network.unreachable', retryable: true });
    expect(problem.message).toContain(`proxy ${gone.url.replace('http', scheme)} (HTTP_PROXY)`);
  });

  it('and does not speak TLS, although https:// names it', async () => {
    process.env['HTTP_PROXY'] = here.replace('http', 'https');
    const problem = await problemOf(AWAY);
    expect(problem).toMatchObject({ code: 'network.unexpected-answer', retryable: false });
    expect(problem.hint).toContain('http://');
  });
});

describe('what no network brings about', () => {
  it('is thrown on, as the bug that it is', async () => {
    await expect(ask(here, { headers: { 'x-a': 'line\nbreak' } })).rejects.toThrow(TypeError);
    expect(isMistake(new TypeError('ask is not a function'))).toBe(true);
    expect(isMistake(Object.assign(new Error('x'), { code: 'ERR_MODULE_NOT_FOUND' }))).toBe(true);
    expect(isMistake(Object.assign(new Error('x'), { code: 'ENOSPC', syscall: 'write' }))).toBe(
      true,
    );
  });

  it('is told from what one does', () => {
    const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    for (const error of [
      new TypeError('fetch failed', { cause: reset }),
      new TypeError('terminated', { cause: new Error('other side closed') }),
      new TypeError('fetch failed'),
      new DOMException('The time is up.', 'TimeoutError'),
      Object.assign(new Error('x'), { code: 'ERR_SSL_WRONG_VERSION_NUMBER' }),
      Object.assign(new Error('x'), { code: 'HPE_INVALID_CONSTANT' }),
    ])
      expect(isMistake(error), String(error)).toBe(false);
  });

  it('a port that fetch refuses is told as one', async () => {
    const problem = await problemOf('http://127.0.0.1:9/b');
    expect(problem).toMatchObject({ code: 'network.unreachable', retryable: false });
    expect(problem.message).toMatch(/^127\.0\.0\.1:9 was not asked: its port/);
  });
});

describe('an answer that unpacks to more than Google gives', () => {
  it('is left in the middle', async () => {
    const problem = await problemOf(`${here}/bomb`);
    expect(problem).toMatchObject({ code: 'network.unexpected-answer', retryable: false });
    expect(problem.message).toContain('larger');
  });
  it('is read up to a limit where it is a refusal', async () => {
    const result = await ask(`${here}/refusal-bomb`);
    expect(result.ok ? [result.answer.status, result.answer.text.length] : result.problem).toEqual([
      500, 1_048_576,
    ]);
  });
});
