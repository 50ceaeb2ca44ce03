import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { identityOf, isAlive } from '../../src/agent/identity.ts';
import type { JobView } from '../../src/shared/views.ts';
import { outcomeOf, wrongWith, type Outcome } from './checks.ts';
import { killExactly, processesIn } from './processes.ts';
import { keyFolder, readEvents, runDirectory } from './state.ts';
import { makeWorld, WORKERS, type World } from './world.ts';

/**
 * A reboot is played: every process of the run is killed at once, and the boot id changes. The command line, and with it all that it starts, sees a
 * boot id of the test's own, bind-mounted over the kernel's in a mount namespace, which takes root.
 */
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

function canMount(): string | null {
  if (process.platform !== 'linux') return 'this is not Linux';
  if (process.getuid?.() !== 0) return 'a boot id can only be mounted by root';
  try {
    execFileSync('unshare', ['--mount', 'mount', '--bind', BOOT_ID, BOOT_ID], { stdio: 'ignore' });
    return null;
  } catch {
    return 'nothing can be mounted here';
  }
}

const cannot = canMount();
let world: World;
let bootFile: string;

const boot = (): void => writeFileSync(bootFile, `${randomUUID()}\n`);

beforeAll(async () => {
  if (cannot !== null) return;
  world = await makeWorld({
    wrap: (folder) => {
      bootFile = path.join(folder, 'boot-id');
      boot();
      const mount = `mount --bind '${bootFile}' ${BOOT_ID} && exec "$@"`;
      return ['unshare', '--mount', 'sh', '-c', mount, 'sh'];
    },
  });
}, 60_000);
afterAll(async () => {
  if (cannot === null) await world.remove();
}, 30_000);

const until = async (test: () => boolean | Promise<boolean>, what: string): Promise<void> => {
  const late = performance.now() + 60_000;
  while (!(await test())) {
    if (performance.now() > late) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
};

let wanted: Outcome;

const WORKER_RECORDS = Array.from({ length: WORKERS }, (_, worker) =>
  ['pid', 'started'].map((name) => `workers/${worker}/${name}.json`),
).flat();

async function rebootIn(stage: 'running' | 'uploading'): Promise<void> {
  const before = await world.runIds();
  const command = world.start(['run', world.jobFile]);
  let id = '';
  await until(async () => {
    id = (await world.runIds()).find((name) => !before.includes(name)) ?? '';
    return id !== '';
  }, 'the run directory');
  const directory = runDirectory(world, id);
  await until(
    () =>
      readEvents(directory).events.some((event) =>
        stage === 'running'
          ? event.kind === 'worker-started' && event.worker === WORKERS - 1
          : event.kind === 'stage-started' && event.stage === stage,
      ),
    stage,
  );
  const folder = keyFolder(directory);
  if (folder === null) throw new Error('the workers have no folder with their key');
  for (let look = 0; look < 50; look += 1) {
    const left = processesIn(world.home);
    if (left.length === 0) break;
    for (const { identity } of left) killExactly(identity);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  killExactly(identityOf(command.pid));
  await command.ended;
  boot();
  // Memory file systems are empty after a reboot.
  rmSync(folder, { recursive: true, force: true });
  // A stranger has the pids now, by chance with the very start times: the boot id alone tells it apart.
  const stranger = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
  const other = identityOf(stranger.pid ?? 0);
  if (other === null) throw new Error('the stranger did not start');
  const { pid, startTime } = other;
  for (const name of ['lock', ...WORKER_RECORDS]) {
    const file = path.join(directory, name);
    if (!existsSync(file)) continue;
    const told = JSON.parse(readFileSync(file, 'utf8')) as { readonly process?: object };
    const as = { pid, startTime };
    writeFileSync(
      file,
      JSON.stringify(
        told.process === undefined
          ? { ...told, ...as }
          : { ...told, process: { ...told.process, ...as } },
      ),
    );
  }
  expect(await world.json<JobView>(['job', id])).toMatchObject({
    state: 'interrupted',
    agent: null,
  });
  const retried = await world.start(['retry', id]).ended;
  expect(retried.status, retried.stderr).toBe(0);
  expect(isAlive(other)).toBe(true);
  stranger.kill('SIGKILL');
  const lost = stage === 'running' ? Array.from({ length: WORKERS }, (_, worker) => worker) : [];
  const keyFolders = new Set([folder]);
  expect(await wrongWith(world, id, wanted, { lost, keyFolders })).toEqual([]);
  expect(existsSync(folder)).toBe(false);
  const starts = readEvents(directory).events.filter((event) => event.kind === 'agent-started');
  expect(starts.map((event) => event.attempt)).toEqual([1, 2]);
  expect(readFileSync(bootFile, 'utf8').trim()).toBe(starts[1]?.agent.bootId);
  expect(starts[0]?.agent.bootId).not.toBe(starts[1]?.agent.bootId);
}

it.skipIf(cannot !== null)(
  `a reboot in the middle: interrupted, and retry finishes${cannot === null ? '' : ` (${cannot})`}`,
  async () => {
    const first = await world.start(['run', world.jobFile, '--json']).ended;
    expect(first.status, first.stderr).toBe(0);
    wanted = await outcomeOf(world, (JSON.parse(first.stdout) as JobView).id);
    for (const stage of ['running', 'uploading'] as const) await rebootIn(stage);
  },
  240_000,
);
