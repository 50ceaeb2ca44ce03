import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { FaultRuleInput } from '../../src/emulator/faults/rules.ts';
import { isAlive } from '../../src/agent/identity.ts';
import { manifestSchema, type Manifest } from '../../src/shared/manifest.ts';
import type { OutputPlan } from '../../src/shared/plan.ts';
import type { RunningEmulator } from '../emulator/start.ts';
import { startGoogle, type Admin, type TestAccount, type TestGoogle } from './google.ts';
import { kill, makeWorld, sha, sumsBelow, until, type TestRun, type World } from './harness.ts';

vi.setConfig({ testTimeout: 120_000 });

/** A byte that arrives wrong inside a session: the bucket cannot notice, for the checksum is known only at the end. */
const WRONG_BYTE: FaultRuleInput = {
  operation: 'upload-chunk',
  first: 1,
  countBy: 'object',
  fault: { kind: 'wrong-byte', at: 5_000_000, of: 'request' },
};
const WORKER =
  'cd "$TRAINYARD_OUTPUT_PATH"; head -c 20000000 /dev/urandom > large; mkdir deep; echo x > deep/small';

let world: World;
let emulator: RunningEmulator;
let trainer: TestAccount;
let admin: Admin;
let output: TestGoogle['output'];
let folder: string;

beforeAll(async () => {
  world = await makeWorld();
  folder = mkdtempSync(path.join(tmpdir(), 'trainyard-damaged-'));
  ({ emulator, trainer, admin, output } = await startGoogle());
});
afterEach(() => emulator.setFaults([]));
afterAll(async () => {
  await world.remove();
  await emulator.stop();
  await rm(folder, { recursive: true, force: true });
});

const job = (out: OutputPlan): Promise<TestRun> =>
  world.run({ endpoints: trainer.endpoints, workers: [WORKER], output: out });

const manifestOf = (run: TestRun): Manifest =>
  manifestSchema.parse(JSON.parse(run.read('manifest.json')));

/** What an archive in the bucket unpacks to, by path. */
async function unpacked(object: string): Promise<Record<string, string>> {
  const to = mkdtempSync(path.join(folder, 'unpacked-'));
  const archive = `${to}.tar.gz`;
  writeFileSync(archive, await admin.bytes('outputs', object));
  execFileSync('tar', ['-xzf', archive, '-C', to]);
  return sumsBelow(to);
}

/** The objects that the manifest names are the bucket's, by size and generation, and none is only assumed. */
async function expectTrueManifest(run: TestRun): Promise<void> {
  const { objects } = manifestOf(run);
  expect(objects).not.toEqual([]);
  for (const { name, size, assumed } of objects) {
    expect(assumed, name).toBe(false);
    expect((await admin.bytes('outputs', name)).length, name).toBe(size);
  }
}

/** The output is whole under the names of the manifest, `again` being that of what was damaged at first. */
async function expectOutput(run: TestRun, out: OutputPlan, again: string): Promise<void> {
  await expectTrueManifest(run);
  const names = manifestOf(run).objects.map(({ name }) => name.slice(out.prefix.length));
  expect(names).toEqual(out.archive ? [again] : [again, 'worker-0/deep/small']);
  const wanted = sumsBelow(run.at('output/worker-0'));
  const found = out.archive
    ? await unpacked(out.prefix + again)
    : {
        'deep/small': sha(await admin.bytes('outputs', `${out.prefix}worker-0/deep/small`)),
        large: sha(await admin.bytes('outputs', out.prefix + again)),
      };
  expect(found).toEqual(wanted);
}

/** Starts, and kills the agent while the answer to its last request, the one after `after` others, is held back: the object is there, and nobody heard so. */
async function dieBeforeTheAnswer(run: TestRun, object: string, after: number): Promise<void> {
  await emulator.setFaults([
    { ...WRONG_BYTE, countBy: 'rule' },
    { operation: 'upload-chunk', after, fault: { kind: 'delay', milliseconds: 30_000 } },
  ]);
  const agent = await run.begin(await trainer.secrets('write'));
  await until(async () => (await admin.names('outputs')).includes(object), 'the object is there');
  kill(agent.pid);
  await until(() => !isAlive(agent), 'agent gone');
  await emulator.setFaults([]);
}

test.each([true, false])(
  'output that arrived damaged is sent again under another name, and the damaged object is never told as the output: archive %s',
  async (archive) => {
    const out = output(`damaged-${archive}`, { archive });
    const run = await job(out);
    await emulator.setFaults([{ ...WRONG_BYTE, countBy: 'rule' }]);
    await run.begin(await trainer.secrets('write'));
    expect(await run.ended()).toMatchObject({ state: 'finished' });
    await expectOutput(
      run,
      out,
      archive ? 'worker-0/attempt-1.tar.gz' : 'attempt-1/worker-0/large',
    );
  },
);

test.each([true, false])(
  'output that arrives damaged under every name fails, and retry finishes once the network is well: archive %s',
  async (archive) => {
    const out = output(`twice-${archive}`, { archive });
    const run = await job(out);
    await emulator.setFaults([WRONG_BYTE]);
    await run.begin(await trainer.secrets('write'));
    expect(await run.ended()).toMatchObject({
      state: 'failed',
      stage: 'uploading',
      problem: { code: 'transfer.checksum' },
    });
    // A session that is not known any more is how a damaged object was once taken for the output.
    await emulator.setFaults([
      { operation: 'upload-query', first: 1, fault: { kind: 'expired-session' } },
    ]);
    await run.begin(await trainer.secrets('write'));
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    await expectOutput(
      run,
      out,
      archive ? 'worker-0/attempt-2.tar.gz' : 'attempt-2/worker-0/large',
    );
  },
);

test.each([
  { archive: true, requests: 2 },
  { archive: false, requests: 1 },
])(
  'output that arrived damaged just before the agent died is sent again under another name: archive $archive',
  async ({ archive, requests }) => {
    const out = output(`died-${archive}`, { archive });
    const run = await job(out);
    await dieBeforeTheAnswer(
      run,
      `${out.prefix}worker-0${archive ? '.tar.gz' : '/large'}`,
      requests,
    );
    await run.begin(await trainer.secrets('write'));
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    await expectOutput(
      run,
      out,
      archive ? 'worker-0/attempt-2.tar.gz' : 'attempt-2/worker-0/large',
    );
  },
);

test('with layout exact a damaged object is told until somebody removed it, and never assumed', async () => {
  const prefix = 'results/damaged-exact/';
  const out = output('x', { prefix, layout: 'exact', manifest: `${prefix}x.manifest.json` });
  const run = await job(out);
  await emulator.setFaults([WRONG_BYTE]);
  await run.begin(await trainer.secrets('write'));
  expect(await run.ended()).toMatchObject({
    state: 'failed',
    problem: { code: 'transfer.checksum' },
  });
  await emulator.setFaults([]);
  await run.begin(await trainer.secrets('write'));
  const second = await run.ended(2);
  expect(second).toMatchObject({ state: 'failed', problem: { code: 'storage.exists' } });
  expect(second.problem?.hint).toContain('Remove that object');
  await admin.remove('outputs', `${prefix}large`);
  await run.begin(await trainer.secrets('write'));
  expect(await run.ended(3)).toMatchObject({ state: 'finished' });
  expect(sha(await admin.bytes('outputs', `${prefix}large`))).toBe(
    sha(readFileSync(run.at('output/worker-0/large'))),
  );
  await expectTrueManifest(run);
});
