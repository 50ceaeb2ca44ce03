import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { manifestSchema } from '../../src/shared/manifest.ts';
import type { JobPlan } from '../../src/shared/plan.ts';
import { isAlive } from '../../src/agent/identity.ts';
import type { RunningEmulator } from '../emulator/start.ts';
import { startGoogle, type Admin, type TestAccount, type TestGoogle } from './google.ts';
import {
  kill,
  makeWorld,
  pause,
  sha,
  sumsBelow,
  until,
  type TestRun,
  type World,
} from './harness.ts';
import { AGENT } from '../support/programs.ts';
import { AS_NOBODY, cannotDropPrivileges } from '../support/without-privileges.ts';
import { randomBytes } from '../support/random.ts';

vi.setConfig({ testTimeout: 120_000 });

const MIB = 1024 * 1024;

let world: World;
let emulator: RunningEmulator;
let trainer: TestAccount;
let admin: Admin;
let output: TestGoogle['output'];
let folder: string;

beforeAll(async () => {
  world = await makeWorld();
  folder = await mkdtemp(path.join(tmpdir(), 'trainyard-outputs-'));
  ({ emulator, trainer, admin, output } = await startGoogle());
});
afterEach(() => emulator.setFaults([]));
afterAll(async () => {
  await world.remove();
  await emulator.stop();
  await rm(folder, { recursive: true, force: true });
});

const job = (fields: Partial<JobPlan>): Promise<TestRun> =>
  world.run({ endpoints: trainer.endpoints, ...fields });

const below = async (prefix: string): Promise<string[]> =>
  (await admin.names('outputs'))
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length))
    .toSorted();

test('10,000 files in one folder, files without a byte, a folder without a file: all that are files arrive, in bounded time', async () => {
  const out = output('many');
  const run = await job({
    workers: [
      'cd "$TRAINYARD_OUTPUT_PATH"; mkdir many empty; : > zero; cd many; seq 10000 | split -l 1 -a 5 - f',
    ],
    output: out,
  });
  await run.begin(await trainer.secrets('write'));
  expect(await run.ended(1, 100_000)).toMatchObject({ state: 'finished' });
  const names = await below(out.prefix);
  expect(names).toHaveLength(10_002);
  const manifest = manifestSchema.parse(JSON.parse(run.read('manifest.json')));
  expect(manifest.objects).toHaveLength(10_001);
  expect(
    new Set(manifest.objects.map((object) => `${object.name} ${object.generation}`)).size,
  ).toBe(10_001);
  expect(manifest.objects.find((object) => object.name.endsWith('/zero'))).toMatchObject({
    size: 0,
    crc32c: 'AAAAAA==',
  });
  for (const name of names.filter((_, index) => index % 500 === 1))
    expect(sha(await admin.bytes('outputs', out.prefix + name)), name).toBe(
      sha(readFileSync(run.at(`output/${name}`))),
    );
  const { seconds } = await run.waitFor('output-uploaded');
  expect(seconds).toBeLessThan(90);
});

test('an archive whose upload is killed is made again, and holds what the worker wrote', async () => {
  const out = output('archived', { archive: true });
  const run = await job({
    workers: [
      'cd "$TRAINYARD_OUTPUT_PATH"; head -c 20000000 /dev/urandom > large; mkdir -p deep/er empty; echo x > deep/er/file; : > zero; echo "a b" > "with space"',
    ],
    output: out,
  });
  await emulator.setFaults([
    {
      operation: 'upload-chunk',
      fault: { kind: 'bandwidth', bytesPerSecond: 4 * MIB, of: 'request' },
    },
  ]);
  const first = await run.begin(await trainer.secrets('write'));
  await run.waitFor('stage-started', (event) => event.stage === 'uploading');
  await until(
    async () =>
      readFileSync(run.at('journals/upload.jsonl'), 'utf8').includes('"session"') &&
      (await below(out.prefix)).length === 0,
    'the upload began',
  );
  await pause(700);
  kill(first.pid);
  await until(() => !isAlive(first), 'agent gone');
  await emulator.setFaults([]);
  await run.begin(await trainer.secrets('write'));
  expect(await run.ended(2)).toMatchObject({ state: 'finished' });
  expect(await below(out.prefix)).toEqual(['manifest.json', 'worker-0.tar.gz']);
  const archive = path.join(folder, 'archive.tar.gz');
  writeFileSync(archive, await admin.bytes('outputs', `${out.prefix}worker-0.tar.gz`));
  const unpacked = await mkdtemp(path.join(folder, 'unpacked-'));
  execFileSync('tar', ['-xzf', archive, '-C', unpacked]);
  expect(sumsBelow(unpacked)).toEqual(sumsBelow(run.at('output/worker-0')));
  expect(run.events().filter((event) => event.kind === 'worker-started')).toHaveLength(1);
});

test('exact layout: a name that exists fails by itself, is never overwritten, and a retry tells the same', async () => {
  const prefix = 'results/exact-clash/';
  await admin.put('outputs', `${prefix}model`, 'of somebody else');
  const run = await job({
    workers: ['cd "$TRAINYARD_OUTPUT_PATH"; echo mine > model; echo log > log; : > zero'],
    output: output('exact', {
      prefix,
      layout: 'exact',
      manifest: `${prefix}trainyard-x.manifest.json`,
    }),
  });
  for (const attempt of [1, 2]) {
    await run.begin(await trainer.secrets('write'));
    const ended = await run.ended(attempt);
    expect(ended).toMatchObject({
      state: 'failed',
      stage: 'uploading',
      problem: { code: 'storage.exists' },
    });
    expect(ended.problem?.subject).toContain(`${prefix}model`);
    expect(await below(prefix)).toEqual(['log', 'model', 'zero']);
    expect(await admin.get('outputs', `${prefix}model`)).toBe('of somebody else');
    expect(await admin.get('outputs', `${prefix}log`)).toBe('log\n');
  }
  expect(run.read('output/worker-0/model')).toBe('mine\n');
});

test('a file that vanishes, and one that changes, while others go up: told by name, the rest arrives, a retry finishes', async () => {
  const out = output('vanishing');
  const run = await job({
    workers: ['cd "$TRAINYARD_OUTPUT_PATH"; for n in $(seq 100 180); do echo $n > f$n; done'],
    output: out,
  });
  await emulator.setFaults([
    { operation: 'upload-simple', after: 5, fault: { kind: 'latency', milliseconds: 6_000 } },
  ]);
  await run.begin(await trainer.secrets('write'));
  await until(async () => (await below(out.prefix)).length > 0, 'the first file is there');
  const there = new Set(await below(out.prefix));
  rmSync(run.at('output/worker-0/f180'));
  writeFileSync(run.at('output/worker-0/f179'), 'changed before it was read');
  // Those that are held up were begun before; the others go on at once.
  await emulator.setFaults([]);
  expect(there.has('worker-0/f180')).toBe(false);
  const ended = await run.ended(1);
  expect(ended).toMatchObject({
    state: 'failed',
    stage: 'uploading',
    problem: { code: 'transfer.file-gone' },
  });
  expect(ended.problem?.subject).toContain('f180');
  expect(await below(out.prefix)).toHaveLength(80);
  expect(await admin.get('outputs', `${out.prefix}worker-0/f179`)).toBe(
    'changed before it was read',
  );
  await emulator.setFaults([]);
  await run.begin(await trainer.secrets('write'));
  expect(await run.ended(2)).toMatchObject({ state: 'finished' });
  expect(await below(out.prefix)).toHaveLength(81);
});

const noDrop = cannotDropPrivileges();
test.skipIf(noDrop !== null)(
  `a folder and a file that cannot be read: told by name, the rest arrives, a retry finishes${noDrop === null ? '' : ` (skipped: ${noDrop})`}`,
  async () => {
    const own = await makeWorld();
    try {
      const out = output('unreadable');
      const run = await own.run({
        endpoints: trainer.endpoints,
        workers: [
          'cd "$TRAINYARD_OUTPUT_PATH"; id -u; echo a > a; mkdir closed; echo b > closed/b; chmod 000 closed; echo c > c; chmod 000 c',
        ],
        output: out,
      });
      const begin = async (): Promise<void> => {
        execFileSync('chown', ['-R', '65534:65534', own.root]);
        const answer = execFileSync(
          'setpriv',
          [...AS_NOBODY, process.execPath, AGENT, 'start', run.directory],
          {
            env: own.environment,
            encoding: 'utf8',
            input: JSON.stringify(await trainer.secrets('write')),
          },
        );
        expect(JSON.parse(answer)).toMatchObject({ started: true });
      };
      await begin();
      const ended = await run.ended(1);
      expect(run.read('logs/worker-0.log')).toBe('65534\n');
      const told = JSON.stringify(
        run.events().filter((event) => event.kind === 'warning' || event.kind === 'ended'),
      );
      expect(ended).toMatchObject({ state: 'failed', stage: 'uploading' });
      expect(told).toContain('closed');
      expect(told).toMatch(/worker-0\/c\b/);
      expect(await below(out.prefix)).toEqual(['worker-0/a']);
      chmodSync(run.at('output/worker-0/closed'), 0o700);
      chmodSync(run.at('output/worker-0/c'), 0o600);
      await begin();
      expect(await run.ended(2)).toMatchObject({ state: 'finished' });
      expect(await below(out.prefix)).toEqual([
        'manifest.json',
        'worker-0/a',
        'worker-0/c',
        'worker-0/closed/b',
      ]);
    } finally {
      await own.remove();
    }
  },
);

test('an object that is removed, and one that is replaced, while the input comes: told, and a retry finishes with what is there', async () => {
  const contents = new Map<string, Buffer>();
  for (let index = 100; index < 160; index += 1) {
    contents.set(`p${index}`, randomBytes(1_000));
    await admin.put('inputs', `moving/p${index}`, contents.get(`p${index}`)!);
  }
  const run = await job({
    input: {
      kind: 'gcs',
      address: 'gs://inputs/moving/',
      bucket: 'inputs',
      target: { kind: 'folder', prefix: 'moving/' },
      account: trainer.account,
    },
    workers: ['cd "$TRAINYARD_DATA_PATH"; sha256sum * > "$TRAINYARD_OUTPUT_PATH/sums"'],
  });
  await emulator.setFaults([{ operation: 'media', fault: { kind: 'latency', milliseconds: 600 } }]);
  await run.begin(await trainer.secrets('read'));
  await until(() => readdirSync(run.at('data')).length > 0, 'the first object');
  const replaced = randomBytes(2_000);
  await admin.put('inputs', 'moving/p158', replaced);
  await admin.remove('inputs', 'moving/p159');
  const ended = await run.ended(1);
  expect(ended).toMatchObject({ state: 'failed', stage: 'staging' });
  expect(JSON.stringify(ended.problem)).toMatch(/p15[89]/);
  expect(ended.problem?.hint).not.toBe('');
  await admin.put('inputs', 'moving/p159', contents.get('p159')!);
  contents.set('p158', replaced);
  await emulator.setFaults([]);
  await run.begin(await trainer.secrets('read'));
  expect(await run.ended(2)).toMatchObject({ state: 'finished' });
  const sums = run.read('output/worker-0/sums').trim().split('\n').toSorted();
  expect(sums).toEqual([...contents].map(([name, bytes]) => `${sha(bytes)}  ${name}`).toSorted());
});

test('the links that a tracker of experiments makes in the output are no loss, and what the job excludes is none', async () => {
  const out = output('links', { exclude: ['*.tmp', '/scratch/'] });
  const run = await job({
    workers: [
      [
        'echo weights > model.pt; cd "$TRAINYARD_OUTPUT_PATH"; mkdir -p wandb/run-1/files wandb/run-1/logs scratch',
        'echo log > wandb/run-1/logs/debug.log; ln -s run-1 wandb/latest-run; ln -s run-1/logs/debug.log wandb/debug.log',
        'ln -s "$TRAINYARD_MODEL_PATH/model.pt" wandb/run-1/files/model.pt',
        // It keeps this one among the user's own files.
        'echo core > "$HOME/core.log"; ln -s "$HOME/core.log" wandb/run-1/logs/debug-core.log',
        'echo x > a.tmp; echo x > scratch/x; ln -s /etc/hostname scratch/host',
      ].join('\n'),
    ],
    output: out,
  });
  await run.begin(await trainer.secrets('write'));
  expect(await run.ended()).toMatchObject({ state: 'finished', problem: null });
  expect(await below(out.prefix)).toEqual([
    'manifest.json',
    'worker-0/wandb/debug.log',
    'worker-0/wandb/run-1/files/model.pt',
    'worker-0/wandb/run-1/logs/debug.log',
  ]);
  expect(run.events().filter(({ kind }) => kind === 'left-out')).toEqual([]);
  const log = run.read('logs/stage.log');
  expect(log).toContain('left out by output.exclude: worker-0/a.tmp, worker-0/scratch');
  expect(log).toContain('worker-0/wandb/latest-run (worker-0/wandb/run-1)');
});
