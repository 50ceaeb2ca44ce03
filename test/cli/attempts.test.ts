import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobView } from '../../src/shared/views.ts';
import { makeHome, type TestHome } from './harness.ts';

let home: TestHome;
beforeAll(async () => {
  // Nothing listens there.
  home = await makeHome({
    STORAGE_EMULATOR_HOST: 'http://127.0.0.1:9',
    TRAINYARD_OAUTH_ENDPOINT: 'http://127.0.0.1:9/token',
    TRAINYARD_STS_ENDPOINT: 'http://127.0.0.1:9/v1/token',
    TRAINYARD_RESOURCE_MANAGER_ENDPOINT: 'http://127.0.0.1:9',
  });
  await mkdir(path.join(home.folder, 'code'));
});
afterAll(async () => {
  await home.remove();
}, 60_000);

const count = (text: string, of: RegExp): number => [...text.matchAll(of)].length;

it('a failed setup shows its log and promises no output; a retry tells only what is new', async () => {
  const ready = path.join(home.folder, 'ready');
  const file = await home.file(
    'setup.yaml',
    `name: setup\nhost: local\ncode: { dir: ./code }\nsetup: "echo preparing; test -e ${ready}"\nworkers: ["echo worked; test ! -e ${ready}"]\noutput: { gcs: gs://bucket/x }\n`,
  );
  const failed = await home.run(['run', file]);
  expect(failed.status).toBe(1);
  expect(failed.stderr).toContain('setup ended with exit status 1');
  expect(failed.stderr).not.toMatch(/safe in|Output:/);
  const [job] = await home.json<JobView[]>(['jobs']);
  const id = job?.id ?? '';
  const logs = await home.run(['logs', id]);
  expect(logs).toMatchObject({ status: 0, stdout: 'code: 0 files, 0 B\npreparing\n' });
  expect(logs.stderr).toContain('No worker has been started');
  expect((await home.run(['logs', id, '--stage'])).stdout).toBe(logs.stdout);

  await writeFile(ready, '');
  const retry = home.start(['retry', id]);
  // Nothing takes the output: Ctrl+C leaves the job once the worker is through.
  await retry.printed(/worker 0 failed/);
  retry.child.kill('SIGINT');
  const { stderr } = await retry.ended;
  expect(count(stderr, /^staging$/gm)).toBe(1);
  expect(count(stderr, /^ {2}code: /gm)).toBe(0);
  expect((await home.run(['logs', id])).stdout).toBe('worked\n');
  await rm(ready);
}, 90_000);

it('an interrupted job says once that nothing carries it', async () => {
  const file = await home.file(
    'long.yaml',
    'name: long\nhost: local\ncode: { dir: ./code }\nworkers: ["sleep 60"]\n',
  );
  const { id } = await home.json<{ id: string }>(['run', file, '--detach']);
  const running = await home.until(id, (job) => job.workers[0]?.state === 'running');
  process.kill(running.agent?.pid ?? 0, 'SIGKILL');
  await home.until(id, (job) => job.state === 'interrupted');
  const shown = await home.run(['job', id]);
  expect(count(shown.stdout, /Nothing carries/g)).toBe(1);
  expect(shown.stdout).toContain(`trainyard retry ${id}`);
  await home.run(['stop', id]);
}, 90_000);
