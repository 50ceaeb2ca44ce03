import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatServiceAccountFile } from '../../src/google/service-account-file.ts';
import { hide } from '../../src/agent/hide.ts';
import { isAlive } from '../../src/agent/identity.ts';
import { mintToken } from '../../src/google/access-token.ts';
import { jobBoundary } from '../../src/google/boundary.ts';
import { downscope } from '../../src/google/downscope.ts';
import type { AgentSecrets } from '../../src/shared/agent-protocol.ts';
import { PLATFORM_SCOPE, type AccessToken } from '../../src/shared/key.ts';
import { notebookAddress, notebookServerSchema } from '../../src/shared/notebook.ts';
import type { JobPlan } from '../../src/shared/plan.ts';
import {
  callJupyter,
  noJupyter,
  openKernel,
  splitAddress,
  startKernel,
} from '../support/jupyter.ts';
import { startGoogle, type TestGoogle } from './google.ts';
import { kill, makeWorld, until, type TestRun, type World } from './harness.ts';
import { fc } from '../support/properties.ts';

const READS = path.resolve(import.meta.dirname, '../fixtures/worker-clients/storage.py');

let world: World;
let google: TestGoogle;
beforeAll(async () => {
  google = await startGoogle();
  await google.admin.put('inputs', 'data/one.txt', 'one');
  await google.admin.put('inputs', 'data-private/secret.txt', 'secret');
  world = await makeWorld();
}, 120_000);
afterAll(async () => {
  await world.remove();
  await google.emulator.stop();
}, 60_000);

type Mode = JobPlan['workerKeys'][number]['mode'];

/** A notebook that reads `gs://inputs/data/` and whose output goes below a prefix of its own. */
function notebook(mode: Mode | null, fields: Partial<JobPlan> = {}): Promise<TestRun> {
  const { account, endpoints } = google.trainer;
  return world.run({
    kind: 'notebook',
    endpoints,
    workers: ['jupyter'],
    code: { kind: 'empty' },
    input: {
      kind: 'gcs',
      address: 'gs://inputs/data/',
      bucket: 'inputs',
      target: { kind: 'folder', prefix: 'data/' },
      account,
    },
    output: google.output(randomUUID()),
    workerKeys: mode === null ? [] : [{ account, mode }],
    stopGraceSeconds: 20,
    ...fields,
  });
}

/** What the application would hand over for it. */
async function grant(run: TestRun): Promise<AgentSecrets> {
  const { trainer } = google;
  const secrets = await trainer.secrets('read', 'write');
  const mode = run.plan.workerKeys[0]?.mode;
  if (mode === undefined) return secrets;
  const { keyId } = trainer.account;
  if (mode === 'key-file') return { ...secrets, keys: [{ keyId, key: trainer.key }] };
  const signal = AbortSignal.timeout(20_000);
  const full = await mintToken(trainer.key, [PLATFORM_SCOPE], trainer.endpoints, { signal });
  if (!full.ok) throw new Error(full.problem.message);
  let access: AccessToken = full.value;
  if (mode === 'token') {
    const boundary = jobBoundary(run.plan);
    if (!boundary.ok) throw new Error(boundary.problem.message);
    const { email } = trainer.account;
    const narrowed = await downscope(access, boundary.value, trainer.endpoints, { signal, email });
    if (!narrowed.ok) throw new Error(narrowed.problem.message);
    access = narrowed.value;
  }
  return { ...secrets, tokens: [...secrets.tokens, { keyId, purpose: 'worker', access }] };
}

/** Its address with the token, once it answers; `after`: events before this number are of an earlier start. */
async function addressOf(run: TestRun, after = 0): Promise<string> {
  await run.waitFor('notebook-ready', ({ seq }) => seq > after, 120_000);
  const server: unknown = JSON.parse(run.read('private/notebook/server.json'));
  return notebookAddress(notebookServerSchema.parse(server));
}

async function stopped(run: TestRun, attempt = 1) {
  await run.stop();
  return run.ended(attempt, 120_000);
}

const lastSeq = (run: TestRun): number => run.events().at(-1)?.seq ?? 0;
const pidsOf = (run: TestRun): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, 'utf8').includes(
          `TRAINYARD_JOB_ID=${run.id}\0`,
        );
      } catch {
        return false;
      }
    })
    .map(Number);

/** The status that a request gets, with headers that `fetch` would not send. */
function statusOf(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request(url, { headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    call.on('upgrade', (answer, socket) => {
      socket.destroy();
      resolve(answer.statusCode ?? 0);
    });
    call.on('error', reject);
    call.end();
  });
}

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
};

/** Code for a kernel that reads the bucket: with Python's google-auth where it is there, by its own means elsewhere. */
const READ_BUCKET = `
import json, os, urllib.request
def by_hand():
    def get(url, headers):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, b''
    server = 'http://' + os.environ['GCE_METADATA_HOST'] + '/computeMetadata/v1/instance/service-accounts/default/'
    flavor = {'Metadata-Flavor': 'Google'}
    token = json.loads(get(server + 'token', flavor)[1])['access_token']
    bearer = {'Authorization': 'Bearer ' + token}
    objects = os.environ['STORAGE_EMULATOR_HOST'] + '/storage/v1/b/inputs/o/'
    return {
        'email': get(server + 'email', flavor)[1].decode(),
        'readInput': get(objects + 'data%2Fone.txt?alt=media', bearer)[0],
        'readNeighbour': get(objects + 'data-private%2Fsecret.txt?alt=media', bearer)[0],
    }
try:
    import google.auth, google.auth.transport.requests
    exec(compile(open(${JSON.stringify(READS)}).read(), 'storage.py', 'exec'))
except ImportError:
    print(json.dumps(by_hand() if 'GCE_METADATA_HOST' in os.environ else
        {'email': json.load(open(os.environ['GOOGLE_APPLICATION_CREDENTIALS']))['client_email'], 'readInput': 200}))
`;
const WRITE_OUTPUT = `
import os
with open(os.path.join(os.environ['TRAINYARD_DATA_PATH'], 'one.txt')) as data:
    text = data.read()
with open(os.path.join(os.environ['TRAINYARD_OUTPUT_PATH'], 'result.txt'), 'w') as output:
    output.write(text + ' and more')
print(os.environ.get('CUDA_VISIBLE_DEVICES'), os.getcwd())
`;

const result = (run: TestRun): Promise<string> =>
  google.admin.get('outputs', `${run.plan.output!.prefix}worker-0/result.txt`);

describe.skipIf(noJupyter !== null)(`a real Jupyter (${noJupyter ?? 'is there'})`, () => {
  test('token: a kernel reads the bucket narrowed to the job; a stop uploads its output and finishes; the token is nowhere to be seen', async () => {
    const run = await notebook('token');
    await run.begin(await grant(run));
    const url = await addressOf(run);
    const { origin, token } = splitAddress(url);

    const kernel = await startKernel(url);
    const { email } = google.trainer.account;
    expect(JSON.parse(await kernel.execute(READ_BUCKET))).toMatchObject({
      email,
      readInput: 200,
      readNeighbour: 403,
    });
    expect(await kernel.execute(WRITE_OUTPUT)).toBe(` ${run.at('workers/0/code')}\n`);

    // Only the token opens it, from its own pages, by its own name.
    const header = { authorization: `token ${token}` };
    expect(await statusOf(`${origin}/api/contents`, {})).toBe(403);
    expect(await statusOf(`${origin}/api/contents`, header)).toBe(200);
    expect(await statusOf(`${origin}/api/contents`, { ...header, host: 'evil.example' })).toBe(403);
    // A browser that was let in sends its cookie with whatever a page of somebody else asks for.
    const entered = await fetch(url);
    // Notebook 6 writes the token of a redirected request into its log, which hides it; later ones hide it themselves.
    await fetch(`${origin}/?token=${token}`);
    await until(
      () => /302 GET \/\?token=\[\w+\]/.test(run.read('logs/worker-0.log')),
      'the request is in the log',
    );
    const cookie = entered.headers
      .getSetCookie()
      .map((each) => each.split(';')[0])
      .join('; ');
    const channel = `${origin}/api/kernels/${kernel.id}/channels`;
    expect(await statusOf(channel, { ...UPGRADE, cookie, origin })).toBe(101);
    expect(await statusOf(channel, { ...UPGRADE, cookie, origin: 'https://evil.example' })).toBe(
      403,
    );

    // On the disk it is in private/ alone, for this user alone; on no command line and in no environment.
    const holding = grep(run.directory, token);
    expect(holding.length).toBeGreaterThan(0);
    for (const file of holding)
      expect(path.relative(run.directory, file)).toMatch(/^private\/notebook\//);
    for (const folder of ['', 'private', 'private/notebook', 'private/notebook/runtime'])
      expect(statSync(run.at(folder)).mode & 0o077).toBe(0);
    // Jupyter chooses the modes of what it writes at run time; nobody else gets through the folders to it.
    const closed = readdirSync(run.at('private'), { recursive: true, withFileTypes: true })
      .map((entry) => ({ entry, file: path.join(entry.parentPath, entry.name) }))
      .filter(({ entry, file }) => {
        const ofJupyter = file.startsWith(run.at('private/notebook/runtime/'));
        return entry.isDirectory() || !ofJupyter;
      })
      .map(({ file }) => file);
    expect(closed).toContain(run.at('private/notebook/config.json'));
    expect(closed.filter((file) => (statSync(file).mode & 0o077) !== 0)).toEqual([]);
    for (const file of ['config.json', 'server.json', 'open.html'])
      expect(statSync(run.at(`private/notebook/${file}`)).mode & 0o777).toBe(0o600);
    const pids = pidsOf(run);
    expect(pids.length).toBeGreaterThan(1);
    for (const pid of pids)
      for (const name of ['cmdline', 'environ'])
        expect(readFileSync(`/proc/${pid}/${name}`, 'utf8')).not.toContain(token);

    expect(await stopped(run)).toMatchObject({ state: 'finished', problem: null });
    expect(await result(run)).toBe('one and more');
    expect(JSON.parse(await google.admin.get('outputs', run.plan.output!.manifest))).toMatchObject({
      state: 'finished',
    });
    expect(readdirSync(run.at('private'))).toEqual([]);
    expect(grep(run.directory, token)).toEqual([]);
    expect(pidsOf(run)).toEqual([]);
  }, 300_000);

  test('account-token: a kernel may read what the account may, and nothing of the job is left', async () => {
    const run = await notebook('account-token');
    await run.begin(await grant(run));
    const kernel = await startKernel(await addressOf(run));
    expect(JSON.parse(await kernel.execute(READ_BUCKET))).toMatchObject({
      email: google.trainer.account.email,
      readInput: 200,
      readNeighbour: 200,
    });
    await kernel.execute(WRITE_OUTPUT);
    expect(await stopped(run)).toMatchObject({ state: 'finished' });
    expect(await result(run)).toBe('one and more');
  }, 300_000);

  test('key-file: a kernel reads the bucket with the file of GOOGLE_APPLICATION_CREDENTIALS, which is gone at the end', async () => {
    const run = await notebook('key-file');
    await run.begin(await grant(run));
    const kernel = await startKernel(await addressOf(run));
    const file = (
      await kernel.execute("import os; print(os.environ['GOOGLE_APPLICATION_CREDENTIALS'])")
    ).trim();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(
      JSON.parse(
        formatServiceAccountFile(google.trainer.key, {
          tokenUri: google.trainer.endpoints.oauthToken,
        }),
      ),
    );
    expect(JSON.parse(await kernel.execute(READ_BUCKET))).toMatchObject({
      email: google.trainer.account.email,
      readInput: 200,
    });
    await kernel.execute(WRITE_OUTPUT);
    expect(await stopped(run)).toMatchObject({ state: 'finished' });
    expect(await result(run)).toBe('one and more');
    expect(() => statSync(file)).toThrow(/ENOENT/);
  }, 300_000);

  test('it outlives its agent, and a retry adopts it; killed, it has failed, none of its kernels goes on, and a retry starts it again', async () => {
    const run = await notebook(null, { input: null });
    const agent = await run.begin(await grant(run));
    const url = await addressOf(run);
    const kernel = await startKernel(url);
    await kernel.execute('kept = 6 * 7');
    kill(agent.pid);
    await until(() => !isAlive(agent), 'the agent is gone');
    expect(await kernel.execute('print(kept)')).toBe('42\n');

    const adopting = lastSeq(run);
    await run.begin(await grant(run));
    await run.waitFor('worker-adopted');
    expect(await openKernel(url, kernel.id).execute('print(kept)')).toBe('42\n');
    await run.waitFor('notebook-ready', ({ seq }) => seq > adopting);

    const seq = lastSeq(run);
    const jupyter = run.events().find((event) => event.kind === 'worker-started')!;
    await kernel.execute(
      "import os; open(os.path.join(os.environ['TRAINYARD_OUTPUT_PATH'], 'result.txt'), 'w').write('kept')",
    );
    kill((jupyter as { pid: number }).pid);
    expect(await run.ended(2)).toMatchObject({ state: 'failed', stage: 'running' });
    expect(pidsOf(run)).toEqual([]);
    expect(await result(run)).toBe('kept');

    await run.begin(await grant(run));
    const again = await addressOf(run, seq);
    expect(splitAddress(again).token).not.toBe(splitAddress(url).token);
    expect(await callJupyter(again, '/api/kernels')).toEqual([]);
    expect(await stopped(run, 3)).toMatchObject({ state: 'finished' });
  }, 300_000);

  test('where the upload after a stop fails, the run has failed there; a retry uploads and starts no Jupyter', async () => {
    const run = await notebook(null, { input: null });
    const output = { ...run.plan.output!, bucket: 'not-there' };
    writeFileSync(run.at('plan.json'), JSON.stringify({ ...run.plan, output }));
    await run.begin(await grant(run));
    const kernel = await startKernel(await addressOf(run));
    await kernel.execute(
      "import os; open(os.path.join(os.environ['TRAINYARD_OUTPUT_PATH'], 'result.txt'), 'w').write('safe')",
    );
    expect(await stopped(run)).toMatchObject({ state: 'failed', stage: 'uploading' });

    await google.admin.makeBucket('not-there');
    await google.admin.grant(
      'not-there',
      'roles/storage.objectCreator',
      google.trainer.account.email,
    );
    await run.begin(await grant(run));
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    expect(await google.admin.get('not-there', `${output.prefix}worker-0/result.txt`)).toBe('safe');
    expect(run.events().filter(({ kind }) => kind === 'worker-started')).toHaveLength(1);
  }, 300_000);
});

/** A world whose PATH has only these programs besides the system's own shell. */
async function worldWith(programs: Readonly<Record<string, string>>): Promise<World> {
  const bare = await makeWorld();
  const folder = path.join(bare.root, 'programs');
  mkdirSync(folder);
  for (const name of ['bash', 'sh', 'env', 'node', 'mkfifo', 'sleep', 'git'])
    writeFileSync(
      path.join(folder, name),
      `#!/bin/sh\nexec ${execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()} "$@"\n`,
    );
  for (const [name, text] of Object.entries(programs)) writeFileSync(path.join(folder, name), text);
  for (const name of readdirSync(folder)) chmodSync(path.join(folder, name), 0o755);
  Object.assign(bare.environment, { PATH: folder, SHELL: path.join(folder, 'sh') });
  // A login shell may set its own.
  writeFileSync(path.join(bare.root, 'user/.profile'), `PATH=${folder}\n`);
  return bare;
}

/** Paths of the files below a folder that hold a text. */
function grep(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));
}

test('without a Jupyter it fails before anything is fetched, and says how to get one', async () => {
  const bare = await worldWith({});
  try {
    const run = await bare.run({ kind: 'notebook', code: { kind: 'empty' }, workers: ['jupyter'] });
    await run.begin();
    const ended = await run.ended();
    expect(ended).toMatchObject({ state: 'failed', stage: 'staging' });
    expect(ended.problem).toMatchObject({ code: 'host.no-jupyter' });
    expect(ended.problem!.hint).toContain('pip install jupyterlab');
    expect(run.events().some(({ kind }) => kind === 'stage-started')).toBe(false);
  } finally {
    await bare.remove();
  }
}, 120_000);

test('a Jupyter that answers without its token is ended, and never called ready', async () => {
  const serves = `#!/bin/sh
case "$1" in --version) echo 4.2.0; exit;; esac
for each in "$@"; do case "$each" in --port=*) port=\${each#--port=};; esac; done
exec node -e "require('http').createServer((q, a) => a.end('{}')).listen($port, '127.0.0.1')"
`;
  const bare = await worldWith({ 'jupyter-lab': serves });
  try {
    const run = await bare.run({ kind: 'notebook', code: { kind: 'empty' }, workers: ['jupyter'] });
    await run.begin();
    expect(await run.ended()).toMatchObject({
      state: 'failed',
      stage: 'running',
      problem: { code: 'host.notebook-open' },
    });
    expect(run.events().some(({ kind }) => kind === 'notebook-ready')).toBe(false);
  } finally {
    await bare.remove();
  }
}, 120_000);

test('a secret that comes in pieces is hidden whole, and nothing else is', () => {
  const secret = 'aabaac';
  const bytes = fc.array(fc.constantFrom('a', 'b', 'c', secret, '\n'), { maxLength: 30 });
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(40), { maxLength: 6 }), (words, cuts) => {
      const text = words.join('');
      const at = [0, ...cuts.filter((cut) => cut < text.length).toSorted((a, b) => a - b)];
      const hider = hide(secret);
      const pieces = at.map((from, index) =>
        hider.take(Buffer.from(text.slice(from, at[index + 1]))),
      );
      const shown = Buffer.concat([...pieces, hider.rest()]).toString();
      expect(shown).toBe(text.replaceAll(secret, '[hidden]'));
    }),
  );
});
