import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { openAccount, openAdmin } from './google.ts';
import { makeWorld, type World, filesIn } from './harness.ts';

const gcloud = (() => {
  try {
    return execFileSync('sh', ['-c', 'command -v gcloud'], { encoding: 'utf8' }).trim();
  } catch {
    return null;
  }
})();

let world: World;
let emulator: RunningEmulator;
beforeAll(async () => {
  world = await makeWorld();
  emulator = await startEmulator({
    accounts: [{ name: 'trainer' }, { name: 'boss' }],
    admins: [emailOf('boss')],
    grants: [
      `${emailOf('trainer')}=storage.objects.list@inputs`,
      `${emailOf('trainer')}=roles/storage.objectViewer@inputs`,
    ],
  });
});
afterAll(async () => {
  await world.remove();
  await emulator.stop();
});

const filesBelow = (folder: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(filesIn(folder)).map(([name, bytes]) => [name, bytes.toString('latin1')]),
  );

test.skipIf(gcloud === null)(
  'gcloud in a worker uses the key, leaves the configuration of the user as it was, and nothing behind',
  async () => {
    const trainer = openAccount(emulator, 'trainer');
    const admin = openAdmin(openAccount(emulator, 'boss'), emulator.url);
    await admin.makeBucket('inputs');
    await admin.put('inputs', 'data/one.txt', 'one');
    const own = path.join(world.root, 'user/.config/gcloud');
    mkdirSync(path.join(own, 'configurations'), { recursive: true });
    writeFileSync(path.join(own, 'active_config'), 'default');
    writeFileSync(
      path.join(own, 'configurations/config_default'),
      '[core]\naccount = me@example.org\n',
    );
    const before = filesBelow(own);
    const run = await world.run({
      endpoints: trainer.endpoints,
      workers: [
        'set -e; gcloud auth activate-service-account --key-file ${GOOGLE_APPLICATION_CREDENTIALS}; gcloud auth list --format="value(account)"; gcloud storage ls gs://inputs/data/; echo "$CLOUDSDK_CONFIG" > "$TRAINYARD_OUTPUT_PATH/where"; ls "$CLOUDSDK_CONFIG"',
      ],
      env: {
        CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `${emulator.url}/storage/v1/`,
        CLOUDSDK_CORE_PROJECT: 'demo-project',
        CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
      },
      workerKeys: [{ account: trainer.account, mode: 'key-file' }],
    });
    await run.begin({
      format: 1,
      tokens: [],
      keys: [{ keyId: trainer.account.keyId, key: trainer.key }],
    });
    const ended = await run.ended(1, 80_000);
    const log = run.read('logs/worker-0.log');
    expect(ended, log).toMatchObject({ state: 'finished' });
    expect(log).toContain('gs://inputs/data/one.txt');
    expect(log).toContain('credentials.db');
    expect(filesBelow(own)).toEqual(before);
    expect(existsSync(run.read('output/worker-0/where').trim())).toBe(false);
    const piece = Buffer.from(trainer.key.privateKey, 'base64').toString('base64').slice(200, 240);
    for (const [name, content] of Object.entries(filesBelow(world.root)))
      expect(content.includes(piece), name).toBe(false);
  },
  100_000,
);
