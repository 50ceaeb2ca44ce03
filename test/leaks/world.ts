import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import type { JobView } from '../../src/shared/views.ts';
import { makeHome, type Ended } from '../cli/harness.ts';
import { mintFor } from '../cli/mint.ts';
import { emailOf, startEmulator } from '../emulator/start.ts';
import { placeMachine } from '../support/machine.ts';
import { makeQuickVault } from '../support/quick-vault.ts';
import { openMarks, pemOf } from './marks.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
export const INPUT = 'input-data-bucket';
export const OUTPUT = 'artifacts-bucket';
export const MEMORY_DISK = '/dev/shm';
/** Whatever of the libraries can be made to talk, and of Node.js what does not print the bytes that it is given. */
export const VERBOSE = {
  DEBUG: '*',
  NODE_DEBUG: 'http,https,net,tls,fetch,undici,child_process,fs,crypto,timer',
  GOOGLE_SDK_NODE_LOGGING: '*',
};
/** Node.js prints the beginning of every piece that it reads: who asks for it gets that on the own terminal, and nowhere else. */
export const EVEN_BYTES = { ...VERBOSE, NODE_DEBUG: '*' };

/** A worker that tells its environment, then goes on until the test says so. */
export const WAITS =
  'env > "$TRAINYARD_OUTPUT_PATH/env.txt"; until [ -e "$TRAINYARD_CHECKPOINT_PATH/go" ]; do sleep 0.1; done';
export const ASKS = `${WAITS.split(';')[0]!}; SECONDS=1 BUCKET=${INPUT} PREFIX=data/ node ask-tokens.mjs`;

const below = (bucket: string, prefix: string) =>
  `resource.name.startsWith("projects/_/buckets/${bucket}/objects/${prefix}")`;

/** An emulated Google, a home on it and a user's folders, of which everything is searched for what is secret. */
export async function openLeakWorld() {
  const marks = openMarks();
  const said: string[] = [];
  const outside = await mkdtemp(path.join(tmpdir(), 'trainyard-known-'));
  const tokenLog = () => path.join(outside, 'tokens.jsonl');
  const folder = await mkdtemp(path.join(tmpdir(), 'trainyard-leaks-'));
  const at = (...names: string[]) => path.join(folder, ...names);
  for (const name of ['user', 'tmp', 'cache', 'config', 'data', 'state', 'runtime', 'google'])
    await mkdir(at(name), { mode: 0o700 });
  placeMachine(at('machine'), 'two-cards');
  const trainer = emailOf('trainer');
  const google = await startEmulator({
    dir: at('google'),
    accounts: ['trainer', 'boss'].map((name) => ({ name, path: `${outside}/${name}.json` })),
    admins: [emailOf('boss')],
    grants: [
      `${trainer}=roles/storage.objectViewer@${INPUT}@${below(INPUT, 'data/')}`,
      `${trainer}=storage.objects.list@${INPUT}`,
      `${trainer}=roles/storage.objectCreator@${OUTPUT}@${below(OUTPUT, 'results/')}`,
    ],
    flags: ['--token-log', tokenLog()],
  });
  marks.key('the key', pemOf(`${outside}/trainer.json`));
  marks.key('the administrator’s key', pemOf(`${outside}/boss.json`));
  const passphrase = `${outside}/passphrase`;
  const words = `${randomUUID()} ${randomUUID()}`;
  await writeFile(passphrase, `${words}\n`, { mode: 0o600 });
  marks.text('the passphrase', words);
  const home = await makeHome(
    {
      ...google.environment,
      HOME: at('user'),
      TMPDIR: at('tmp'),
      XDG_CACHE_HOME: at('cache'),
      XDG_CONFIG_HOME: at('config'),
      XDG_DATA_HOME: at('data'),
      XDG_STATE_HOME: at('state'),
      XDG_RUNTIME_DIR: at('runtime'),
      PATH: `${path.join(ROOT, 'test/fixtures/fake-nvidia-smi')}:${process.env['PATH'] ?? ''}`,
      FAKE_NVIDIA_SMI: at('machine'),
    },
    { vault: 'new' },
  );

  async function admin(method: string, address: string, body?: string): Promise<void> {
    const answer = await fetch(`${google.url}${address}`, {
      method,
      headers: {
        authorization: `Bearer ${await mintFor(google, 'boss')}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body }),
    });
    expect(answer.status, address).toBe(200);
  }

  // The harness sets its own in front of what it is given.
  home.env['TRAINYARD_PASSPHRASE_FILE'] = passphrase;
  await makeQuickVault(home.home, words);
  for (const name of [INPUT, OUTPUT])
    await admin('POST', '/storage/v1/b?project=demo-project', JSON.stringify({ name }));
  await admin('POST', `/upload/storage/v1/b/${INPUT}/o?uploadType=media&name=data/a.txt`, 'one');
  await mkdir(path.join(home.folder, 'code'));
  const asks = 'ask-tokens.mjs';
  await copyFile(
    path.join(ROOT, 'test/fixtures/worker-clients', asks),
    path.join(home.folder, 'code', asks),
  );

  const heard = (ended: Ended): Ended => {
    said.push(ended.stdout, ended.stderr);
    return ended;
  };
  const run = async (args: readonly string[], env: Record<string, string> = {}): Promise<Ended> =>
    heard(await home.run(args, env));
  const passes = async (args: readonly string[], env?: Record<string, string>): Promise<Ended> => {
    const ended = await run(args, env);
    expect(ended, ended.stderr.slice(-3_000)).toMatchObject({ status: 0 });
    return ended;
  };

  const jobFile = (name: string, worker: string, ...more: readonly string[]) =>
    home.file(
      `${name}.yaml`,
      [
        `name: ${name}`,
        'host: local',
        'code: { dir: ./code }',
        `workers: [${JSON.stringify(worker)}]`,
        `input: { gcs: gs://${INPUT}/data, key: lab }`,
        `output: { gcs: gs://${OUTPUT}/results, key: lab }`,
        ...more,
        '',
      ].join('\n'),
    );
  const keysAs = (mode: string) => `workerKeys: [{ key: lab, mode: ${mode} }]`;
  const detach = async (file: string, env?: Record<string, string>): Promise<string> =>
    (JSON.parse((await passes(['run', file, '--detach', '--json'], env)).stdout) as { id: string })
      .id;
  const letGo = async ({ runDirectory }: JobView): Promise<void> => {
    await mkdir(path.join(runDirectory, 'checkpoints/worker-0'), { recursive: true });
    await writeFile(path.join(runDirectory, 'checkpoints/worker-0/go'), '');
  };
  const gone = async (pid: number): Promise<void> => {
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 20_000 }).toBe(false);
  };
  const killAgent = async (id: string): Promise<JobView> => {
    const { agent } = await home.job(id);
    process.kill(agent?.pid ?? 0, 'SIGKILL');
    return home.until(id, (job) => job.state === 'interrupted');
  };

  /** Everywhere that a program of ours might have left something. */
  const everywhere = () => {
    marks.tokens(tokenLog());
    return marks.below(folder, home.folder, MEMORY_DISK);
  };
  const nowhere = async (when: string): Promise<void> => {
    expect((await everywhere()).found, when).toEqual([]);
  };

  const close = async (): Promise<void> => {
    await google.setFaults([]);
    await home.remove();
    await google.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    await rm(outside, { recursive: true, force: true });
  };
  return {
    /** Searched: the user's home, temporary files, buckets, and Trainyard's home beside them. */
    folder,
    /** Not searched: what this test itself knows of secrets. */
    outside,
    google,
    home,
    marks,
    /** What commands printed. */
    said,
    tokenLog,
    heard,
    run,
    passes,
    jobFile,
    keysAs,
    detach,
    letGo,
    gone,
    killAgent,
    everywhere,
    nowhere,
    close,
  };
}
