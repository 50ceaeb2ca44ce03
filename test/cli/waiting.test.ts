import { expect, it } from 'vitest';
import { tellWaiting } from '../../src/cli/waiting.ts';
import { waitForNetwork, whomToAwait } from '../../src/google/network-time.ts';
import { readProxy, type Route } from '../../src/google/routes.ts';
import { problem } from '../../src/shared/problem.ts';

const DIRECT: Route = { kind: 'direct' };
const about = { op: 'list', subject: 'gs://b', retryable: true } as const;
const gone = problem({ ...about, code: 'network.timeout', message: 'Nobody answered.' });
const busy = problem({ ...about, code: 'network.server-busy', message: 'It answered 503.' });

it('attempts that wait are told once, however many questions wait', () => {
  const notes: string[] = [];
  const waiting = tellWaiting({ note: (text) => notes.push(text) }, 60_000);
  for (const number of [1, 1, 2]) waiting.onRetry({ problem: gone, waitMs: 1, number });
  waiting.onRetry({ problem: busy, waitMs: 1, number: 3 });
  expect(notes).toEqual([
    'Nobody answered, trying again (2)…',
    'Nobody answered, trying again (3)…',
    'It answered 503, trying again (4)…',
  ]);
});

it('silence is told with whom it is of, once somebody is waited for', async () => {
  const notes: string[] = [];
  const output = { note: (text: string) => notes.push(text) };
  const waiting = tellWaiting(output, 1);
  tellWaiting(output, 1).arrived();
  let answer = (): void => undefined;
  const silent = new Promise<void>((resolve) => (answer = resolve));
  const whom = whomToAwait('https://storage.googleapis.com/storage/v1/b', 'list objects', DIRECT);
  const asked = waitForNetwork(() => silent, whom);
  await expect
    .poll(() => notes)
    .toEqual(['No answer yet from storage.googleapis.com (list objects)…']);
  answer();
  await asked;
  waiting.arrived();
});

it('who is waited for is named, with what was asked and the way there', () => {
  const proxy = readProxy('http://user:hunter2@proxy:3128', 'HTTPS_PROXY');
  const name = (address: string, route: Route) => whomToAwait(address, 'get a token', route);
  expect(name('https://oauth2.googleapis.com/token', proxy)).toBe(
    'oauth2.googleapis.com (get a token), through the proxy http://proxy:3128',
  );
  expect(name('http://127.0.0.1:4443/token', DIRECT)).toBe(
    'the emulated Google at 127.0.0.1:4443 (get a token)',
  );
});
