import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { batchChanges } from '../../src/main/ipc/changes.ts';

const unexpected = (error: unknown) => {
  throw error;
};

it('tells many changes at once, each job once', async () => {
  const told: (readonly string[])[] = [];
  const batcher = batchChanges(20, async (ids) => void told.push(ids), unexpected);
  for (let round = 0; round < 50; round += 1) for (const id of ['a', 'b']) batcher.add(id);
  await wait(80);
  expect(told).toEqual([['a', 'b']]);
  batcher.close();
});

it('keeps what comes while it tells for the next time, also after a failure', async () => {
  const told: (readonly string[])[] = [];
  const bugs: unknown[] = [];
  const batcher = batchChanges(
    5,
    async (ids) => {
      told.push(ids);
      if (told.length === 1) batcher.add('later');
      await wait(10);
      if (told.length === 1) throw new Error('first');
    },
    (error) => void bugs.push(error),
  );
  batcher.add('first');
  await expect.poll(() => told).toEqual([['first'], ['later']]);
  expect(bugs).toHaveLength(1);
  batcher.close();
});

it('is silent once closed', async () => {
  const told: (readonly string[])[] = [];
  const batcher = batchChanges(5, async (ids) => void told.push(ids), unexpected);
  batcher.add('a');
  batcher.close();
  batcher.add('b');
  await wait(30);
  expect(told).toEqual([]);
});
