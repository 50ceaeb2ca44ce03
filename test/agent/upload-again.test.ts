import { rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { manifestSchema, type Manifest } from '../../src/shared/manifest.ts';
import type { JobPlan } from '../../src/shared/plan.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { openAccount, openAdmin, type Admin, type TestAccount } from './google.ts';
import { makeWorld, type TestRun, type World } from './harness.ts';

vi.setConfig({ testTimeout: 60_000 });

let world: World;
let emulator: RunningEmulator;
/** May create, and nothing else. */
let creator: TestAccount;
/** May create and look. */
let viewer: TestAccount;
let admin: Admin;

beforeAll(async () => {
  world = await makeWorld();
  emulator = await startEmulator({
    accounts: [{ name: 'creator' }, { name: 'viewer' }, { name: 'boss' }],
    admins: [emailOf('boss')],
    grants: [
      `${emailOf('creator')}=roles/storage.objectCreator@outputs`,
      `${emailOf('viewer')}=roles/storage.objectCreator@outputs`,
      `${emailOf('viewer')}=roles/storage.objectViewer@outputs`,
    ],
  });
  creator = openAccount(emulator, 'creator');
  viewer = openAccount(emulator, 'viewer');
  admin = openAdmin(openAccount(emulator, 'boss'), emulator.url);
  await admin.makeBucket('outputs');
});
afterEach(() => emulator.setFaults([]));
afterAll(async () => {
  await world.remove();
  await emulator.stop();
});

async function job(
  name: string,
  account: TestAccount,
  workers: string[],
  fields: Partial<NonNullable<JobPlan['output']>> = {},
): Promise<TestRun> {
  return world.run({
    endpoints: account.endpoints,
    workers,
    output: {
      address: 'gs://outputs/results',
      bucket: 'outputs',
      prefix: `results/${name}/`,
      manifest: `results/${name}/manifest.json`,
      layout: 'per-run',
      archive: false,
      account: account.account,
      ...fields,
    },
  });
}

const below = async (name: string): Promise<string[]> =>
  (await admin.names('outputs'))
    .filter((one) => one.startsWith(`results/${name}/`))
    .map((one) => one.slice(`results/${name}/`.length))
    .toSorted();

const manifestOf = (run: TestRun): Manifest =>
  manifestSchema.parse(JSON.parse(run.read('manifest.json')));

const generations = (run: TestRun): Record<string, string | null> =>
  Object.fromEntries(
    manifestOf(run).objects.map(({ name, generation }) => [
      name.split('/').at(-1) ?? '',
      generation,
    ]),
  );

const uploadAgain = async (run: TestRun, account: TestAccount) =>
  run.begin({ ...(await account.secrets('write')), uploadAgain: true });

const starts = (run: TestRun): number =>
  run.events().filter(({ kind }) => kind === 'worker-started').length;

const FILES = 'cd "$TRAINYARD_OUTPUT_PATH"; for n in a b c d e; do echo $n > $n; done';

test('what somebody removed is made again, what is there stays as it is, what stands in the way is not overwritten', async () => {
  const run = await job('removed', viewer, [FILES]);
  await run.begin(await viewer.secrets('write'));
  expect(await run.ended()).toMatchObject({ state: 'finished' });
  const before = generations(run);
  for (const name of ['worker-0/a', 'worker-0/b', 'worker-0/c'])
    await admin.remove('outputs', `results/removed/${name}`);
  await admin.put('outputs', 'results/removed/worker-0/b', 'of somebody else');
  rmSync(run.at('output/worker-0/c'));

  await uploadAgain(run, viewer);
  expect(await run.ended(2)).toMatchObject({ state: 'finished', stage: null, problem: null });
  expect(starts(run)).toBe(1);
  expect(await run.waitFor('output-checked')).toMatchObject({ objects: 5, missing: 3 });
  expect(await below('removed')).toEqual([
    'attempt-2/worker-0/b',
    'manifest.attempt-2.json',
    'manifest.json',
    'worker-0/a',
    'worker-0/b',
    'worker-0/d',
    'worker-0/e',
  ]);
  expect(await admin.get('outputs', 'results/removed/worker-0/a')).toBe('a\n');
  expect(await admin.get('outputs', 'results/removed/worker-0/b')).toBe('of somebody else');
  expect(await admin.get('outputs', 'results/removed/attempt-2/worker-0/b')).toBe('b\n');
  const after = generations(run);
  expect(after).toMatchObject({ d: before['d'], e: before['e'] });
  expect(after['a']).not.toBe(before['a']);
  expect(after).not.toHaveProperty('c');
  expect(await admin.get('outputs', 'results/removed/manifest.attempt-2.json')).toBe(
    run.read('manifest.json'),
  );
  expect(await run.waitFor('warning')).toMatchObject({
    message: expect.stringContaining('results/removed/worker-0/c') as string,
  });

  // With nothing missing nothing is sent.
  await emulator.setFaults([
    { operation: 'upload-simple', fault: { kind: 'status', status: 403 } },
  ]);
  await uploadAgain(run, viewer);
  expect(await run.ended(3)).toMatchObject({ state: 'finished' });
});

test.each([
  { layout: 'per-run', archive: false, gone: 'worker-0/b' },
  { layout: 'exact', archive: false, gone: 'b' },
  { layout: 'per-run', archive: true, gone: 'worker-0.tar.gz' },
] as const)(
  'a key that may only create makes what is missing: $layout, archive $archive',
  async ({ layout, archive, gone }) => {
    const name = `created-${layout}-${archive}`;
    const run = await job(name, creator, [FILES], { layout, archive });
    await run.begin(await creator.secrets('write'));
    expect(await run.ended()).toMatchObject({ state: 'finished' });
    const all = await below(name);
    await admin.remove('outputs', `results/${name}/${gone}`);
    await admin.remove('outputs', `results/${name}/manifest.json`);
    await uploadAgain(run, creator);
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    expect(await below(name)).toEqual(all);
    expect(manifestOf(run).objects).toHaveLength(archive ? 1 : 5);
    expect(starts(run)).toBe(1);
  },
);

test('the output of a job that failed is uploaded whole without its worker, and the job stays failed', async () => {
  const run = await job('failed', viewer, [`${FILES}; exit 3`]);
  await emulator.setFaults([
    { operation: 'upload-simple', after: 2, fault: { kind: 'status', status: 403 } },
  ]);
  await run.begin(await viewer.secrets('write'));
  const first = await run.ended();
  expect(first).toMatchObject({ state: 'failed', stage: 'running' });
  expect((await below('failed')).length).toBeLessThan(5);
  await emulator.setFaults([]);
  await uploadAgain(run, viewer);
  const { state, stage, problem } = await run.ended(2);
  expect({ state, stage, problem }).toEqual({
    state: 'failed',
    stage: 'running',
    problem: first.problem,
  });
  expect(await below('failed')).toEqual(['a', 'b', 'c', 'd', 'e'].map((one) => `worker-0/${one}`));
  expect(starts(run)).toBe(1);
});

test('a run that has not ended, or has no output, is refused', async () => {
  const none = await world.run({ workers: ['true'] });
  expect(await none.start({ format: 1, tokens: [], keys: [], uploadAgain: true })).toMatchObject({
    started: false,
    problem: { code: 'input.nothing-to-upload' },
  });
});
