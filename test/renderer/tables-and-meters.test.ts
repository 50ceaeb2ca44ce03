import { expect, test } from 'vitest';
import { copiesOf } from '../../src/renderer/app/copies.ts';
import { isBucketOrder, sortRows } from '../../src/renderer/features/buckets/object-view.ts';
import type { Row } from '../../src/renderer/features/buckets/rows.ts';
import { canUploadAgain } from '../../src/renderer/features/jobs/job-view-model.ts';
import { initialStatus, type JobStatus } from '../../src/shared/job-status.ts';
import type { JobView } from '../../src/shared/views.ts';

function job(change: Partial<JobStatus>, fields: Partial<JobView> = {}): JobView {
  const status = { ...initialStatus(1), ...change };
  return {
    id: 'j',
    name: 'j',
    kind: 'training',
    host: 'local',
    createdAt: '2026-11-21T09:00:00.000Z',
    state: status.state,
    agent: { pid: 1 },
    workers: status.workers.map((worker) => ({ ...worker, starts: 1 })),
    runDirectory: '/runs',
    output: 'gs://b/p/',
    status,
    ...fields,
  };
}

const copying = (bytesPerSecond: number, fields: Partial<JobView> = {}): JobView =>
  job(
    {
      state: 'staging',
      stages: [
        {
          stage: 'staging',
          state: 'active',
          startedAt: null,
          endedAt: null,
          progress: {
            bytes: 1,
            bytesTotal: 2,
            objects: 0,
            objectsTotal: 1,
            bytesPerSecond,
            secondsLeft: 1,
          },
        },
      ],
    },
    fields,
  );

test('what is copied now: live runs that fetch or upload, and their rates together', () => {
  const jobs = [copying(100), copying(50, { kind: 'transfer' }), job({ state: 'running' })];
  expect(copiesOf(jobs)).toEqual({ count: 2, bytesPerSecond: 150, hasTransfer: true });
  expect(copiesOf([copying(100, { agent: null })])).toEqual({
    count: 0,
    bytesPerSecond: 0,
    hasTransfer: false,
  });
});

test('an output is uploaded again once its job has ended, where a retry is not just that', () => {
  expect(canUploadAgain(job({ state: 'finished' }))).toBe(true);
  expect(canUploadAgain(job({ state: 'failed', failedStage: 'running' }))).toBe(true);
  expect(canUploadAgain(job({ state: 'failed', failedStage: 'uploading' }))).toBe(false);
  expect(canUploadAgain(job({ state: 'running' }))).toBe(false);
  expect(canUploadAgain(job({ state: 'finished' }, { output: null }))).toBe(false);
  expect(canUploadAgain(job({ state: 'failed' }, { workers: [] }))).toBe(false);
});

test('objects in another order; alike ones stay as the bucket has them', () => {
  const object = (label: string, size: number, updated: string): Row => ({
    kind: 'object',
    label,
    object: {
      name: label,
      size,
      updated,
      crc32c: '',
      generation: '1',
      contentType: null,
      contentEncoding: null,
      md5: null,
      componentCount: null,
    },
  });
  const rows: readonly Row[] = [
    object('a', 5, '2026-03'),
    { kind: 'folder', prefix: 'b/', label: 'b/' },
    object('c', 9, '2026-01'),
    object('d', 5, '2026-02'),
  ];
  const by = (column: 'name' | 'size' | 'changed', descending: boolean) =>
    sortRows(rows, { column, descending }).map(({ label }) => label);
  expect(by('name', false)).toEqual(['a', 'b/', 'c', 'd']);
  expect(by('name', true)).toEqual(['d', 'c', 'b/', 'a']);
  expect(by('size', true)).toEqual(['c', 'a', 'd', 'b/']);
  expect(by('changed', false)).toEqual(['b/', 'c', 'd', 'a']);
  expect(isBucketOrder({ column: 'name', descending: false })).toBe(true);
});
