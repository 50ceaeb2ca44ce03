import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { keyTokenSource, mintToken } from '../../src/google/access-token.ts';
import { acceptedTokenUris, endpointsFromEnvironment } from '../../src/google/endpoints.ts';
import { getObject, listPage } from '../../src/google/listing.ts';
import { RETRY } from '../../src/google/retry.ts';
import { parseServiceAccountFile } from '../../src/google/service-account-file.ts';
import type { FaultRuleInput } from '../../src/emulator/faults/rules.ts';
import type { GoogleEndpoints } from '../../src/shared/endpoints.ts';
import type { ServiceAccountKey } from '../../src/shared/key.ts';
import type { Result } from '../../src/shared/problem.ts';
import { makeBucket, mint, put } from '../emulator/ask.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';

type Fault = FaultRuleInput['fault'];
const B = 'faulty-bucket';
let emulator: RunningEmulator;
let endpoints: GoogleEndpoints;
let key: ServiceAccountKey;

beforeAll(async () => {
  emulator = await startEmulator({ accounts: [{ name: 'admin' }], admins: [emailOf('admin')] });
  const read = endpointsFromEnvironment(emulator.environment);
  if (!read.ok) throw new Error(read.problem.message);
  endpoints = read.value;
  const parsed = parseServiceAccountFile(await readFile(emulator.keyFiles['admin'] ?? ''), {
    fileName: 'admin.json',
    acceptedTokenUris: acceptedTokenUris(endpoints),
  });
  if (!parsed.ok) throw new Error(parsed.problem.message);
  key = parsed.value;
  const token = await mint(emulator, 'admin');
  await makeBucket(emulator.url, B, token);
  for (const name of ['data/a', 'data/b']) await put(emulator.url, B, name, 'content', { token });
});
afterAll(async () => emulator.stop());
beforeEach(async () => emulator.setFaults([]));

interface Ask {
  readonly operation: 'token' | 'list' | 'metadata';
  /** `deadlineMs`: for everything, retries included. */
  readonly run: (deadlineMs: number, signal?: AbortSignal) => Promise<Result<unknown>>;
  /** What it comes to. */
  readonly wanted: unknown;
}
const never = new AbortController().signal;
const storage = (deadlineMs: number, signal = never) => ({
  endpoints,
  tokens: keyTokenSource(key, 'read', endpoints),
  signal,
  deadlineMs,
  bucket: B,
});
const token: Ask = {
  operation: 'token',
  run: (timeoutMs, signal = never) => mintToken(key, 'read', endpoints, { signal, timeoutMs }),
  wanted: {
    token: expect.stringMatching(/^ya29\./) as string,
    expiresAt: expect.any(Number) as number,
  },
};
const list: Ask = {
  operation: 'list',
  run: async (deadlineMs, signal) => {
    const page = await listPage({ ...storage(deadlineMs, signal), prefix: '', delimiter: false });
    return page.ok ? { ok: true, value: page.value.objects.map(({ name }) => name) } : page;
  },
  wanted: ['data/a', 'data/b'],
};
const metadata: Ask = {
  operation: 'metadata',
  run: (deadlineMs, signal) => getObject({ ...storage(deadlineMs, signal), name: 'data/a' }),
  wanted: expect.objectContaining({ name: 'data/a', size: 7 }),
};
const asks = [token, list, metadata];

/** How often the operation reached the emulator, whatever it came to. */
async function requestsOf(ask: Ask, work: () => Promise<unknown>): Promise<number> {
  const before = (await emulator.requestLog()).length;
  await work();
  const matching = (await emulator.requestLog()).slice(before).filter(({ path }) => {
    if (ask.operation === 'token') return path === '/token';
    return path.endsWith('/o') === (ask.operation === 'list') && path !== '/token';
  });
  return matching.length;
}

const check = (ask: Ask, result: Result<unknown>): void =>
  expect(result).toEqual({ ok: true, value: ask.wanted });

/** Faults after which another attempt helps. `secondsAtLeast`: the wait that the server asked for is kept. */
const PASSING: readonly (readonly [string, Fault, number])[] = [
  ['408', { kind: 'status', status: 408 }, 0],
  ['429 with Retry-After', { kind: 'status', status: 429, retryAfter: 1 }, 1],
  ['500', { kind: 'status', status: 500 }, 0],
  ['503', { kind: 'status', status: 503 }, 0],
  ['504 as a page', { kind: 'status', status: 504, body: '<html>timeout</html>' }, 0],
  ['a reset before anything', { kind: 'reset', of: 'request' }, 0],
  ['a lost answer', { kind: 'lost-answer' }, 0],
  ['a reset in the answer', { kind: 'reset', after: 10 }, 0],
  ['a length that is too long', { kind: 'wrong-length', by: 10 }, 0],
];

describe.each(asks)('$operation', (ask) => {
  test.each(PASSING)('%s: tried again, and it succeeds', async (_name, fault, secondsAtLeast) => {
    await emulator.setFaults([{ operation: ask.operation, first: 1, fault }]);
    const started = performance.now();
    const count = await requestsOf(ask, async () => check(ask, await ask.run(20_000)));
    expect(count).toBe(2);
    const spent = performance.now() - started;
    expect(spent).toBeGreaterThanOrEqual(Math.max(RETRY.firstWaitMs / 2, secondsAtLeast * 1000));
    expect(await emulator.firedFaults()).toMatchObject([{ fired: 1 }]);
  });

  test('three failures in a row are outlasted, with growing waits', async () => {
    await emulator.setFaults([
      { operation: ask.operation, first: 3, fault: { kind: 'status', status: 503 } },
    ]);
    const started = performance.now();
    expect(await requestsOf(ask, async () => check(ask, await ask.run(20_000)))).toBe(4);
    const least = (RETRY.firstWaitMs * (1 + 2 + 4)) / 2;
    expect(performance.now() - started).toBeGreaterThanOrEqual(least);
  });

  test('a deadline for the whole: failures without end are given up, and the sentence says how long', async () => {
    await emulator.setFaults([
      { operation: ask.operation, fault: { kind: 'status', status: 503 } },
    ]);
    const started = performance.now();
    const result = await ask.run(1_500);
    expect(performance.now() - started).toBeLessThan(8_000);
    expect(result).toMatchObject({
      ok: false,
      problem: {
        code: 'network.server-busy',
        retryable: true,
        message: expect.stringMatching(/503\. Tried [2-4] times in [12] s\.$/) as string,
      },
    });
  });

  test('a Retry-After beyond the deadline is not waited for', async () => {
    await emulator.setFaults([
      { operation: ask.operation, fault: { kind: 'status', status: 503, retryAfter: 3600 } },
    ]);
    const started = performance.now();
    expect(await requestsOf(ask, () => ask.run(10_000))).toBe(1);
    expect(performance.now() - started).toBeLessThan(8_000);
  });

  test.each([
    ['before its first byte', { kind: 'stall' }],
    ['in its body', { kind: 'stall', after: 5 }],
    ['slow as a drip', { kind: 'bandwidth', bytesPerSecond: 1 }],
    ['late', { kind: 'delay', milliseconds: 60_000 }],
  ] as const)('an answer that hangs %s ends at the deadline', async (_name, fault) => {
    await emulator.setFaults([{ operation: ask.operation, fault }]);
    const started = performance.now();
    const result = await ask.run(600);
    expect(performance.now() - started).toBeLessThan(8_000);
    expect(result).toMatchObject({
      problem: { code: 'network.timeout' },
    });
  });

  test('cancelled in the middle of an answer that hangs, and of a wait', async () => {
    for (const fault of [
      { kind: 'stall', after: 5 },
      { kind: 'status', status: 503, retryAfter: 30 },
    ] as const) {
      await emulator.setFaults([{ operation: ask.operation, fault }]);
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 400);
      const started = performance.now();
      const result = await ask.run(60_000, controller.signal);
      expect(result).toMatchObject({ problem: { code: 'job.cancelled' } });
      expect(performance.now() - started).toBeLessThan(8_000);
    }
  });

  test.each([
    ['a page in place of the answer', { kind: 'status', status: 200, body: '<html>Sign in' }],
    ['a redirect', { kind: 'status', status: 302, body: '<html>Sign in' }],
    ['an answer whose end is missing', { kind: 'short-body', bytes: 20 }],
    ['an answer with something after its end', { kind: 'long-body', bytes: 20 }],
  ] as const)('%s is final and told: nothing of it is believed', async (_name, fault) => {
    await emulator.setFaults([{ operation: ask.operation, fault }]);
    let result: Result<unknown> | undefined;
    expect(await requestsOf(ask, async () => (result = await ask.run(10_000)))).toBe(1);
    expect(result).toMatchObject({
      ok: false,
      problem: { code: 'network.unexpected-answer', retryable: false },
    });
  });

  test('latency and little bandwidth are only slow', async () => {
    await emulator.setFaults([
      { operation: ask.operation, fault: { kind: 'latency', milliseconds: 300, spread: 200 } },
      { operation: ask.operation, fault: { kind: 'bandwidth', bytesPerSecond: 2_000 } },
    ]);
    expect(await requestsOf(ask, async () => check(ask, await ask.run(10_000)))).toBe(1);
  });
});

describe.each([list, metadata])('$operation: what is final', (ask) => {
  test.each([
    [400, 'storage.refused'],
    [403, /^access\./],
    [404, ask === list ? 'input.bucket-not-found' : 'storage.object-not-found'],
    [409, 'storage.conflict'],
    [410, 'storage.gone'],
    [412, 'storage.exists'],
    [416, 'storage.range'],
  ])('%i is not repeated, and explained', async (status, code) => {
    await emulator.setFaults([{ operation: ask.operation, fault: { kind: 'status', status } }]);
    let result: Result<unknown> | undefined;
    expect(await requestsOf(ask, async () => (result = await ask.run(10_000)))).toBe(1);
    const problem = result?.ok === false ? result.problem : null;
    expect(problem?.code).toMatch(code);
    expect([problem?.retryable, problem?.message !== '', problem?.hint !== '']).toEqual([
      false,
      true,
      true,
    ]);
  });

  test('a 403 that only says too fast is tried again', async () => {
    const fault = { kind: 'status', status: 403, reason: 'rateLimitExceeded' } as const;
    await emulator.setFaults([{ operation: ask.operation, first: 1, fault }]);
    expect(await requestsOf(ask, async () => check(ask, await ask.run(10_000)))).toBe(2);
  });

  test('an expired token is replaced once, at once; a second refusal is final', async () => {
    await emulator.setFaults([
      { operation: ask.operation, first: 1, fault: { kind: 'expired-token' } },
    ]);
    expect(await requestsOf(token, async () => check(ask, await ask.run(10_000)))).toBe(2);
    await emulator.setFaults([{ operation: ask.operation, fault: { kind: 'expired-token' } }]);
    let result: Result<unknown> | undefined;
    expect(await requestsOf(ask, async () => (result = await ask.run(10_000)))).toBe(2);
    expect(result).toMatchObject({ problem: { code: 'access.token-refused', retryable: false } });
    expect(JSON.stringify(result)).not.toContain('ya29');
  });
});

describe('the clock', () => {
  test.each([
    [11_400, /is 3 hours behind Google/],
    [-11_400, /is 3 hours ahead of Google/],
  ])('of the server %i s off: refused once, told by how much', async (seconds, sentence) => {
    await emulator.setFaults([{ operation: 'token', fault: { kind: 'clock', seconds } }]);
    let result: Result<unknown> | undefined;
    expect(await requestsOf(token, async () => (result = await token.run(10_000)))).toBe(1);
    expect(result).toMatchObject({ problem: { code: 'access.clock', retryable: false } });
    expect(result?.ok === false ? result.problem.message : '').toMatch(sentence);
  });

  test('a little off is no matter', async () => {
    await emulator.setFaults([{ fault: { kind: 'clock', seconds: 40 } }]);
    for (const ask of asks) check(ask, await ask.run(10_000));
  });
});

test('a disturbed answer of the token endpoint is never shown: no token in any problem', async () => {
  await emulator.setFaults([{ operation: 'token', fault: { kind: 'short-body', bytes: 3 } }]);
  const result = await token.run(5_000);
  expect(result.ok).toBe(false);
  expect(JSON.stringify(result)).not.toMatch(/ya29|eyJ/);
});

test('a fifth of all requests fails, in every way: everything arrives all the same', async () => {
  const faults: readonly Fault[] = [
    { kind: 'status', status: 503 },
    { kind: 'reset', of: 'request' },
    { kind: 'lost-answer' },
    { kind: 'expired-token' },
  ];
  await emulator.setFaults(
    faults.map((fault, seed) => ({ probability: 0.05, seed: seed + 1, fault })),
  );
  const results = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const ask = asks[index % asks.length] ?? token;
      return [ask, await ask.run(60_000)] as const;
    }),
  );
  for (const [ask, result] of results) check(ask, result);
  const fired = (await emulator.firedFaults()).reduce((sum, rule) => sum + rule.fired, 0);
  expect(fired).toBeGreaterThan(2);
}, 70_000);
