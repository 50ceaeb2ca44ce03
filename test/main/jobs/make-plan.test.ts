import { expect, test } from 'vitest';
import { GOOGLE_ENDPOINTS } from '../../../src/shared/endpoints.ts';
import { jobIdSchema, jobPlanSchema } from '../../../src/shared/plan.ts';
import type { JobSpec, JobSpecInput } from '../../../src/shared/job-spec.ts';
import { jobSpecSchema } from '../../../src/shared/job-spec.ts';
import {
  keysHandedOver,
  makePlan,
  newJobId,
  outputAddress,
  tokensNeeded,
  type Resolved,
} from '../../../src/main/jobs/make-plan.ts';
import { refuseGpus } from '../../../src/main/jobs/submit.ts';
import { accessEnds, isDue } from '../../../src/main/jobs/access.ts';
import { valueOf } from '../temp.ts';

const account = { keyId: 'k', name: 'lab', email: 'e', projectId: 'p', privateKeyId: 'i' };
const spec = (more: Partial<JobSpecInput>): JobSpec =>
  jobSpecSchema.parse({
    name: 'sweep',
    host: 'local',
    code: { dir: '.' },
    workers: ['a', 'b'],
    ...more,
  });
const resolved: Resolved = {
  id: '20260101-000000-abcdef',
  createdAt: '2026-01-01T00:00:00.000Z',
  application: '1',
  endpoints: GOOGLE_ENDPOINTS,
  code: { kind: 'dir', path: '/c' },
  input: null,
  outputAccount: null,
  workerAccounts: [],
};

test('ids sort by time and are safe in paths', () => {
  const first = newJobId(Date.UTC(2026, 0, 2, 3, 4, 5));
  expect(first.startsWith('20260102-030405-')).toBe(true);
  expect(jobIdSchema.safeParse(first).success).toBe(true);
  // Within one second too.
  const at = (milliseconds: number): string =>
    newJobId(Date.UTC(2026, 0, 2, 3, 4, 5, milliseconds));
  const ids = [0, 1, 9, 10, 35, 36, 999].map(at);
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(Array.from({ length: 10 }, () => newJobId(0))).size).toBe(10);
  expect(newJobId(37, () => new Uint8Array([255, 254, 0, 35, 36, 251]))).toBe(
    '19700101-000000-110z0z',
  );
});

test.each([
  [
    'gs://artifacts-bucket/results',
    'per-run',
    'results/sweep/20260101-000000-abcdef/',
    'results/sweep/20260101-000000-abcdef/manifest.json',
  ],
  [
    'gs://artifacts-bucket/results/',
    'per-run',
    'results/sweep/20260101-000000-abcdef/',
    'results/sweep/20260101-000000-abcdef/manifest.json',
  ],
  [
    'gs://artifacts-bucket',
    'per-run',
    'sweep/20260101-000000-abcdef/',
    'sweep/20260101-000000-abcdef/manifest.json',
  ],
  [
    'gs://artifacts-bucket/results',
    'exact',
    'results/',
    'results/trainyard-20260101-000000-abcdef.manifest.json',
  ],
  ['gs://artifacts-bucket', 'exact', '', 'trainyard-20260101-000000-abcdef.manifest.json'],
] as const)('%s with layout %s goes to %s', (gcs, layout, prefix, manifest) => {
  const plan = valueOf(makePlan(spec({ output: { gcs, layout } }), resolved));
  expect(plan.output).toMatchObject({ address: gcs, bucket: 'artifacts-bucket', prefix, manifest });
  expect(outputAddress(plan)).toBe(`gs://artifacts-bucket/${prefix}`);
  expect(jobPlanSchema.safeParse(JSON.parse(JSON.stringify(plan))).success).toBe(true);
});

test('a plan says which tokens and keys its agent is given, and no more', () => {
  const other = { ...account, keyId: 'w', name: 'worker' };
  const input = {
    kind: 'gcs' as const,
    address: 'gs://input-data-bucket/data',
    bucket: 'input-data-bucket',
    target: { kind: 'folder' as const, prefix: 'data/' },
    account,
  };
  const plan = valueOf(
    makePlan(
      spec({
        output: { gcs: 'gs://artifacts-bucket/results', key: 'lab' },
        workerKeys: [{ key: 'worker', mode: 'key-file' }],
      }),
      { ...resolved, input, outputAccount: account, workerAccounts: [other] },
    ),
  );
  expect(tokensNeeded(plan)).toEqual([
    { account, purpose: 'read' },
    { account, purpose: 'write' },
  ]);
  expect(tokensNeeded(plan, true)).toEqual([{ account, purpose: 'write' }]);
  expect(keysHandedOver(plan)).toEqual([other]);
  expect(keysHandedOver({ ...plan, unattended: true })).toEqual([account, other]);
  const handed = { ...plan, workerKeys: [{ account: other, mode: 'token' as const }] };
  expect(tokensNeeded(handed, true)).toEqual([
    { account, purpose: 'write' },
    { account: other, purpose: 'worker' },
  ]);
  expect(keysHandedOver(handed)).toEqual([]);
  expect(keysHandedOver({ ...handed, unattended: true })).toEqual([account, other]);
  const code = { kind: 'gcs', address: 'a', bucket: 'b', account: other } as const;
  const archive = { kind: 'archive', object: 'o.zip', format: 'zip' } as const;
  const fetched = { ...plan, code: { ...code, target: archive } };
  expect(tokensNeeded(fetched)).toEqual([
    { account: other, purpose: 'read' },
    { account, purpose: 'read' },
    { account, purpose: 'write' },
  ]);
  expect(tokensNeeded(fetched, true)).toEqual([{ account, purpose: 'write' }]);
  const same = { ...fetched, code: { ...fetched.code, account } };
  expect(tokensNeeded(same)).toEqual(tokensNeeded(plan));
  const bare = valueOf(makePlan(spec({}), resolved));
  expect(tokensNeeded(bare)).toEqual([]);
  expect(keysHandedOver(bare)).toEqual([]);
  expect(outputAddress(bare)).toBeNull();
});

test('too few cards are refused with what is there', () => {
  const gpu = {
    uuid: 'GPU-1',
    index: 0,
    name: 'NVIDIA A100',
    memoryTotal: 1,
    memoryUsed: 0,
    utilization: 0,
    temperature: 1,
    power: 1,
    processes: [],
  };
  const probe = (gpus: unknown) => ({ gpus }) as Parameters<typeof refuseGpus>[1];
  const cards = probe({ kind: 'gpus', driver: '1', gpus: [gpu, gpu] });
  expect(refuseGpus(spec({ resources: { gpus: 1 } }), cards)).toBeNull();
  const few = refuseGpus(spec({ resources: { gpus: 2 } }), cards);
  expect(few?.code).toBe('host.gpus');
  expect(few?.message).toBe(
    'The job asks for 4 GPUs (2 for each of 2 workers); this machine has 2 GPUs: NVIDIA A100, NVIDIA A100.',
  );
  expect(
    refuseGpus(
      spec({ workers: ['a'], resources: { gpus: 1 } }),
      probe({ kind: 'gpus', driver: null, gpus: [] }),
    )?.message,
  ).toBe('The job asks for 1 GPU; this machine has none.');
  expect(
    refuseGpus(spec({ resources: { gpus: 1 } }), probe({ kind: 'no-tool' }))?.message,
  ).toContain('no nvidia-smi');
  expect(
    refuseGpus(
      spec({ resources: { gpus: 1 } }),
      probe({ kind: 'broken', message: 'version mismatch' }),
    )?.message,
  ).toContain('version mismatch');
});

test('access is due in the last quarter of a token’s life', () => {
  const record = {
    format: 1 as const,
    tokens: [
      { keyId: 'a', purpose: 'read' as const, issuedAt: 0, expiresAt: 3_600_000 },
      { keyId: 'a', purpose: 'write' as const, issuedAt: 0, expiresAt: 4_000_000 },
    ],
  };
  expect(isDue(record, 2_600_000)).toBe(false);
  expect(isDue(record, 2_700_000)).toBe(true);
  expect(accessEnds(record)).toBe(3_600_000);
  expect(accessEnds(null)).toBeNull();
  expect(isDue({ format: 1, tokens: [] }, 1)).toBe(false);
});

test.each([
  [{}, undefined, 20],
  [{ stop: { signal: 'SIGINT', grace: '60s' } }, 'SIGINT', 60],
  [{ stop: { grace: '5m' } }, 'SIGTERM', 300],
  [{ stop: { grace: '1h' } }, 'SIGTERM', 3_600],
  [{ stop: { grace: 90 } }, 'SIGTERM', 90],
] as const)('%j: workers are asked by %s, and have %d s', (fields, signal, seconds) => {
  const plan = valueOf(makePlan(spec(fields), resolved));
  expect([plan.stopSignal, plan.stopGraceSeconds]).toEqual([signal, seconds]);
});
