import { access, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { mintFor } from './mint.ts';
import { eventsOf, makeHome, type TestHome } from './harness.ts';

const BUCKET = 'artifacts-bucket';
/** Seconds: enough for one command on a busy machine. */
const LIFETIME = 6;

let google: RunningEmulator;
let home: TestHome;

beforeAll(async () => {
  google = await startEmulator({
    accounts: [{ name: 'trainer' }],
    admins: [emailOf('trainer')],
    tokenLifetimeSeconds: LIFETIME,
  });
  home = await makeHome(google.environment);
  await home.json([
    ...['keys', 'add', google.keyFiles['trainer'] ?? '', '--name', 'lab'],
    ...['--accept-admin', emailOf('trainer')],
  ]);
  const made = await fetch(`${google.url}/storage/v1/b?project=demo-project`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await mintFor(google, 'trainer')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ name: BUCKET }),
  });
  expect(made.status).toBe(200);
}, 60_000);
afterAll(async () => {
  await home.remove();
  await google.stop();
}, 60_000);

const jobFile = (name: string, more: readonly string[] = []) =>
  home.file(
    `${name}.yaml`,
    [
      `name: ${name}`,
      'host: local',
      'code: { dir: ./code }',
      `workers: ['echo kept > "$TRAINYARD_OUTPUT_PATH/kept.txt"; sleep ${LIFETIME + 2}']`,
      `output: { gcs: gs://${BUCKET}/results, key: lab }`,
      ...more,
      '',
    ].join('\n'),
  );

describe('access that lasts six seconds', () => {
  beforeAll(async () => {
    await mkdir(path.join(home.folder, 'code'));
  });

  it('makes a detached job wait with its output safe; retry finishes it', async () => {
    const { id } = await home.json<{ id: string }>(['run', await jobFile('waits'), '--detach']);
    const waiting = await home.until(id, (job) => job.status.accessAwaited !== null);
    expect(waiting.state).toBe('uploading');
    expect(waiting.agent).not.toBeNull();
    await access(path.join(waiting.runDirectory, 'output/worker-0/kept.txt'));
    const shown = await home.run(['job', id]);
    expect(shown.stdout).toContain('needs access');
    const retried = await home.run(['retry', id]);
    expect(retried, retried.stderr).toMatchObject({ status: 0 });
    const job = await home.job(id);
    expect(job).toMatchObject({ state: 'finished', workers: [{ state: 'finished' }] });
    const kinds = (await eventsOf(job)).map((event) => event.kind);
    expect(kinds.filter((kind) => kind === 'worker-started')).toHaveLength(1);
    expect(kinds).toContain('access-awaited');
  }, 60_000);

  it('is renewed while a command line follows', async () => {
    const ran = await home.run(['run', await jobFile('followed')]);
    expect(ran, ran.stderr).toMatchObject({ status: 0 });
  }, 60_000);

  it('is no matter for an unattended job', async () => {
    const file = await jobFile('unattended', ['unattended: true']);
    const started = await home.run(['run', file, '--detach', '--json']);
    expect(started.status).toBe(0);
    const { id } = JSON.parse(started.stdout) as { id: string };
    expect(started.stderr).toContain('does not run out');
    const job = await home.until(
      id,
      (view) => view.state === 'finished' || view.state === 'failed',
    );
    expect(job.state).toBe('finished');
    expect((await eventsOf(job)).map((event) => event.kind)).not.toContain('access-awaited');
  }, 60_000);
});
