import { expect, it } from 'vitest';
import { tellWaiting } from '../../src/cli/waiting.ts';
import { problem } from '../../src/shared/problem.ts';

const about = { op: 'list', subject: 'gs://b', retryable: true } as const;
const gone = problem({ ...about, code: 'network.timeout', message: 'Nobody answered.' });
const busy = problem({ ...about, code: 'network.server-busy', message: 'It answered 503.' });

it('attempts that wait are told once, however many questions wait', () => {
  const notes: string[] = [];
  const waiting = tellWaiting({ note: (text) => notes.push(text) }, 60_000);
  for (const number of [1, 1, 2]) waiting.onRetry({ problem: gone, waitMs: 1, number });
  waiting.onRetry({ problem: busy, waitMs: 1, number: 3 });
  expect(notes).toEqual([
    'No answer yet, trying again (2)…',
    'No answer yet, trying again (3)…',
    'It answered 503, trying again (4)…',
  ]);
});

it('silence is told, and not where something came', async () => {
  const notes: string[] = [];
  const output = { note: (text: string) => notes.push(text) };
  tellWaiting(output, 20);
  tellWaiting(output, 20).arrived();
  await expect.poll(() => notes).toEqual(['No answer from Google yet…']);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(notes).toHaveLength(1);
});
