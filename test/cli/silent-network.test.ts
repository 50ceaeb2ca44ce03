import { generateKeyPairSync } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeHome, type Ended, type TestHome } from './harness.ts';

/** It takes every connection and never says a word. */
let silent: Server;
const sockets = new Set<Socket>();
let home: TestHome;

beforeAll(async () => {
  silent = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  home = await makeHome({
    STORAGE_EMULATOR_HOST: origin,
    TRAINYARD_OAUTH_ENDPOINT: `${origin}/token`,
    TRAINYARD_STS_ENDPOINT: `${origin}/v1/token`,
    TRAINYARD_RESOURCE_MANAGER_ENDPOINT: origin,
  });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = {
    type: 'service_account',
    project_id: 'some-project',
    private_key_id: '0123456789abcdef0123456789abcdef01234567',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    client_email: 'lab@some-project.iam.gserviceaccount.com',
    client_id: '123456789012345678901',
    token_uri: 'https://oauth2.googleapis.com/token',
  };
  await home.json(['keys', 'add', await home.file('lab.json', JSON.stringify(key))]);
  await mkdir(path.join(home.folder, 'code'));
}, 60_000);
afterAll(async () => {
  await home.remove();
  for (const socket of sockets) socket.destroy();
  silent.close();
}, 60_000);

it('a listing, a copy and a start that must wait say so, and the listing gives up soon', async () => {
  const job = await home.file(
    'input.yaml',
    [
      'name: waits',
      'host: local',
      'code: { dir: ./code }',
      'workers: ["true"]',
      'input: { gcs: gs://input-data-bucket/data, key: lab }',
    ].join('\n'),
  );
  const told = /No answer yet from the emulated Google at 127\.0\.0\.1:\d+ \([a-z ]+\)…/;
  const waits = [
    ['cp', 'gs://input-data-bucket/data', './data', '--key', 'lab'],
    ['cp', job, 'gs://artifacts-bucket/x/', '--key', 'lab'],
    ['run', job, '--detach'],
  ].map(async (args) => {
    const running = home.start(args);
    await running.printed(told);
    running.child.kill('SIGINT');
    expect(await running.ended).toMatchObject({ status: 130 });
  });
  const began = performance.now();
  const listed = home.run(['ls', 'gs://input-data-bucket/data', '--key', 'lab']);
  await Promise.all(waits);
  const { status, stderr } = await listed;
  expect(performance.now() - began).toBeLessThan(60_000);
  expect(status, stderr).toBe(4);
  expect(stderr).toMatch(told);
}, 120_000);

/** Five seconds for the network, and more for a machine that is busy with other tests. */
const LONGEST = 30_000;
async function soon(args: readonly string[]): Promise<Ended> {
  const began = performance.now();
  const ended = await home.run(args);
  expect(performance.now() - began, args.join(' ')).toBeLessThan(LONGEST);
  return ended;
}

it('a network that never answers: a check says so, and a job starts, stops and starts again without it', async () => {
  expect(await soon(['keys', 'check', 'lab'])).toMatchObject({
    status: 4,
    stdout: 'lab: not checked: offline\n',
  });
  const file = await home.file(
    'job.yaml',
    [
      'name: offline',
      'host: local',
      'code: { dir: ./code }',
      'workers: ["echo x > $TRAINYARD_OUTPUT_PATH/x; sleep 100"]',
      'output: { gcs: gs://artifacts-bucket/results, key: lab }',
    ].join('\n'),
  );
  const begun = await soon(['run', file, '--detach', '--json']);
  expect(begun, begun.stderr).toMatchObject({ status: 0 });
  expect(begun.stderr).toContain('no access to its buckets yet');
  expect(begun.stderr).not.toContain('access does not run out');
  const { id } = JSON.parse(begun.stdout) as { id: string };
  await home.until(id, (job) => job.workers[0]?.state === 'running');

  const stopped = await soon(['stop', id]);
  expect(stopped).toMatchObject({ status: 0 });
  expect(stopped.stdout).toContain('stopped; its output is not uploaded yet');
  expect(stopped.stderr).toContain(`trainyard retry ${id}`);
  const waiting = await home.until(id, (job) => job.status.accessAwaited !== null);
  expect(waiting.state).toBe('uploading');
  // Asked once more, it does not wait for the upload either.
  expect(await soon(['stop', id])).toMatchObject({ status: 0 });
  await home.until(id, (job) => job.state === 'stopped' && job.agent === null);

  const again = await soon(['retry', id, '--detach', '--json']);
  expect(again, again.stderr).toMatchObject({ status: 0 });
  expect(again.stderr).toContain('no access to its buckets yet');
  expect(JSON.parse(again.stdout)).toEqual({ id });
  // What waits for access is told that there is none yet, soon.
  await soon(['stop', id]);
  await home.until(id, (job) => job.status.accessAwaited !== null);
  expect(await soon(['retry', id, '--detach'])).toMatchObject({ status: 4 });
}, 120_000);
