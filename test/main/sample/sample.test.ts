import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { openServices, type Services } from '../../../src/main/services.ts';
import { parseJobFile } from '../../../src/main/jobs/job-file.ts';
import { isAlive, parseIdentity } from '../../../src/main/platform/processes.ts';
import { hasEnded } from '../../../src/shared/job-status.ts';
import { AGENT_FOLDER, EMULATOR } from '../../support/programs.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const opened: Services[] = [];

afterEach(async () => {
  for (const services of opened.splice(0)) {
    for (const job of await services.jobs.list()) {
      if (hasEnded(job.state)) continue;
      await services.jobs.stop(job.id);
      await services.jobs.follow(job.id, () => undefined, AbortSignal.timeout(20_000));
    }
    await services.sample.stop(true);
    await services.close();
  }
});

async function open(home: string, more: Record<string, string> = {}) {
  const passphrase = join(home, '..', 'passphrase');
  await writeFile(passphrase, 'four words in order\n', { mode: 0o600 });
  const services = valueOf(
    await openServices({
      env: {
        PATH: process.env['PATH'],
        HOME: home,
        TRAINYARD_HOME: home,
        TRAINYARD_VAULT: 'passphrase',
        TRAINYARD_PASSPHRASE_FILE: passphrase,
        ...more,
      },
      version: '0.0.0-test',
      agentFolder: AGENT_FOLDER,
      nodeRuntime: process.execPath,
      sample: {
        emulator: EMULATOR,
        examples: join(root, 'examples'),
      },
    }),
  );
  opened.push(services);
  return services;
}

/** What the process of the sample's Google says of itself. */
const holder = (home: string) =>
  parseIdentity(readFileSync(join(home, 'sample', 'google', 'lock'), 'utf8'));

it('is made once, moves the endpoints of the process and puts them back; a job that needs it goes on across a quit; it starts again after a death', async () => {
  const folder = temporaryFolder();
  const home = join(folder, 'home');
  const first = await open(home);
  expect(await first.sample.status()).toEqual({ state: 'off', offered: true });
  const steps: string[] = [];
  first.sample.watch((status) => {
    if (status.state === 'starting') steps.push(status.step);
  });
  const started = valueOf(await first.sample.start());
  if (started.state !== 'on' || started.keyFile === null) throw new Error(started.state);
  expect(steps.join('\n')).toContain('Two buckets are made');
  expect(first.endpoints.emulated).toBe(true);
  expect(started.storage).toBe(first.endpoints.storage);
  expect(started.jobFile).toBeNull();
  valueOf(await first.keys.add(started.keyFile, { name: 'lab' }));
  const withKey = await first.sample.status();
  if (withKey.state !== 'on' || withKey.jobFile === null) throw new Error(withKey.state);
  expect(withKey.key).toBe('lab');
  expect(valueOf(parseJobFile(withKey.jobFile, { path: 'job.yaml' })).workers).toHaveLength(2);

  // Its output is uploaded only once this file is there.
  const go = join(folder, 'go');
  const spec = valueOf(
    parseJobFile(
      [
        'name: waits',
        'host: local',
        `code: { dir: ${JSON.stringify(join(home, 'sample', 'digits'))} }`,
        'workers:',
        `  - until test -e ${go}; do sleep 0.1; done; echo done > "$TRAINYARD_OUTPUT_PATH/done.txt"`,
        'output: { gcs: gs://artifacts-bucket/results, key: lab }',
        '',
      ].join('\n'),
      { path: 'job.yaml' },
    ),
  );
  const { id, plan } = valueOf(await first.jobs.submit(spec, { baseFolder: folder }));
  expect(plan.endpoints.storage).toBe(started.storage);
  expect(problemOf(await first.sample.stop(true)).code).toBe('input.sample-in-use');

  // Quit: its process stays, because a job needs it.
  const before = holder(home);
  if (before === null) throw new Error('no lock');
  opened.splice(opened.indexOf(first), 1);
  await first.close();
  expect(await isAlive(before)).toBe(true);

  // The next start takes its place, at the same address; the job's tokens are of the earlier one.
  const second = await open(home);
  await second.sample.resume();
  expect((await second.sample.status()).state).toBe('on');
  expect(second.endpoints.storage).toBe(started.storage);
  expect(await isAlive(before)).toBe(false);
  const followed = new AbortController();
  second.jobs.keepAccess(followed.signal);
  await writeFile(go, '');
  const ended = valueOf(await second.jobs.follow(id, () => undefined, AbortSignal.timeout(60_000)));
  expect(ended.state).toBe('finished');
  followed.abort();

  // Its process dies: still under its banner, so that nothing goes to the real Google; and started again on what it kept.
  const dead = holder(home);
  if (dead === null) throw new Error('no lock');
  const broken = new Promise<void>((resolve) => {
    second.sample.watch((status) => {
      if (status.state === 'broken') resolve();
    });
  });
  process.kill(dead.pid, 'SIGKILL');
  await broken;
  expect(second.endpoints.emulated).toBe(true);
  // Whoever takes its port now is sent nothing.
  const heard: string[] = [];
  const { port } = new URL(started.storage);
  const taken = createServer((socket) => socket.on('data', (data) => heard.push(String(data))));
  await new Promise<void>((resolve) => taken.listen(Number(port), '127.0.0.1', resolve));
  const [card] = valueOf(await second.keys.list());
  expect(valueOf(await second.keys.check(card?.name ?? ''))).toMatchObject({
    problem: { code: 'network.emulator-ended' },
  });
  expect(heard).toEqual([]);
  await new Promise((resolve) => taken.close(resolve));
  expect(valueOf(await second.sample.start()).state).toBe('on');

  // Stopped, with everything: the real Google's addresses, no key, no folder, no process.
  const now = holder(home);
  if (now === null) throw new Error('no lock');
  expect(valueOf(await second.sample.stop(true))).toEqual({ state: 'off', offered: true });
  expect(second.endpoints).toMatchObject({ emulated: false });
  expect(second.endpoints.storage).toBe('https://storage.googleapis.com');
  expect(await isAlive(now)).toBe(false);
  expect(valueOf(await second.keys.list())).toEqual([]);
  expect(existsSync(join(home, 'sample'))).toBe(false);
}, 120_000);

it('is not offered where variables move the addresses already', async () => {
  const folder = temporaryFolder();
  const env = { STORAGE_EMULATOR_HOST: '127.0.0.1:1' };
  const services = await open(join(folder, 'home'), env);
  expect(await services.sample.status()).toEqual({ state: 'off', offered: false });
  expect(problemOf(await services.sample.start()).code).toBe('input.sample-emulated');
});
