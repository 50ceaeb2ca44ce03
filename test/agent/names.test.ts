import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { openAccount, openAdmin } from './google.ts';
import { makeWorld, type World } from './harness.ts';

vi.setConfig({ testTimeout: 90_000 });

let world: World;
let emulator: RunningEmulator;
beforeAll(async () => {
  world = await makeWorld();
  emulator = await startEmulator({
    accounts: [{ name: 'boss' }],
    admins: [emailOf('boss')],
  });
});
afterAll(async () => {
  await world.remove();
  await emulator.stop();
});

test('input whose names no file can have arrives under others, which the run lists', async () => {
  const boss = openAccount(emulator, 'boss');
  const admin = openAdmin(boss, emulator.url);
  await admin.makeBucket('inputs');
  for (const name of ['fine', '../evil', 'a', 'a/b', 'x//y'])
    await admin.put('inputs', `data/${name}`, name);
  const run = await world.run({
    endpoints: boss.endpoints,
    workers: ['cd "$TRAINYARD_DATA_PATH" && cat fine %2E%2E/evil a%file a/b x/%empty/y'],
    input: {
      kind: 'gcs',
      address: 'gs://inputs/data',
      bucket: 'inputs',
      target: { kind: 'folder', prefix: 'data/' },
      account: boss.account,
    },
  });
  await run.begin(await boss.secrets('read'));
  expect(await run.ended()).toMatchObject({ state: 'finished' });
  expect(run.read('logs/worker-0.log')).toContain('fine../evilaa/bx//y');
  expect(JSON.parse(run.read('journals/data-names.json'))).toEqual({
    format: 1,
    mapped: [
      { object: 'data/../evil', path: '%2E%2E/evil' },
      { object: 'data/a', path: 'a%file' },
      { object: 'data/x//y', path: 'x/%empty/y' },
    ],
  });
  expect(run.read('events.jsonl')).toContain('journals/data-names.json');
});
