import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { buildIsCurrent } from '../../scripts/lib/build-stamp.mjs';
import { HOSTS_VARIABLE, socketOf } from './emulator-slot.ts';
import { ROOT } from './programs.ts';

/** Before the first test: the programs are built where they are not those of the sources, and each worker gets a host of emulators. */
export default async function setUp({ config }: TestProject): Promise<() => Promise<void>> {
  if (!buildIsCurrent()) {
    const built = spawnSync(process.execPath, [join(ROOT, 'scripts', 'build.mjs')], {
      stdio: 'inherit',
    });
    if (built.status !== 0) throw new Error('The programs could not be built.');
  }
  const folder = mkdtempSync(join(tmpdir(), 'trainyard-emulators-'));
  process.env[HOSTS_VARIABLE] = folder;
  const workers = Array.from({ length: config.maxWorkers }, (_, index) => index + 1);
  const hosts = await Promise.all(workers.map((worker) => startHost(socketOf(folder, worker))));
  return async () => {
    await Promise.all(hosts.map((host) => endOf(host)));
    rmSync(folder, { recursive: true, force: true });
  };
}

async function startHost(socket: string): Promise<ChildProcess> {
  const host = spawn(process.execPath, [join(import.meta.dirname, 'emulator-host.ts'), socket], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(host, 'message');
  return host;
}

async function endOf(host: ChildProcess): Promise<void> {
  if (host.exitCode !== null || host.signalCode !== null) return;
  const ended = once(host, 'exit');
  host.kill('SIGTERM');
  await ended;
}
