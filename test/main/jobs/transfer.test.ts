import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { transferName } from '../../../src/main/jobs/submit-transfer.ts';
import { jobNameSchema } from '../../../src/shared/job-spec.ts';
import { problemOf, valueOf } from '../temp.ts';
import { adminOf, ends, freshHome, google } from './harness.ts';

test('a prefix is downloaded and chosen entries of a folder are uploaded, as runs', async () => {
  const emulator = await google();
  const { base, open } = freshHome(emulator.environment);
  const services = await open();
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!));

  const into = join(base, 'fetched');
  const fetchData = async () => {
    const { id } = valueOf(
      await services.jobs.submitTransfer({
        host: 'local',
        direction: 'download',
        key: 'trainer',
        bucket: 'input-data-bucket',
        target: { kind: 'folder', prefix: 'data/' },
        folder: into,
      }),
    );
    return ends(services, id);
  };
  const down = await fetchData();
  expect(down).toMatchObject({
    kind: 'transfer',
    name: 'download-data',
    state: 'finished',
    output: null,
    status: { staged: { skipped: 0 } },
  });
  const objects = down.status.staged?.objects ?? 0;
  expect(objects).toBeGreaterThan(1);
  expect(readFileSync(join(into, 'deep', 'b.txt'), 'utf8')).toBe('content of data/deep/b.txt');
  // Once more, with one file gone: the others are there already.
  rmSync(join(into, 'deep', 'b.txt'));
  expect((await fetchData()).status.staged).toMatchObject({ objects, skipped: objects - 1 });

  mkdirSync(join(base, 'up', 'run'), { recursive: true });
  for (const name of ['one.txt', 'other.txt', 'run/two.txt'])
    writeFileSync(join(base, 'up', name), name);
  const up = valueOf(
    await services.jobs.submitTransfer({
      host: 'local',
      direction: 'upload',
      key: 'trainer',
      bucket: 'artifacts-bucket',
      prefix: 'results/up',
      folder: join(base, 'up'),
      names: ['one.txt', 'run'],
    }),
  );
  expect(await ends(services, up.id)).toMatchObject({
    state: 'finished',
    output: 'gs://artifacts-bucket/results/up/',
    status: { uploaded: { objects: 2 } },
  });
  const [files] = await (await adminOf(emulator)).bucket('artifacts-bucket').getFiles();
  expect(files.map(({ name }) => name)).toEqual(['results/up/one.txt', 'results/up/run/two.txt']);

  expect(
    problemOf(
      await services.jobs.submitTransfer({
        host: 'local',
        direction: 'upload',
        key: 'trainer',
        bucket: 'artifacts-bucket',
        prefix: 'results/',
        folder: join(base, 'none'),
        names: null,
      }),
    ).code,
  ).toBe('input.transfer-folder');
});

test('a transfer is named after what it carries, whatever that is called', () => {
  const up = {
    host: 'local',
    direction: 'upload',
    key: null,
    bucket: 'b-bucket',
    prefix: '',
  } as const;
  expect(transferName({ ...up, folder: '/a/run 3', names: null })).toBe('upload-run-3');
  expect(transferName({ ...up, folder: '/a', names: ['ö?.txt'] })).toBe('upload--.txt');
  const down = {
    host: 'local',
    direction: 'download',
    key: null,
    bucket: 'b-bucket',
    folder: '/x',
  } as const;
  const folder = (prefix: string) => transferName({ ...down, target: { kind: 'folder', prefix } });
  expect(folder('')).toBe('download-b-bucket');
  expect(folder('a/b/')).toBe('download-b');
  expect(
    transferName({ ...down, target: { kind: 'object', object: `a/${'x'.repeat(99)}` } }),
  ).toHaveLength(63);
  for (const prefix of ['', '/', '//', '😀/', '../'])
    expect(jobNameSchema.safeParse(folder(prefix)).success, prefix).toBe(true);
});
