import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mintToken } from '../../src/google/access-token.ts';
import { jobBoundary } from '../../src/google/boundary.ts';
import { downscope } from '../../src/google/downscope.ts';
import type { AgentSecrets, GrantedToken } from '../../src/shared/agent-protocol.ts';
import { PLATFORM_SCOPE, type AccessToken } from '../../src/shared/key.ts';
import type { InputPlan, JobPlan, OutputPlan } from '../../src/shared/plan.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { openAccount, openAdmin, type Admin, type TestAccount } from './google.ts';
import { makeWorld, type TestRun, type World } from './harness.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const CLIENTS = path.join(ROOT, 'test/fixtures/worker-clients');

let world: World;
let emulator: RunningEmulator;
let trainer: TestAccount;
let admin: Admin;
beforeAll(async () => {
  world = await makeWorld();
  const everything = ['inputs', 'inputs-2', 'outputs'].map(
    (bucket) => `${emailOf('trainer')}=roles/storage.admin@${bucket}`,
  );
  emulator = await startEmulator({
    accounts: [{ name: 'trainer' }, { name: 'boss' }],
    admins: [emailOf('boss')],
    grants: everything,
  });
  trainer = openAccount(emulator, 'trainer');
  admin = openAdmin(openAccount(emulator, 'boss'), emulator.url);
  for (const bucket of ['inputs', 'inputs-2', 'outputs']) await admin.makeBucket(bucket);
  await admin.put('inputs', 'data/one.txt', 'one');
  await admin.put('inputs', 'data-private/secret.txt', 'secret');
  await admin.put('inputs-2', 'data/one.txt', 'one of another bucket');
});
afterAll(async () => {
  await world.remove();
  await emulator.stop();
});

/** A job that reads `gs://inputs/data/` and writes below a prefix of its own, whose workers get the trainer's key in a mode. */
async function job(
  mode: JobPlan['workerKeys'][number]['mode'],
  fields: Partial<JobPlan>,
): Promise<TestRun> {
  const { account, endpoints } = trainer;
  const input: InputPlan = {
    kind: 'gcs',
    address: 'gs://inputs/data/',
    bucket: 'inputs',
    target: { kind: 'folder', prefix: 'data/' },
    account,
  };
  const prefix = `results/${Math.random().toString(36).slice(2)}/`;
  const output: OutputPlan = {
    address: 'gs://outputs/results',
    bucket: 'outputs',
    prefix,
    manifest: `${prefix}manifest.json`,
    layout: 'per-run',
    archive: false,
    account,
  };
  return world.run({ endpoints, input, output, workerKeys: [{ account, mode }], ...fields });
}

/** What the application hands over for a run: tokens for the transfers, and one for the workers. */
async function grant(run: TestRun): Promise<AgentSecrets> {
  const [read, write, worker] = [
    await trainer.token('read'),
    await trainer.token('write'),
    await workerToken(run),
  ];
  return { format: 1, tokens: [read, write, worker], keys: [] };
}

async function workerToken(run: TestRun): Promise<GrantedToken> {
  const signal = AbortSignal.timeout(10_000);
  const { endpoints, key, account } = trainer;
  const must = <T>(result: { ok: true; value: T } | { ok: false; problem: object }): T => {
    if (!result.ok) throw new Error(JSON.stringify(result.problem));
    return result.value;
  };
  let access: AccessToken = must(await mintToken(key, [PLATFORM_SCOPE], endpoints, { signal }));
  if (run.plan.workerKeys[0]?.mode === 'token') {
    const email = account.email;
    access = must(
      await downscope(access, must(jobBoundary(run.plan)), endpoints, { signal, email }),
    );
  }
  return { keyId: account.keyId, purpose: 'worker', access };
}

function outputOf(run: TestRun): Record<string, unknown> {
  const log = run.read('logs/worker-0.log');
  const line = log.split('\n').find((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(`no line of JSON in the log:\n${log}`);
  return JSON.parse(line) as Record<string, unknown>;
}

const STORAGE_CLIENT = `node ${path.join(CLIENTS, 'storage.mjs')}`;

describe('@google-cloud/storage in a worker, with default credentials', () => {
  test('token: reads its input and creates below its output, and nothing else, though the account may do all', async () => {
    const run = await job('token', { workers: [STORAGE_CLIENT], env: { TEST_ROOT: ROOT } });
    await run.begin(await grant(run));
    const ended = await run.ended();
    expect(ended, run.read('logs/worker-0.log')).toMatchObject({ state: 'finished' });
    expect(outputOf(run)).toEqual({
      email: trainer.account.email,
      project: 'demo-project',
      readInput: 200,
      listInput: 200,
      create: 200,
      startResumable: 200,
      overwrite: 403,
      deleteOutput: 403,
      readOutput: 403,
      listOutput: 403,
      createBeside: 403,
      createInInput: 403,
      deleteInput: 403,
      readNeighbour: 403,
      listNeighbour: 403,
      listShorter: 403,
      listAll: 403,
      readOtherBucket: 403,
      bucketDetails: 403,
      listBuckets: 403,
    });
  });
});
