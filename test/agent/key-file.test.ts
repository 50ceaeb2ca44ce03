import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatServiceAccountFile } from '../../src/google/service-account-file.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { noRclone } from '../support/rclone.ts';
import { openAccount, openAdmin } from './google.ts';
import { filesIn, makeWorld, type World } from './harness.ts';

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

/** A client that signs in with the key file, and a copy of the key where gcloud keeps one: in its configuration. */
const WORKER = `set -e
rclone --config /dev/null --gcs-endpoint "$STORAGE_EMULATOR_HOST/storage/v1/" \\
  --gcs-service-account-file "$GOOGLE_APPLICATION_CREDENTIALS" cat :gcs:inputs/data/one.txt
mkdir -p "$CLOUDSDK_CONFIG/legacy_credentials"
cp "$GOOGLE_APPLICATION_CREDENTIALS" "$CLOUDSDK_CONFIG/legacy_credentials/adc.json"
echo trainer > "$CLOUDSDK_CONFIG/active_config"
echo "$CLOUDSDK_CONFIG" > "$TRAINYARD_OUTPUT_PATH/where"`;

test.skipIf(noRclone !== null)(
  `a client in a worker uses the key file, leaves the configuration of the user as it was, and nothing behind${noRclone === null ? '' : ` (${noRclone})`}`,
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
      workers: [WORKER],
      workerKeys: [{ account: trainer.account, mode: 'key-file' }],
    });
    await run.begin({
      format: 1,
      tokens: [],
      keys: [{ keyId: trainer.account.keyId, key: trainer.key }],
    });
    const ended = await run.ended();
    const log = run.read('logs/worker-0.log');
    expect(ended, log).toMatchObject({ state: 'finished' });
    expect(log).toContain('one');
    // The emulator let it in as the account of the key.
    const asked = await emulator.requestLog();
    expect(asked.filter(({ object }) => object === 'data/one.txt').at(-1)).toMatchObject({
      method: 'GET',
      status: 200,
      account: trainer.account.email,
    });
    expect(filesBelow(own)).toEqual(before);
    const where = run.read('output/worker-0/where').trim();
    expect(where).not.toBe('');
    expect(existsSync(where)).toBe(false);
    const piece = Buffer.from(trainer.key.privateKey, 'base64').toString('base64').slice(200, 240);
    expect(formatServiceAccountFile(trainer.key)).toContain(piece);
    const left = Object.entries(filesBelow(world.root));
    expect(left.length).toBeGreaterThan(Object.keys(before).length);
    expect(left.filter(([, content]) => content.includes(piece)).map(([name]) => name)).toEqual([]);
  },
);
