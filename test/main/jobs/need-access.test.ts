import { expect, it } from 'vitest';
import { needsAccess } from '../../../src/main/jobs/need-access.ts';
import { transferPlaces } from '../../../src/main/jobs/transfer-places.ts';
import { initialStatus, type JobStatus } from '../../../src/shared/job-status.ts';
import type { JobPlan, TransferPlan } from '../../../src/shared/plan.ts';
import type { JobView } from '../../../src/shared/views.ts';

const view = (change: Partial<JobStatus>): JobView => {
  const status: JobStatus = { ...initialStatus(1), state: 'running', ...change };
  return { state: status.state, status } as JobView;
};
const account = {
  keyId: 'k',
  name: 'trainer',
  email: 't@p.iam.gserviceaccount.com',
  projectId: 'p',
  privateKeyId: 'x',
};
const plan = (change: object): JobPlan =>
  ({
    kind: 'training',
    unattended: false,
    code: { kind: 'dir', path: '/c' },
    input: null,
    output: null,
    workerKeys: [],
    ...change,
  }) as unknown as JobPlan;

it('a run needs access while something is to be done with tokens that its agent cannot renew', () => {
  const output = { output: { account } };
  const input = { input: { kind: 'gcs', account } };
  const staged = {
    stages: initialStatus(1).stages.map((stage) =>
      stage.stage === 'staging' ? { ...stage, state: 'done' as const } : stage,
    ),
  };
  expect(needsAccess(view({}), plan({}))).toBe(false);
  expect(needsAccess(view({}), plan(output))).toBe(true);
  expect(needsAccess(view({}), plan({ ...output, unattended: true }))).toBe(false);
  expect(needsAccess(view({}), plan({ output: { account: null } }))).toBe(false);
  expect(needsAccess(view({}), plan(input))).toBe(true);
  expect(needsAccess(view(staged), plan(input))).toBe(false);
  expect(needsAccess(view({ state: 'finished' }), plan(output))).toBe(false);
});

it('the places of a transfer are told as they are in the bucket and on the disk', () => {
  const transfer = (change: object) =>
    transferPlaces({
      bucket: 'b',
      path: '/data',
      names: null,
      target: null,
      prefix: null,
      ...change,
    } as unknown as TransferPlan);
  const target = { kind: 'folder', prefix: 'pictures/' };
  expect(transfer({ direction: 'download', target })).toEqual({
    direction: 'download',
    address: 'gs://b/pictures/',
    local: '/data',
  });
  const upload = { direction: 'upload', prefix: 'up/' };
  expect(transfer({ ...upload, names: ['a.txt'] }).local).toBe('/data/a.txt');
  expect(transfer({ ...upload, names: ['a', 'b', 'c'] })).toEqual({
    direction: 'upload',
    address: 'gs://b/up/',
    local: '/data (3 entries)',
  });
});
