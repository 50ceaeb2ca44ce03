import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TokenSource } from '../../src/google/access-token.ts';
import { parseRetryAfter } from '../../src/google/http.ts';
import { backoffMs, RETRY, withRetry, type Attempt } from '../../src/google/retry.ts';
import { ok, problem } from '../../src/shared/problem.ts';
import { fc } from '../support/properties.ts';

const signal = new AbortController().signal;
const busy = (extra: { retryAfterMs?: number } = {}): Attempt<string> => ({
  ok: false,
  problem: problem({
    code: 'network.server-busy',
    op: 'ask',
    subject: 'gs://b/',
    message: 'It answered 503.',
    retryable: true,
  }),
  ...extra,
});
const refused: Attempt<string> = {
  ok: false,
  problem: problem({ code: 'access.get-refused', op: 'ask', subject: 'gs://b/', message: 'No.' }),
};
const unauthorized: Attempt<string> = {
  ok: false,
  problem: problem({ code: 'access.token-refused', op: 'ask', subject: 'x', message: 'No.' }),
  unauthorized: true,
};

function tokenSource(): TokenSource & { readonly asked: (string | undefined)[] } {
  const asked: (string | undefined)[] = [];
  let number = 1;
  return {
    asked,
    email: 'a@b.iam.gserviceaccount.com',
    token: async (options) => {
      asked.push(options?.refused);
      if (options?.refused === `token-${number}`) number += 1;
      return ok({ token: `token-${number}`, expiresAt: Date.now() + 60_000 });
    },
  };
}

describe('withRetry', () => {
  // Nothing here waits: the clock jumps to whatever comes next, as soon as nothing else is to be done.
  beforeEach(() => {
    vi.useFakeTimers().setTimerTickMode('nextTimerAsync');
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('goes on until an attempt succeeds, and waits longer each time', async () => {
    const waits: number[] = [];
    let attempts = 0;
    const result = await withRetry(
      'ask',
      async ({ number, token }) => {
        attempts += 1;
        expect(number).toBe(attempts);
        expect(token).toBe(null);
        return attempts < 3 ? busy() : { ok: true, value: 'done' };
      },
      { signal, random: () => 0, onRetry: ({ waitMs }) => waits.push(waitMs) },
    );
    expect(result).toEqual({ ok: true, value: 'done' });
    expect(waits).toEqual([RETRY.firstWaitMs / 2, RETRY.firstWaitMs]);
  });

  test('never repeats what is final', async () => {
    let attempts = 0;
    const result = await withRetry(
      'ask',
      async () => {
        attempts += 1;
        return refused;
      },
      { signal },
    );
    expect(attempts).toBe(1);
    expect(result).toMatchObject({ ok: false, problem: { code: 'access.get-refused' } });
  });

  test('gives up after the attempts, and says how long it tried', async () => {
    let attempts = 0;
    const result = await withRetry(
      'ask',
      async () => {
        attempts += 1;
        return busy();
      },
      { signal, maxAttempts: 2, random: () => 0 },
    );
    expect(attempts).toBe(2);
    expect(result).toMatchObject({
      problem: { message: 'It answered 503. Tried 2 times in 1 s.', retryable: true },
    });
  });

  test('does not wait past its deadline, also when the server asks for it', async () => {
    const started = performance.now();
    let attempts = 0;
    await withRetry(
      'ask',
      async () => {
        attempts += 1;
        return busy({ retryAfterMs: 3_600_000 });
      },
      { signal, deadlineMs: 1_000 },
    );
    expect(attempts).toBe(1);
    expect(performance.now() - started).toBeLessThan(950);
  });

  test('says how long the server asks to wait where that is too long', async () => {
    const result = await withRetry('ask', async () => busy({ retryAfterMs: 300_000 }), {
      signal,
      deadlineMs: 1_000,
      minAttempts: 3,
    });
    expect(result).toMatchObject({
      problem: { message: 'It answered 503. It asks to wait 300 s before it is tried again.' },
    });
  });

  test('makes the least number of attempts, however long one takes', async () => {
    let attempts = 0;
    const slow = async (): Promise<Attempt<string>> => {
      attempts += 1;
      await new Promise((resolve) => setTimeout(resolve, 30));
      return attempts < 3 ? busy() : { ok: true, value: 'done' };
    };
    const options = { signal, deadlineMs: 500, random: () => 0 };
    // Each wait alone would fit.
    const result = await withRetry('ask', slow, { ...options, minAttempts: 3 });
    expect(result).toEqual({ ok: true, value: 'done' });
    attempts = 0;
    expect(await withRetry('ask', slow, options)).toMatchObject({ ok: false });
  });

  test('ends at once when it is cancelled while it waits', async () => {
    const controller = new AbortController();
    const started = performance.now();
    setTimeout(() => controller.abort(), 50);
    const result = await withRetry('ask', async () => busy({ retryAfterMs: 20_000 }), {
      signal: controller.signal,
    });
    expect(result).toMatchObject({ problem: { code: 'job.cancelled' } });
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test('a refused token is replaced once, without a wait', async () => {
    const tokens = tokenSource();
    const sent: (string | null)[] = [];
    const result = await withRetry(
      'ask',
      async ({ token }) => {
        sent.push(token);
        return sent.length === 1 ? unauthorized : { ok: true, value: 'done' };
      },
      { signal, tokens },
    );
    expect(result.ok).toBe(true);
    expect(sent).toEqual(['token-1', 'token-2']);
    expect(tokens.asked).toEqual([undefined, 'token-1']);
  });

  test('a second refusal is final, and names the account', async () => {
    let attempts = 0;
    const result = await withRetry(
      'ask',
      async () => {
        attempts += 1;
        return unauthorized;
      },
      { signal, tokens: tokenSource() },
    );
    expect(attempts).toBe(2);
    expect(result).toMatchObject({ problem: { code: 'access.token-refused' } });
    expect(JSON.stringify(result)).toContain('a@b.iam.gserviceaccount.com');
    expect(JSON.stringify(result)).not.toContain('token-1');
  });

  test('the time of waiting for access is not its own', async () => {
    let attempts = 0;
    const source: TokenSource = {
      email: null,
      token: async () => {
        await new Promise((resolve) => setTimeout(resolve, 700));
        return ok({ token: 'late', expiresAt: Date.now() + 60_000 });
      },
    };
    const result = await withRetry(
      'ask',
      async () => {
        attempts += 1;
        return attempts < 3 ? busy() : { ok: true, value: 'done' };
      },
      { signal, tokens: source, deadlineMs: 1_000, random: () => 0 },
    );
    expect(result).toEqual({ ok: true, value: 'done' });
    expect(attempts).toBe(3);
  });

  test('what is told of the tries leaves the time of waiting for access out', async () => {
    const source: TokenSource = {
      email: null,
      token: async () => {
        await new Promise((resolve) => setTimeout(resolve, 900));
        return ok({ token: 'late', expiresAt: Date.now() + 60_000 });
      },
    };
    const result = await withRetry('ask', async () => busy(), {
      signal,
      tokens: source,
      maxAttempts: 2,
      random: () => 0,
    });
    expect(result).toMatchObject({
      problem: { message: 'It answered 503. Tried 2 times in 1 s.' },
    });
  });

  test('a problem of the token source ends it', async () => {
    const source: TokenSource = {
      email: null,
      token: async () => ({ ok: false, problem: refused.problem }),
    };
    const result = await withRetry('ask', async () => busy(), { signal, tokens: source });
    expect(result).toMatchObject({ problem: { code: 'access.get-refused' } });
  });
});

test('waits stay within their bounds and honour the server', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.option(fc.integer({ min: 0, max: 100_000 })),
      (number, random, retryAfter) => {
        const wait = backoffMs(number, () => random, retryAfter);
        expect(wait).toBeGreaterThanOrEqual(RETRY.firstWaitMs / 2);
        expect(wait).toBeGreaterThanOrEqual(retryAfter ?? 0);
        expect(wait).toBeLessThanOrEqual(Math.max(RETRY.longestWaitMs, retryAfter ?? 0));
      },
    ),
  );
});

test('Retry-After is read as seconds or as a date', () => {
  const now = Date.parse('2026-11-23T14:00:00Z');
  expect(parseRetryAfter('7', now)).toBe(7_000);
  expect(parseRetryAfter('Mon, 23 Nov 2026 14:00:30 GMT', now)).toBe(30_000);
  expect(parseRetryAfter('Mon, 23 Nov 2026 13:00:00 GMT', now)).toBe(0);
  for (const nonsense of ['', 'soon', '-5', '1e3', '99999999999', null, undefined])
    expect(parseRetryAfter(nonsense, now)).toBe(null);
});
