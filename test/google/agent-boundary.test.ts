import { expect, test } from 'vitest';
import { readBoundary } from '../../src/emulator/iam/boundary.ts';
import { agentBoundary } from '../../src/google/agent-boundary.ts';
import { isExpressible } from '../../src/google/grants.ts';
import type { Account } from '../../src/shared/key.ts';
import type { InputTarget, JobPlan, RunPlan, TransferPlan } from '../../src/shared/plan.ts';
import { fc } from '../support/properties.ts';

const account = (keyId: string): Account => ({
  keyId,
  name: keyId,
  email: `${keyId}@p.iam.gserviceaccount.com`,
  projectId: 'p',
  privateKeyId: 'x',
});
const from = (bucket: string, target: InputTarget, key: string) => ({
  kind: 'gcs' as const,
  address: `gs://${bucket}/`,
  bucket,
  target,
  account: account(key),
});
const job = (fields: Partial<JobPlan>): RunPlan =>
  ({ kind: 'training', code: { kind: 'empty' }, input: null, output: null, ...fields }) as JobPlan;
const output = (prefix: string, key: string): JobPlan['output'] => ({
  address: 'gs://out/',
  bucket: 'out',
  prefix,
  manifest: `${prefix}manifest.json`,
  layout: 'per-run',
  archive: false,
  account: account(key),
});

/** What each rule allows and where, in short. */
const rulesOf = (plan: RunPlan, keyId: string, purpose: 'read' | 'write') =>
  agentBoundary(plan, keyId, purpose)?.boundary.rules.map(
    ({ availableResource, availablePermissions, availabilityCondition }) => [
      availableResource.split('/').at(-1),
      availablePermissions[0]?.split('.').at(-1),
      availabilityCondition?.expression ?? 'all of it',
    ],
  );

test('a token to read reaches code and input of its key; one to write the output, and reads there what it made', () => {
  const plan = job({
    code: from('code', { kind: 'archive', object: 'c/code.tar.gz', format: 'tar.gz' }, 'a'),
    input: from('in', { kind: 'folder', prefix: 'data/' }, 'a'),
    output: output('results/job/1/', 'a'),
  });
  const list = "api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith";
  const below = (bucket: string, prefix: string) =>
    `resource.name.startsWith('projects/_/buckets/${bucket}/objects/${prefix}')`;
  expect(rulesOf(plan, 'a', 'read')).toEqual([
    ['code', 'objectViewer', "resource.name == 'projects/_/buckets/code/objects/c/code.tar.gz'"],
    ['in', 'objectViewer', `${below('in', 'data/')} || ${list}('data/')`],
  ]);
  expect(rulesOf(plan, 'a', 'write')).toEqual([
    [
      'out',
      'objectCreator',
      // Where folders are resources of their own, the first object makes them.
      [
        below('out', 'results/job/1/'),
        "resource.name.startsWith('projects/_/buckets/out/folders/results/job/1/')",
        "resource.name == 'projects/_/buckets/out/folders/results/'",
        "resource.name == 'projects/_/buckets/out/folders/results/job/'",
      ].join(' || '),
    ],
    ['out', 'objectViewer', `${below('out', 'results/job/1/')} || ${list}('results/job/1/')`],
  ]);
});

test('each key reaches its own part of a run, and one without a part nothing', () => {
  const plan = job({
    code: from('code', { kind: 'folder', prefix: '' }, 'a'),
    input: from('in', { kind: 'object', object: 'x.csv' }, 'b'),
    output: output('r/', 'c'),
  });
  expect(rulesOf(plan, 'a', 'read')).toEqual([['code', 'objectViewer', 'all of it']]);
  expect(rulesOf(plan, 'b', 'read')?.map(([bucket]) => bucket)).toEqual(['in']);
  expect(agentBoundary(plan, 'c', 'read')).toBeNull();
  expect(agentBoundary(plan, 'a', 'write')).toBeNull();
});

test('a transfer reaches what it fetches, or where it puts it', () => {
  const transfer = (fields: Partial<TransferPlan>): RunPlan =>
    ({
      kind: 'transfer',
      bucket: 'b',
      account: account('a'),
      target: null,
      prefix: null,
      ...fields,
    }) as TransferPlan;
  const target = { kind: 'object' as const, object: 'a.txt' };
  const download = transfer({ direction: 'download', target });
  expect(rulesOf(download, 'a', 'read')).toEqual([
    ['b', 'objectViewer', "resource.name == 'projects/_/buckets/b/objects/a.txt'"],
  ]);
  expect(agentBoundary(download, 'a', 'write')).toBeNull();
  const upload = transfer({ direction: 'upload', prefix: 'up/' });
  expect(rulesOf(upload, 'a', 'write')?.map(([, role]) => role)).toEqual([
    'objectCreator',
    'objectViewer',
  ]);
});

test('a name that no expression can hold is refused to nobody: the boundary is its beginning, and says so', () => {
  const plan = job({ input: from('in', { kind: 'object', object: "data/it's.csv" }, 'a') });
  expect(agentBoundary(plan, 'a', 'read')?.wider).toEqual(['gs://in/data/it']);
  expect(rulesOf(plan, 'a', 'read')?.[0]?.[2]).toContain("objects/data/it')");
});

test('whatever a name is, the boundary of it can be read, and no piece of the name becomes code', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.boolean(), (name, folder) => {
      const target: InputTarget = folder
        ? { kind: 'folder', prefix: `${name}/` }
        : { kind: 'object', object: name };
      const made = agentBoundary(job({ input: from('inputs', target, 'a') }), 'a', 'read');
      const options = JSON.stringify({
        accessBoundary: { accessBoundaryRules: made?.boundary.rules },
      });
      const read = readBoundary(options, new Map());
      expect(read).toMatchObject({ ok: true });
      expect(made?.wider.length).toBe(isExpressible(name) ? 0 : 1);
    }),
  );
});
