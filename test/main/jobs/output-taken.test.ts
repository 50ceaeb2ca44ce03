import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Storage } from '@google-cloud/storage';
import { beforeAll, expect, test } from 'vitest';
import { mayClash } from '../../../src/main/jobs/output-taken.ts';
import type { Problem } from '../../../src/shared/problem.ts';
import type { RunningEmulator } from '../../emulator/start.ts';
import { valueOf } from '../temp.ts';
import { adminOf, ends, freshHome, google, job, submit, trainer } from './harness.ts';

test.each([
  [false, 1, 'model.bin', true],
  [false, 1, 'worker-0/model.bin', true],
  [false, 1, '', false],
  [false, 1, 'trainyard-20260101-000000-abcdef.manifest.json', false],
  [false, 1, 'trainyard-notes.manifest.json', true],
  [false, 2, 'model.bin', false],
  [false, 2, 'worker-1/model.bin', true],
  [false, 2, 'worker-2/model.bin', false],
  [false, 2, 'worker-01/model.bin', false],
  [false, 2, 'worker-1/', false],
  [false, 2, 'worker-1.tar.gz', false],
  [true, 1, 'worker-0.tar.gz', true],
  [true, 1, 'worker-1.tar.gz', false],
  [true, 1, 'worker-0/model.bin', false],
  [true, 2, 'worker-1.tar.gz.old', false],
])('archive %s, %i workers: %s may be in the way: %s', (archive, workers, name, clash) => {
  expect(mayClash({ archive }, workers, name)).toBe(clash);
});

let emulator: RunningEmulator;
let storage: Storage;
beforeAll(async () => {
  emulator = await google();
  storage = await adminOf(emulator);
  // The key may list only the first of two buckets.
  for (const bucket of ['listed-bucket', 'closed-bucket']) {
    await storage.createBucket(bucket);
    const members = [`serviceAccount:${trainer}`];
    const bindings = [
      { role: 'roles/storage.objectCreator', members },
      ...(bucket === 'listed-bucket' ? [{ role: 'roles/storage.objectViewer', members }] : []),
    ];
    const [policy] = await storage.bucket(bucket).iam.getPolicy({ requestedPolicyVersion: 3 });
    policy.bindings = [...policy.bindings, ...bindings];
    await storage.bucket(bucket).iam.setPolicy(policy);
    for (const name of ['results/a.txt', 'results/b.txt', 'elsewhere'])
      await storage.bucket(bucket).file(name).save('of before', { resumable: false });
  }
}, 60_000);

const output = (bucket: string, more: string): string =>
  `output: { gcs: gs://${bucket}/results, key: trainer${more} }\n`;

test('what is in the way of layout: exact is told before the start where the key may list, and never overwritten', async () => {
  const { base, open } = freshHome(emulator.environment);
  const services = await open();
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!));
  const warned = async (bucket: string, more: string): Promise<readonly Problem[]> => {
    const { id, warnings } = valueOf(
      await submit(services, base, job('true', output(bucket, more))),
    );
    await ends(services, id);
    return warnings;
  };
  expect(await warned('closed-bucket', ', layout: exact')).toEqual([]);
  expect(await warned('listed-bucket', '')).toEqual([]);
  expect(await warned('listed-bucket', ', layout: exact, archive: true')).toEqual([]);

  const command = 'cd $TRAINYARD_OUTPUT_PATH; echo new > a.txt; echo new > c.txt';
  const { id, warnings } = valueOf(
    await submit(services, base, job(command, output('listed-bucket', ', layout: exact'))),
  );
  // The archive and the manifests of the earlier jobs are there by now.
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatchObject({
    code: 'storage.exists',
    subject: 'gs://listed-bucket/results/',
  });
  expect(warnings[0]!.message).toMatch(/^There are already \d+ objects where this job writes/);
  expect(warnings[0]!.hint).not.toBe('');
  const view = await ends(services, id);
  expect(view).toMatchObject({ state: 'failed', status: { problem: { code: 'storage.exists' } } });
  const read = async (name: string): Promise<string> =>
    (await storage.bucket('listed-bucket').file(name).download()).toString();
  expect(await read('results/a.txt')).toBe('of before');
  expect(await read('results/c.txt')).toBe('new\n');

  await storage
    .bucket('listed-bucket')
    .file('results/worker-0.tar.gz')
    .save('of before', { resumable: false });
  const [archive] = await warned('listed-bucket', ', layout: exact, archive: true');
  expect(archive?.message).toBe(
    'gs://listed-bucket/results/worker-0.tar.gz exists already, where this job writes by layout: exact. Its upload will fail.',
  );
  expect(await read('results/worker-0.tar.gz')).toBe('of before');
}, 90_000);

test('the command line warns on stderr, and among the answers of --json', async () => {
  const home = freshHome(emulator.environment);
  const services = await home.open();
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!));
  writeFileSync(
    join(home.base, 'job.yaml'),
    job('true', output('listed-bucket', ', layout: exact')),
  );
  const program = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [program, 'run', 'job.yaml', '--detach', '--json'],
    { cwd: home.base, env: home.env, timeout: 60_000 },
  );
  expect(stderr).toMatch(/^Note: There are already \d+ objects where this job writes/m);
  const answer = JSON.parse(stdout) as { id: string; warnings: Problem[] };
  expect(answer.warnings.map(({ code }) => code)).toEqual(['storage.exists']);
  expect((await ends(services, answer.id)).state).toBe('finished');
}, 90_000);
