import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { cancelledProblem, exchange } from '../../../src/google/http.ts';
import { waitForNetwork } from '../../../src/google/network-time.ts';
import type { RetryNews } from '../../../src/google/retry.ts';
import { withinAnswerTime } from '../../../src/main/buckets/answer-time.ts';
import { fail, ok, problem, type Result } from '../../../src/shared/problem.ts';
import { problemOf, valueOf } from '../temp.ts';

const about = { op: 'list objects', subject: 'gs://a-bucket/' };
const unreachable = problem({
  ...about,
  code: 'network.unreachable',
  message: 'storage.googleapis.com cannot be reached.',
  retryable: true,
});
/** Nobody answers: it ends with its signal alone. */
const silent = (signal: AbortSignal): Promise<Result<never>> =>
  waitForNetwork(
    () =>
      new Promise((resolve) =>
        signal.addEventListener('abort', () => resolve(fail(cancelledProblem(about)))),
      ),
  );

test('an answer in time is the answer', async () => {
  const asked = { ...about, signal: new AbortController().signal, onRetry: () => undefined };
  expect(valueOf(await withinAnswerTime(asked, async () => ok(1)))).toBe(1);
  expect(problemOf(await withinAnswerTime(asked, async () => fail(unreachable)))).toBe(unreachable);
});

test('when the time is up, the last attempt is the answer, and every attempt was told', async () => {
  const told: number[] = [];
  const asked = {
    ...about,
    signal: new AbortController().signal,
    onRetry: ({ number }: RetryNews) => told.push(number),
    timeMs: 40,
  };
  const late = await withinAnswerTime(asked, ({ signal, onRetry, deadlineMs }) => {
    expect(deadlineMs).toBe(40);
    for (const number of [1, 2]) onRetry({ problem: unreachable, waitMs: 10, number });
    return silent(signal);
  });
  expect(told).toEqual([1, 2]);
  expect(problemOf(late)).toMatchObject({
    code: 'network.unreachable',
    message: 'storage.googleapis.com cannot be reached. Tried 3 times in 1 s.',
  });
  const never = await withinAnswerTime(asked, ({ signal }) => silent(signal));
  expect(problemOf(never)).toMatchObject({ code: 'network.timeout', retryable: true });
});

test('what this machine does by itself is no silence of Google, and a slow answer is', async () => {
  const signal = new AbortController().signal;
  const asked = { ...about, signal, onRetry: () => undefined, timeMs: 1_500 };
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const server = createServer((_, response) => void pause(800).then(() => response.end('here')));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const request = (bounds: { readonly signal: AbortSignal }) =>
    exchange(
      `http://127.0.0.1:${port}/`,
      { method: 'GET', headers: {} },
      { ...about, signal: bounds.signal, timeoutMs: 10_000 },
    ).then((sent) => (sent.ok ? ok(sent.answer.text) : fail(sent.problem)));
  try {
    const slowHere = await withinAnswerTime(asked, async (bounds) => {
      await pause(1_600);
      return request(bounds);
    });
    expect(slowHere).toEqual(ok('here'));
    const slowThere = await withinAnswerTime(asked, async (bounds) => {
      await request(bounds);
      return request(bounds);
    });
    expect(problemOf(slowThere)).toMatchObject({ code: 'network.timeout' });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a question that is taken back was cancelled, and is no silence of Google', async () => {
  const controller = new AbortController();
  const asked = { ...about, signal: controller.signal, onRetry: () => undefined };
  const answer = withinAnswerTime(asked, ({ signal }) => silent(signal));
  controller.abort();
  expect(problemOf(await answer).code).toBe('job.cancelled');
});
