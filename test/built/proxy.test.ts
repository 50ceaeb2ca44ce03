import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { COMMAND_LINE } from '../support/programs.ts';
import { startConnectProxy, type ConnectProxy } from '../support/connect-proxy.ts';
import { startEmulator, type RunningEmulator } from '../emulator/start.ts';

let folder: string;
let emulator: RunningEmulator;
let proxy: ConnectProxy;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trainyard-built-proxy-'));
  emulator = await startEmulator({ open: true });
  proxy = await startConnectProxy(emulator.url);
});
afterAll(async () => {
  await proxy.stop();
  await emulator.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('the built command line asks Google through the proxy that the environment names', async () => {
  const child = spawn(process.execPath, [COMMAND_LINE, 'ls', 'gs://some-bucket/', '--no-key'], {
    stdio: 'ignore',
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      TRAINYARD_HOME: join(folder, 'home'),
      HTTPS_PROXY: proxy.url,
    },
  });
  const ended = once(child, 'exit');
  try {
    // What it answers does not matter: no certificate can be had for Google's name here.
    await expect.poll(() => proxy.asked()).toContain('storage.googleapis.com:443');
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
});
