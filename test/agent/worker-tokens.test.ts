import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isAlive } from '../../src/agent/identity.ts';
import { mintToken } from '../../src/google/access-token.ts';
import { jobBoundary } from '../../src/google/boundary.ts';
import { downscope } from '../../src/google/downscope.ts';
import type { AgentSecrets, GrantedToken } from '../../src/shared/agent-protocol.ts';
import { PLATFORM_SCOPE, type AccessToken } from '../../src/shared/key.ts';
import type { InputPlan, JobPlan, OutputPlan } from '../../src/shared/plan.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { noRclone } from '../support/rclone.ts';
import { openAccount, openAdmin, type Admin, type TestAccount } from './google.ts';
import { kill, makeWorld, until, type TestRun, type World } from './harness.ts';

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
  // With the whole access of the account, a worker of another test removed it.
  await admin.put('inputs', 'data/one.txt', 'one');
  const prefix = `results/${randomUUID()}/`;
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
const env = { TEST_ROOT: ROOT };

/** The program that answers to one of these commands, or null. */
function find(...commands: readonly string[]): string | null {
  for (const command of commands)
    try {
      execFileSync('sh', ['-c', `${command} >/dev/null 2>&1`]);
      return command;
    } catch {
      // The next may be there.
    }
  return null;
}

function portOf(run: TestRun): number {
  return (JSON.parse(run.read('control/token-port.json')) as { port: number }).port;
}

async function metadata(
  run: TestRun,
  page: string,
  headers: Record<string, string> = { 'Metadata-Flavor': 'Google' },
): Promise<{ status: number; text: string; headers: Headers }> {
  const answer = await fetch(`http://127.0.0.1:${portOf(run)}${page}`, { headers });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

const ACCOUNTS = '/computeMetadata/v1/instance/service-accounts/';
const TOKEN = `${ACCOUNTS}default/token`;
/** A worker that goes on until the test says so. */
const WAITS = 'until [ -e "$TRAINYARD_CHECKPOINT_PATH/go" ]; do sleep 0.1; done';
const letGo = (run: TestRun): void => writeFileSync(run.at('checkpoints/worker-0/go'), '');

/** A credential of the user's own, where client libraries look for one. */
function plantOwnCredential(): void {
  const folder = path.join(world.root, 'user/.config/gcloud');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    path.join(folder, 'application_default_credentials.json'),
    JSON.stringify({
      type: 'authorized_user',
      client_id: 'id',
      client_secret: 'secret',
      refresh_token: 'token',
    }),
  );
}
const removeOwnCredential = (): void =>
  rmSync(path.join(world.root, 'user/.config'), { recursive: true, force: true });
const warnings = (run: TestRun): string =>
  run
    .events()
    .flatMap((event) => (event.kind === 'warning' ? [event.message] : []))
    .join();

const NARROWED = {
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
};

describe('@google-cloud/storage in a worker, with default credentials', () => {
  test('token: reads its input and creates below its output, and nothing else, though the account may do all', async () => {
    plantOwnCredential();
    const run = await job('token', { workers: [STORAGE_CLIENT], env });
    await run.begin(await grant(run));
    const ended = await run.ended();
    removeOwnCredential();
    expect(ended, run.read('logs/worker-0.log')).toMatchObject({ state: 'finished' });
    const { email } = trainer.account;
    expect(outputOf(run)).toEqual({ email, project: 'demo-project', ...NARROWED });
    expect(warnings(run)).toContain('application_default_credentials.json is there');
    expect(allTextOf(run)).not.toContain('ya29.');
  }, 120_000);

  test('account-token: may do what the account may, and no warning is told without a reason', async () => {
    const run = await job('account-token', { workers: [STORAGE_CLIENT], env });
    await run.begin(await grant(run));
    expect(await run.ended(), run.read('logs/worker-0.log')).toMatchObject({ state: 'finished' });
    expect(outputOf(run)).toMatchObject({
      email: trainer.account.email,
      readInput: 200,
      create: 200,
      overwrite: 200,
      deleteOutput: 200,
      readNeighbour: 200,
      readOtherBucket: 200,
      createBeside: 200,
    });
    expect(warnings(run)).toBe('');
  }, 120_000);
});

describe('other clients in a worker, mode token', () => {
  test.skipIf(noRclone !== null)(
    `rclone, which takes Go's default credentials, lists and reads the input and is refused elsewhere${noRclone === null ? '' : ` (${noRclone})`}`,
    async () => {
      const rclone =
        'rclone --config /dev/null --retries 1 --low-level-retries 1 --gcs-endpoint "$STORAGE_EMULATOR_HOST/storage/v1/" --gcs-no-check-bucket';
      const steps = {
        list: `${rclone} lsf :gcs:inputs/data/ | grep -x one.txt`,
        read: `${rclone} copyto :gcs:inputs/data/one.txt read.txt && grep -x one read.txt`,
        create: `${rclone} copyto read.txt ":gcs:\${TRAINYARD_OUTPUT_ADDRESS#gs://}rclone.txt"`,
        neighbour: `${rclone} cat :gcs:inputs/data-private/secret.txt`,
        listNeighbour: `${rclone} lsf :gcs:inputs/data-private/ | grep secret.txt`,
      };
      const script = Object.entries(steps)
        .map(([name, step]) => `if ${step}; then echo "${name}: yes"; else echo "${name}: no"; fi`)
        .join('\n');
      const run = await job('token', { workers: [script] });
      const before = (await emulator.requestLog()).length;
      await run.begin(await grant(run));
      await run.ended();
      const log = run.read('logs/worker-0.log');
      const told: Record<string, string> = Object.fromEntries(
        [...log.matchAll(/^(\w+): (yes|no)$/gm)].map(([, name = '', answer = '']) => [
          name,
          answer,
        ]),
      );
      expect(told, log).toEqual({
        list: 'yes',
        read: 'yes',
        // It asks for the destination before it writes, which a key that may only create cannot answer.
        create: 'no',
        neighbour: 'no',
        listNeighbour: 'no',
      });
      const asked = (await emulator.requestLog()).slice(before);
      expect(asked.filter(({ object }) => object?.startsWith('data-private/'))).not.toEqual([]);
      expect(new Set(asked.flatMap(({ account }) => account ?? []))).toEqual(
        new Set([trainer.account.email]),
      );
    },
  );

  const python =
    ['python3', '/usr/bin/python3'].find(
      (one) => find(`${one} -c "import google.auth, requests"`) !== null,
    ) ?? null;
  test.skipIf(python === null)(
    "Python's google-auth reads the input and creates below the output, as the service account (skipped where it is not installed)",
    async () => {
      plantOwnCredential();
      const script = path.join(CLIENTS, 'storage.py');
      const run = await job('token', { workers: [`${python ?? ''} ${script}`] });
      await run.begin(await grant(run));
      const ended = await run.ended(1, 100_000);
      removeOwnCredential();
      expect(ended, run.read('logs/worker-0.log')).toMatchObject({ state: 'finished' });
      expect(outputOf(run)).toEqual({
        email: trainer.account.email,
        project: 'demo-project',
        readInput: 200,
        readNeighbour: 403,
        create: 200,
        createBeside: 403,
      });
    },
    120_000,
  );
});

describe('the metadata server of a job', () => {
  test('has the pages that clients ask for, and refuses what is not asked as they ask', async () => {
    const run = await job('token', { workers: [WAITS] });
    await run.begin(await grant(run));
    await run.waitFor('worker-started');
    const { email } = trainer.account;
    const scopes = [PLATFORM_SCOPE];
    expect(await metadata(run, '/', {})).toMatchObject({ status: 200 });
    expect((await metadata(run, '/')).headers.get('metadata-flavor')).toBe('Google');
    const pages = {
      '/computeMetadata/v1/project/project-id': 'demo-project',
      '/computeMetadata/v1/project/numeric-project-id': '0',
      '/computeMetadata/v1/universe/universe-domain': 'googleapis.com',
      [ACCOUNTS]: `default/\n${email}/\n`,
      [`${ACCOUNTS}default/email`]: email,
      [`${ACCOUNTS}${email}/email`]: email,
      [`${ACCOUNTS}default/scopes`]: `${PLATFORM_SCOPE}\n`,
      [`${ACCOUNTS}default/aliases`]: 'default\n',
    };
    for (const [page, text] of Object.entries(pages))
      expect([page, await metadata(run, page)]).toEqual([
        page,
        expect.objectContaining({ status: 200, text }),
      ]);
    const account = { aliases: ['default'], email, scopes };
    const json = async (page: string): Promise<unknown> =>
      JSON.parse((await metadata(run, page)).text);
    expect(await json(`${ACCOUNTS}default/?recursive=true`)).toEqual(account);
    expect(await json(`${ACCOUNTS}?recursive=true`)).toEqual({
      default: account,
      [email]: account,
    });
    expect(await json(`${TOKEN}?scopes=a`)).toEqual({
      access_token: expect.stringMatching(/^ya29/) as string,
      expires_in: expect.any(Number) as number,
      token_type: 'Bearer',
    });
    const refused = async (page: string, headers?: Record<string, string>): Promise<number> => {
      const answer = await metadata(run, page, headers);
      expect(answer.text).not.toContain('ya29');
      return answer.status;
    };
    expect(await refused(`${ACCOUNTS}default/identity?audience=x`)).toBe(404);
    expect(await refused(`${ACCOUNTS}someone@else/token`)).toBe(404);
    expect(await refused('/anything')).toBe(404);
    expect(await refused(TOKEN, {})).toBe(403);
    expect(await refused(TOKEN, { 'Metadata-Flavor': 'google!' })).toBe(403);
    expect(
      await refused(TOKEN, { 'Metadata-Flavor': 'Google', 'X-Forwarded-For': '127.0.0.1' }),
    ).toBe(403);
    // A page in a browser can make its own name mean this machine.
    expect(await statusOfRawRequest(portOf(run), 'evil.example.org')).toBe(403);
    expect(await statusOfRawRequest(portOf(run), `127.0.0.1:${portOf(run)}`)).toBe(200);
    letGo(run);
    await run.ended();
    await expect(metadata(run, '/')).rejects.toThrow();
  });

  test.skipIf(process.getuid?.() !== 0 || find('command -v setpriv') === null)(
    'gives another user of the machine nothing (skipped where privileges cannot be dropped)',
    async () => {
      const run = await job('token', { workers: [WAITS] });
      await run.begin(await grant(run));
      await run.waitFor('worker-started');
      const askAs = (...drop: readonly string[]): string =>
        execFileSync(
          drop[0] ?? '',
          [
            ...drop.slice(1),
            ...['curl', '-s', '-g', '--noproxy', '*', '-w', '%{http_code}'],
            ...['-H', 'Metadata-Flavor: Google', `http://127.0.0.1:${portOf(run)}${TOKEN}`],
          ],
          { encoding: 'utf8' },
        );
      const other = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
      expect(askAs(...other)).toBe('This server serves another user.403');
      expect(askAs('env')).toMatch(/ya29.*200$/);
      letGo(run);
      await run.ended();
    },
  );

  test('says 503 and that access is awaited while it has no token, and goes on when one comes', async () => {
    const run = await job('token', { workers: [WAITS] });
    await run.begin({ ...(await grant(run)), tokens: [await trainer.token('read')] });
    await run.waitFor('worker-started');
    const answer = await metadata(run, TOKEN);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2']);
    await run.waitFor('access-awaited', ({ account }) => account === trainer.account.email);
    const tokens = [await workerToken(run), await trainer.token('write')];
    writeFileSync(run.at('private/inbox/.new'), JSON.stringify({ format: 1, tokens }));
    renameSync(run.at('private/inbox/.new'), run.at('private/inbox/1.json'));
    await run.waitFor('access-renewed');
    expect((await metadata(run, TOKEN)).status).toBe(200);
    letGo(run);
    expect(await run.ended()).toMatchObject({ state: 'finished' });
  });

  test('of an agent that was killed is opened again by the next one, on the same port', async () => {
    const asks = `node ${path.join(CLIENTS, 'ask-tokens.mjs')}`;
    const run = await job('token', {
      workers: [`${WAITS}; ${asks}`],
      env: { SECONDS: '1', BUCKET: 'inputs', PREFIX: 'data/' },
    });
    const agent = await run.begin(await grant(run));
    const { pid } = await run.waitFor('worker-started');
    const port = portOf(run);
    kill(agent.pid);
    await until(() => !isAlive(agent), 'the agent is gone');
    await expect(metadata(run, '/')).rejects.toThrow();
    await run.begin(await grant(run));
    await until(async () => (await metadata(run, TOKEN)).status === 200, 'the server is back');
    expect(portOf(run)).toBe(port);
    letGo(run);
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    expect(run.events().filter(({ kind }) => kind === 'worker-started')).toHaveLength(1);
    expect(pid).toBeGreaterThan(0);
    expect(outputOf(run)).toMatchObject({ tokens: 1, wrong: [] });
  });

  test('whose port another program took meanwhile says so', async () => {
    const run = await job('token', { workers: [WAITS] });
    const agent = await run.begin(await grant(run));
    await run.waitFor('worker-started');
    const port = portOf(run);
    kill(agent.pid);
    await until(() => !isAlive(agent), 'the agent is gone');
    const squatter = createServer();
    await until(async () => {
      squatter.listen(port, '127.0.0.1');
      await once(squatter, 'listening');
      return true;
    }, 'the port is free');
    await run.begin(await grant(run));
    await run.waitFor('warning', ({ message }) => message.includes(`taken port ${port}`));
    squatter.close();
    letGo(run);
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
  });
});

/** Every file of a run as text, but those that the run fetched. */
function allTextOf(run: TestRun): string {
  return readdirSync(run.directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}

function statusOfRawRequest(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(
      { host: '127.0.0.1', port, path: TOKEN, headers: { host, 'metadata-flavor': 'Google' } },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      },
    ).once('error', reject);
  });
}
