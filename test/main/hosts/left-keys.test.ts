import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ownIdentity } from '../../../src/agent/identity.ts';
import { openServices } from '../../../src/main/services.ts';
import { temporaryFolder, valueOf } from '../temp.ts';

const RUN_IDS = ['20260101-000000-aaaaaa', '20260101-000000-bbbbbb', '20260101-000000-cccccc'];

test.skipIf(process.platform !== 'linux' || !existsSync('/dev/shm'))(
  'the key file of a crashed run goes when the services are opened next, that of a living one stays',
  { timeout: 60_000 },
  async () => {
    const home = join(temporaryFolder(), 'home');
    const folders = RUN_IDS.map(
      () => `/dev/shm/trainyard-${randomUUID().replaceAll('-', '').slice(0, 24)}`,
    );
    try {
      for (const [index, id] of RUN_IDS.entries()) {
        const run = join(home, 'runs', id);
        mkdirSync(join(run, 'private'), { recursive: true, mode: 0o700 });
        writeFileSync(join(run, 'events.jsonl'), '');
        const folder = folders[index]!;
        writeFileSync(join(run, 'private/key-folder.json'), JSON.stringify({ folder }));
        mkdirSync(folder, { mode: 0o700 });
        writeFileSync(join(folder, 'key.json'), 'secret', { mode: 0o600 });
        // An earlier version did not say whose it is.
        if (index !== 1) writeFileSync(join(folder, 'run'), run);
      }
      const alive = join(home, 'runs', RUN_IDS[2]!, 'workers/0');
      mkdirSync(alive, { recursive: true });
      writeFileSync(join(alive, 'pid.json'), JSON.stringify(ownIdentity()));
      const opened = await openServices({
        env: { ...process.env, TRAINYARD_HOME: home },
        version: '0.0.0',
        agentFolder: resolve('out/agent'),
        nodeRuntime: process.execPath,
      });
      await valueOf(opened).close();
      expect(folders.map((folder) => existsSync(folder))).toEqual([false, false, true]);
    } finally {
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    }
  },
);
