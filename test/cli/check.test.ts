import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AccessReport } from '../../src/shared/access-check.ts';
import { emailOf } from '../emulator/start.ts';
import { startGrantWorld, type GrantWorld } from '../google/grant-world.ts';
import { makeHome, type TestHome } from './harness.ts';

const READ = 'resource.name.startsWith("projects/_/buckets/input-data-bucket/objects/data/")';
const WRITE = 'resource.name.startsWith("projects/_/buckets/artifacts-bucket/objects/results/")';

let world: GrantWorld;
let home: TestHome;
beforeAll(async () => {
  world = await startGrantWorld({
    accounts: ['lab'],
    grants: [
      `${emailOf('lab')}=roles/storage.objectViewer@input-data-bucket@${READ}`,
      `${emailOf('lab')}=roles/storage.objectCreator@artifacts-bucket@${WRITE}`,
    ],
    buckets: ['input-data-bucket', 'artifacts-bucket'],
  });
  await world.put('input-data-bucket', 'data/a');
  home = await makeHome(world.emulator.environment);
}, 60_000);
afterAll(async () => {
  await home.remove();
  await world.emulator.stop();
});

it('a ladder for people and as data, with statuses for scripts and the grant to ask for', async () => {
  await home.json(['keys', 'add', world.emulator.keyFiles['lab'] ?? '', '--name', 'lab']);
  const check = (address: string, use: string, ...more: string[]) =>
    home.run(['check', address, '--key', 'lab', '--for', use, ...more]);

  const good = await check('gs://artifacts-bucket/results', 'output');
  expect(good, good.stderr).toMatchObject({ status: 0 });
  expect(good.stdout).toMatch(/^create +pass +An upload below/m);
  expect(await world.names('artifacts-bucket')).toEqual([]);

  const refused = await check('gs://input-data-bucket/data/', 'input', '--json');
  expect(refused.status).toBe(3);
  const report = JSON.parse(refused.stdout) as AccessReport;
  expect(report).toMatchObject({ verdict: 'fail', for: 'input', account: emailOf('lab') });
  const list = report.rungs.find(({ name }) => name === 'list');
  expect(list).toMatchObject({ state: 'fail', code: 'access.list-refused' });
  expect(list?.grant?.sentence).toContain('storage.objects.list');
  expect(list?.grant?.bindings).toHaveLength(1);

  expect((await check('not-an-address', 'input')).status).toBe(2);
  expect((await check('gs://artifacts-bucket/', 'sideways')).status).toBe(2);
  expect(
    (await home.run(['check', 'gs://artifacts-bucket/', '--for', 'input', '--key', 'none'])).status,
  ).toBe(2);
  const away = await home.run(
    ['check', 'gs://artifacts-bucket/', '--for', 'output', '--key', 'lab'],
    { TRAINYARD_OAUTH_ENDPOINT: 'http://127.0.0.1:9/token' },
  );
  expect(away.status).toBe(4);
  expect(away.stdout).toMatch(/not checked +Not checked: offline/);
}, 60_000);

it('grant asks nobody: no home is made, no key is needed', async () => {
  const args = ['grant', '--input', 'gs://input-data-bucket/data/', '--account', emailOf('lab')];
  const none = { TRAINYARD_HOME: `${home.folder}/untouched`, TRAINYARD_VAULT: 'none' };
  const script = await home.run([...args, '--as', 'gcloud'], none);
  expect(script, script.stderr).toMatchObject({ status: 0, stderr: '' });
  expect(script.stdout).toMatch(/^#!\/usr\/bin\/env bash\n/);
  expect(
    (await home.run(['grant', '--input', "gs://b-1/it's/", '--account', emailOf('lab')])).status,
  ).toBe(2);
  expect((await home.run(['grant', '--account', emailOf('lab')])).status).toBe(2);
  expect((await home.run(['grant', '--input', 'gs://bucket/x'])).status).toBe(2);
}, 60_000);
