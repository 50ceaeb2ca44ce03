import { expect, it } from 'vitest';
import { isForJobs, usersOf, withCard } from '../../src/renderer/features/hosts/card-users.ts';
import { initialStatus } from '../../src/shared/job-status.ts';
import type { JobView } from '../../src/shared/views.ts';

const job = (state: JobView['state'], pid: number): JobView =>
  ({
    name: `job-${pid}`,
    state,
    workers: [
      {
        ...initialStatus(1).workers[0]!,
        state: 'running',
        pid,
        gpus: [{ uuid: 'GPU-a', index: 0, name: 'H100' }],
      },
    ],
  }) as unknown as JobView;

it('a card says both whose jobs and which processes of others are on it', () => {
  const known = [
    { pid: 11, user: 'us', command: 'python train.py', ancestors: [10, 1] },
    { pid: 20, user: 'maria', command: 'python serve.py', ancestors: [1] },
  ];
  const gpu = { uuid: 'GPU-a', processes: [11, 20, 30] };
  const { jobs, others } = usersOf(gpu, [job('running', 10), job('finished', 20)], known);
  expect(jobs.map(({ name }) => name)).toEqual(['job-10']);
  // 11 comes from a worker of ours; of 30 nothing is known.
  expect(others).toEqual(['process 20: maria, python serve.py', 'process 30']);
  expect(usersOf({ ...gpu, processes: [] }, [], [])).toEqual({ jobs: [], others: [] });
});

it('cards are chosen for jobs one by one, and all of them are no choice', () => {
  const [a, b] = [{ uuid: 'GPU-a' }, { uuid: 'GPU-b' }] as const;
  const part = { uuid: 'MIG-c', card: 'GPU-b' };
  expect(withCard([a, b], null, a, false)).toEqual(['GPU-b']);
  expect(withCard([a, b], ['GPU-b'], b, false)).toEqual([]);
  expect(withCard([a, b], ['GPU-b'], a, true)).toBeNull();
  expect([isForJobs(part, ['GPU-b']), isForJobs(part, ['GPU-a'])]).toEqual([true, false]);
});
