import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { manifestSchema } from '../../src/shared/manifest.ts';
import type { JobPlan } from '../../src/shared/plan.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { openAccount, openAdmin, type Admin, type TestAccount } from './google.ts';
import { kill, makeWorld, pause, until, type TestRun, type World, filesIn } from './harness.ts';

vi.setConfig({ testTimeout: 90_000 });

let world: World;
let emulator: RunningEmulator;
let trainer: TestAccount;
let admin: Admin;

const INPUT = 'projects/_/buckets/inputs/objects/data/';
const OUTPUT = 'projects/_/buckets/outputs/objects/results/';

beforeAll(async () => {
  world = await makeWorld();
  emulator = await startEmulator({
    accounts: [{ name: 'trainer' }, { name: 'boss' }],
    admins: [emailOf('boss')],
    grants: [
      `${emailOf('trainer')}=storage.objects.list@inputs`,
      `${emailOf('trainer')}=roles/storage.objectViewer@inputs@resource.name.startsWith("${INPUT}")`,
      `${emailOf('trainer')}=roles/storage.objectCreator@outputs@resource.name.startsWith("${OUTPUT}")`,
    ],
  });
  trainer = openAccount(emulator, 'trainer');
  admin = openAdmin(openAccount(emulator, 'boss'), emulator.url);
  await admin.makeBucket('inputs');
  await admin.makeBucket('outputs');
  await admin.makeBucket('closed');
  for (let index = 0; index < 30; index += 1)
    await admin.put('inputs', `data/part-${index}.txt`, `part ${index}\n`);
});
afterAll(async () => {
  await world.remove();
  await emulator.stop();
});

const input = (): NonNullable<JobPlan['input']> => ({
  kind: 'gcs',
  address: 'gs://inputs/data',
  bucket: 'inputs',
  target: { kind: 'folder', prefix: 'data/' },
  account: trainer.account,
});

function output(
  id: string,
  fields: Partial<NonNullable<JobPlan['output']>> = {},
): NonNullable<JobPlan['output']> {
  const prefix = `results/test-job/${id}/`;
  return {
    address: 'gs://outputs/results',
    bucket: 'outputs',
    prefix,
    manifest: `${prefix}manifest.json`,
    layout: 'per-run',
    archive: false,
    account: trainer.account,
    ...fields,
  };
}

let serial = 0;
const unique = (): string => `run-${(serial += 1)}`;

const below = async (prefix: string, bucket = 'outputs'): Promise<string[]> =>
  (await admin.names(bucket))
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length))
    .toSorted();

const job = (fields: Partial<JobPlan>): Promise<TestRun> =>
  world.run({ endpoints: trainer.endpoints, ...fields });

test.concurrent(
  'input from a bucket, output per worker, the manifest last and complete',
  async () => {
    const out = output(unique());
    const run = await job({
      workers: [
        'cat "$TRAINYARD_DATA_PATH"/part-*.txt | wc -l > "$TRAINYARD_OUTPUT_PATH/lines"',
        'mkdir -p "$TRAINYARD_OUTPUT_PATH/deep"; echo deep > "$TRAINYARD_OUTPUT_PATH/deep/file"',
      ],
      input: input(),
      output: out,
    });
    await run.begin(await trainer.secrets('read', 'write'));
    expect(await run.ended()).toMatchObject({ state: 'finished' });
    expect(await below(out.prefix)).toEqual([
      'manifest.json',
      'worker-0/lines',
      'worker-1/deep/file',
    ]);
    expect((await admin.get('outputs', `${out.prefix}worker-0/lines`)).trim()).toBe('30');
    const uploaded = manifestSchema.parse(
      JSON.parse(await admin.get('outputs', `${out.prefix}manifest.json`)),
    );
    expect(uploaded).toEqual(JSON.parse(run.read('manifest.json')));
    expect(uploaded.objects.map((object) => object.name)).toEqual([
      `${out.prefix}worker-0/lines`,
      `${out.prefix}worker-1/deep/file`,
    ]);
    expect(uploaded.state).toBe('finished');
    await run.waitFor('data-staged', (event) => event.objects === 30);
    await run.waitFor('manifest-uploaded');
    expect(readdirSync(run.at('private'))).toEqual([]);
  },
);

test.concurrent(
  'a bucket that refuses the output: kept on disk, and a retry after the grant only uploads',
  async () => {
    const out = output(unique(), { bucket: 'closed' });
    const run = await job({
      workers: ['echo ran; echo x > "$TRAINYARD_OUTPUT_PATH/x"'],
      output: out,
    });
    await run.begin(await trainer.secrets('write'));
    const failed = await run.ended(1);
    expect(failed).toMatchObject({ state: 'failed', stage: 'uploading' });
    expect(failed.problem?.code).toMatch(/^access\./);
    expect(failed.problem?.hint).toContain('Storage Object Creator (roles/storage.objectCreator)');
    // For the user's own prefix, not the run's: one grant serves all jobs.
    expect(failed.problem?.hint).toContain(
      'startsWith("projects/_/buckets/closed/objects/results/")',
    );
    expect(run.read('output/worker-0/x')).toBe('x\n');
    await admin.grant('closed', 'roles/storage.objectCreator', trainer.account.email);
    await run.begin(await trainer.secrets('write'));
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    expect(await below(out.prefix, 'closed')).toEqual(['manifest.json', 'worker-0/x']);
    expect(run.read('logs/worker-0.log')).toBe('ran\n');
    const second = run
      .events()
      .slice(
        run.events().findIndex((event) => event.kind === 'agent-started' && event.attempt === 2),
      );
    expect(
      second.some((event) => event.kind === 'stage-started' && event.stage !== 'uploading'),
    ).toBe(false);
  },
);

test.concurrent(
  'output of a failed worker is uploaded, without a manifest; what a retry changes goes beside it',
  async () => {
    const out = output(unique());
    const run = await job({
      workers: [
        'cd "$TRAINYARD_OUTPUT_PATH"; echo same > same; n=$(ls | wc -l); touch -d 2020-01-01 same; date +%N > changing; [ -e tried ] && exit 0; touch tried; exit 1',
      ],
      output: out,
    });
    await run.begin(await trainer.secrets('write'));
    expect(await run.ended(1)).toMatchObject({ state: 'failed', stage: 'running' });
    expect(await below(out.prefix)).toEqual([
      'worker-0/changing',
      'worker-0/same',
      'worker-0/tried',
    ]);
    const before = await admin.get('outputs', `${out.prefix}worker-0/changing`);
    await run.begin(await trainer.secrets('write'));
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    expect(await below(out.prefix)).toEqual([
      'manifest.json',
      'worker-0/attempt-2/changing',
      'worker-0/changing',
      'worker-0/same',
      'worker-0/tried',
    ]);
    expect(await admin.get('outputs', `${out.prefix}worker-0/changing`)).toBe(before);
    expect(await admin.get('outputs', `${out.prefix}worker-0/attempt-2/changing`)).toBe(
      run.read('output/worker-0/changing'),
    );
    const manifest = manifestSchema.parse(JSON.parse(run.read('manifest.json')));
    expect(manifest.objects).toHaveLength(4);
  },
);

test.concurrent(
  'exact layout: one worker straight below the prefix, archives by worker',
  async () => {
    const name = unique();
    const prefix = `results/exact-${name}/`;
    const exact = output(name, {
      prefix,
      layout: 'exact',
      manifest: `${prefix}trainyard-${name}.manifest.json`,
    });
    const one = await job({ workers: ['echo a > "$TRAINYARD_OUTPUT_PATH/a"'], output: exact });
    await one.begin(await trainer.secrets('write'));
    expect(await one.ended()).toMatchObject({ state: 'finished' });
    expect(await below(prefix)).toEqual(['a', `trainyard-${name}.manifest.json`]);

    const again = await job({
      workers: ['echo b > "$TRAINYARD_OUTPUT_PATH/a"'],
      output: { ...exact, manifest: `${prefix}other.manifest.json` },
    });
    await again.begin(await trainer.secrets('write'));
    expect(await again.ended()).toMatchObject({
      state: 'failed',
      stage: 'uploading',
      problem: { code: 'storage.exists' },
    });
    expect(await admin.get('outputs', `${prefix}a`)).toBe('a\n');

    const archived = output(unique(), { archive: true });
    const two = await job({
      workers: [
        'echo 0 > "$TRAINYARD_OUTPUT_PATH/a"',
        'echo 1 > "$TRAINYARD_OUTPUT_PATH/a"; [ -e "$TRAINYARD_CHECKPOINT_PATH/t" ] && exit 0; touch "$TRAINYARD_CHECKPOINT_PATH/t"; exit 1',
      ],
      output: archived,
    });
    await two.begin(await trainer.secrets('write'));
    expect(await two.ended(1)).toMatchObject({ state: 'failed' });
    await two.begin(await trainer.secrets('write'));
    expect(await two.ended(2)).toMatchObject({ state: 'finished' });
    expect(await below(archived.prefix)).toEqual([
      'manifest.json',
      'worker-0.tar.gz',
      'worker-1.tar.gz',
      'worker-1/attempt-2.tar.gz',
    ]);
  },
);

test.concurrent('a refused input fails staging with the grant to ask for', async () => {
  const run = await job({
    input: {
      ...input(),
      bucket: 'closed',
      target: { kind: 'folder', prefix: 'data/' },
    } as JobPlan['input'],
  });
  await run.begin(await trainer.secrets('read'));
  const ended = await run.ended();
  expect(ended).toMatchObject({ state: 'failed', stage: 'staging' });
  expect(ended.problem?.code).toMatch(/^access\./);
  expect(ended.problem?.hint).toContain('storage.objects.list');
});

const deliver = async (run: TestRun, ...purposes: ('read' | 'write')[]): Promise<void> => {
  const { tokens } = await trainer.secrets(...purposes);
  mkdirSync(run.at('private/inbox'), { recursive: true });
  writeFileSync(run.at('private/inbox/.new'), JSON.stringify({ format: 1, tokens }));
  renameSync(run.at('private/inbox/.new'), run.at(`private/inbox/${Date.now()}.json`));
};

test.concurrent(
  'without access the upload waits with the output safe, and goes on when a token comes',
  async () => {
    const out = output(unique());
    const run = await job({ workers: ['echo x > "$TRAINYARD_OUTPUT_PATH/x"'], output: out });
    await run.begin();
    const awaited = await run.waitFor('access-awaited');
    expect(awaited.account).toBe(trainer.account.email);
    expect(awaited.hint).toContain(`trainyard retry ${run.id}`);
    expect(run.read('output/worker-0/x')).toBe('x\n');
    await pause(300);
    expect(run.events().filter((event) => event.kind === 'access-awaited')).toHaveLength(1);
    await deliver(run, 'write');
    await run.waitFor('access-renewed');
    expect(await run.ended()).toMatchObject({ state: 'finished' });
    expect(await below(out.prefix)).toEqual(['manifest.json', 'worker-0/x']);
  },
);

test.concurrent(
  'staging waits for access in the same way, and a stop while it waits works',
  async () => {
    const run = await job({ input: input() });
    await run.begin();
    await run.waitFor('access-awaited');
    await run.stop();
    expect(await run.ended(1)).toMatchObject({ state: 'stopped', stage: 'staging' });
    await run.begin();
    await run.waitFor(
      'access-awaited',
      (event) => event.seq > run.events().findLast((each) => each.kind === 'agent-started')!.seq,
    );
    await deliver(run, 'read');
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
  },
);

test.concurrent(
  'a stop while workers run uploads what there is; a second stop gives the waiting upload up',
  async () => {
    const out = output(unique());
    const run = await job({
      workers: ['echo x > "$TRAINYARD_OUTPUT_PATH/x"; sleep 60'],
      output: out,
    });
    await run.begin();
    await until(() => existsSync(run.at('output/worker-0/x')), 'output');
    await run.stop();
    await run.waitFor('access-awaited');
    await deliver(run, 'write');
    expect(await run.ended()).toMatchObject({ state: 'stopped' });
    expect(await below(out.prefix)).toEqual(['worker-0/x']);

    const other = await job({ workers: ['sleep 60'], output: output(unique()) });
    await other.begin();
    await other.waitFor('worker-started');
    await other.stop();
    await other.waitFor('worker-ended');
    await pause(50);
    await other.stop();
    expect(await other.ended()).toMatchObject({ state: 'stopped' });
  },
);

test.concurrent('an unattended run renews its access by itself', async () => {
  const out = output(unique());
  const run = await job({
    workers: ['echo x > "$TRAINYARD_OUTPUT_PATH/x"'],
    input: input(),
    output: out,
    unattended: true,
  });
  await run.begin({
    format: 1,
    tokens: [],
    keys: [{ keyId: trainer.account.keyId, key: trainer.key }],
  });
  expect(await run.ended()).toMatchObject({ state: 'finished' });
  expect(run.events().some((event) => event.kind === 'access-awaited')).toBe(false);
  const everything = Buffer.concat(Object.values(filesIn(run.directory))).toString('latin1');
  expect(everything.length).toBeGreaterThan(1_000);
  expect(everything).not.toContain(trainer.key.privateKey.slice(100, 140));
});

test.concurrent(
  'key-file: the worker finds the key beside its gcloud folder, and nothing is left of it',
  async () => {
    const run = await job({
      workers: [
        'stat -c %a "$GOOGLE_APPLICATION_CREDENTIALS" "$(dirname "$GOOGLE_APPLICATION_CREDENTIALS")"; grep -c "BEGIN PRIVATE KEY" "$GOOGLE_APPLICATION_CREDENTIALS"; dirname "$GOOGLE_APPLICATION_CREDENTIALS"; dirname "$CLOUDSDK_CONFIG"; cp "$GOOGLE_APPLICATION_CREDENTIALS" "$CLOUDSDK_CONFIG/copy"; grep -o "\\"token_uri\\": *\\"[^\\"]*\\"" "$GOOGLE_APPLICATION_CREDENTIALS"',
      ],
      workerKeys: [{ account: trainer.account, mode: 'key-file' }],
    });
    const missing = await job({ workerKeys: [{ account: trainer.account, mode: 'key-file' }] });
    await missing.begin();
    expect(await missing.ended()).toMatchObject({
      state: 'failed',
      problem: { code: 'access.key-missing' },
    });

    await run.begin({
      format: 1,
      tokens: [],
      keys: [{ keyId: trainer.account.keyId, key: trainer.key }],
    });
    expect(await run.ended()).toMatchObject({ state: 'finished' });
    const [file, folder, found, keyFolder, sdkFolder, tokenUri] = run
      .read('logs/worker-0.log')
      .split('\n');
    expect([file, folder, found]).toEqual(['600', '700', '1']);
    expect(keyFolder).toBe(sdkFolder);
    expect(keyFolder).toMatch(/^\/dev\/shm\/trainyard-|\/private\/key$/);
    expect(tokenUri).toContain(trainer.endpoints.oauthToken);
    expect(existsSync(keyFolder!)).toBe(false);
    expect(readdirSync(run.at('private'))).toEqual([]);
  },
);

test.concurrent('a transfer is a run: download, then upload', async () => {
  const down = await world.run();
  const base = {
    format: 1,
    kind: 'transfer',
    name: 'copy',
    host: 'local',
    createdAt: new Date().toISOString(),
    application: 'test',
    endpoints: trainer.endpoints,
    account: trainer.account,
    unattended: false,
  };
  const folder = path.join(world.root, 'fetched');
  writeFileSync(
    down.at('plan.json'),
    JSON.stringify({
      ...base,
      id: down.id,
      direction: 'download',
      bucket: 'inputs',
      target: { kind: 'folder', prefix: 'data/' },
      prefix: null,
      path: folder,
    }),
  );
  await down.begin(await trainer.secrets('read'));
  expect(await down.ended()).toMatchObject({ state: 'finished' });
  expect(readdirSync(folder)).toHaveLength(30);
  const up = await world.run();
  writeFileSync(
    up.at('plan.json'),
    JSON.stringify({
      ...base,
      id: up.id,
      direction: 'upload',
      bucket: 'outputs',
      target: null,
      prefix: 'results/copy/',
      path: folder,
    }),
  );
  await up.begin(await trainer.secrets('write'));
  expect(await up.ended()).toMatchObject({ state: 'finished' });
  expect(await below('results/copy/')).toHaveLength(30);
});

test.concurrent(
  'tokens that live three seconds: the job waits for access, an unattended one does not',
  async () => {
    const short = await startEmulator({
      accounts: [{ name: 'brief' }, { name: 'boss' }],
      admins: [emailOf('boss')],
      grants: [`${emailOf('brief')}=roles/storage.objectCreator@outputs`],
      tokenLifetimeSeconds: 3,
    });
    try {
      const brief = openAccount(short, 'brief');
      await openAdmin(openAccount(short, 'boss'), short.url).makeBucket('outputs');
      const fields = (): Partial<JobPlan> => ({
        endpoints: brief.endpoints,
        workers: ['sleep 3.5; echo x > "$TRAINYARD_OUTPUT_PATH/x"'],
        output: output(unique(), { account: brief.account }),
      });
      const run = await world.run(fields());
      const unattended = await world.run({ ...fields(), unattended: true });
      await run.begin(await brief.secrets('write'));
      await unattended.begin({
        format: 1,
        tokens: [],
        keys: [{ keyId: brief.account.keyId, key: brief.key }],
      });
      await run.waitFor('access-awaited');
      await pause(1_000);
      expect(run.events().some((event) => event.kind === 'ended')).toBe(false);
      // As `trainyard retry` does while the agent lives: fresh tokens into the inbox.
      const { tokens } = await brief.secrets('write');
      writeFileSync(run.at('private/inbox/.new'), JSON.stringify({ format: 1, tokens }));
      renameSync(run.at('private/inbox/.new'), run.at('private/inbox/fresh.json'));
      expect(await run.ended()).toMatchObject({ state: 'finished' });
      expect(run.events().filter((event) => event.kind === 'access-renewed')).toHaveLength(1);
      expect(await unattended.ended()).toMatchObject({ state: 'finished' });
      expect(unattended.events().some((event) => event.kind === 'access-awaited')).toBe(false);
    } finally {
      await short.stop();
    }
  },
);

test.concurrent(
  'a stop while the upload waits ends it; a retry uploads and runs nothing again',
  async () => {
    const out = output(unique());
    const run = await job({
      workers: ['echo ran; echo x > "$TRAINYARD_OUTPUT_PATH/x"'],
      output: out,
    });
    await run.begin();
    await run.waitFor('access-awaited');
    await run.stop();
    expect(await run.ended(1)).toMatchObject({ state: 'stopped', stage: 'uploading' });
    await run.begin(await trainer.secrets('write'));
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    expect(await below(out.prefix)).toEqual(['manifest.json', 'worker-0/x']);
    expect(run.read('logs/worker-0.log')).toBe('ran\n');
  },
);

test.concurrent(
  'the agent is killed inside the upload: the next one uploads the rest',
  async () => {
    const out = output(unique());
    const run = await job({
      workers: [
        'cd "$TRAINYARD_OUTPUT_PATH"; for n in $(seq 300); do echo $n > f$n; done; head -c 20000000 /dev/urandom > large',
      ],
      output: out,
    });
    const first = await run.begin({ format: 1, tokens: [await trainer.token('write')], keys: [] });
    await run.waitFor('stage-started', (event) => event.stage === 'uploading');
    await pause(120);
    kill(first.pid);
    await run.begin(await trainer.secrets('write'));
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    const names = await below(out.prefix);
    expect(names).toHaveLength(302);
    const manifest = manifestSchema.parse(
      JSON.parse(await admin.get('outputs', `${out.prefix}manifest.json`)),
    );
    expect(manifest.objects.map((object) => object.name).toSorted()).toEqual(
      names
        .filter((name) => name !== 'manifest.json')
        .map((name) => `${out.prefix}${name}`)
        .toSorted(),
    );
    expect(run.events().filter((event) => event.kind === 'worker-started')).toHaveLength(1);
  },
);
