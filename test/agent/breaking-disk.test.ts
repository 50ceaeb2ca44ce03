import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  cannotBreakDisks,
  mountBreakableDisk,
  type BreakableDisk,
} from '../support/breakable-disk.ts';
import { startGoogle, type TestGoogle } from './google.ts';
import { kill, makeWorld, processesOf, until, type TestRun, type World } from './harness.ts';

vi.setConfig({ testTimeout: 180_000 });

const folder = mkdtempSync(path.join(tmpdir(), 'trainyard-breaking-'));
const trial = path.join(folder, 'trial');
await mkdir(trial);
const cannot = cannotBreakDisks(`${trial}.img`, trial);

let google: TestGoogle;
let world: World;
let disk: BreakableDisk;
const runs: TestRun[] = [];

/** The agent, its supervisors and workers have left: nothing keeps the disk. */
const allGone = (run: TestRun): Promise<void> =>
  until(async () => (await processesOf(run)).length === 0, 'all have ended', 120_000);

const below = async (prefix: string): Promise<string[]> =>
  (await google.admin.names('outputs')).filter((name) => name.startsWith(prefix)).toSorted();

/** `worker.start`, in the order of the events. */
const startsOf = (run: TestRun): string[] =>
  run
    .events()
    .flatMap((event) =>
      event.kind === 'worker-started' ? [`${event.worker}.${event.start}`] : [],
    );

describe.skipIf(cannot !== null)(
  `a disk that becomes read-only in the middle${cannot === null ? '' : ` (skipped: ${cannot})`}`,
  () => {
    beforeAll(async () => {
      google = await startGoogle();
    });
    afterAll(async () => {
      for (const run of runs) for (const { pid } of await processesOf(run)) kill(pid);
      disk.unmount();
      await world.remove();
      await google.emulator.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    test('everything ends, secrets in memory go, a retry says why it cannot, and later finishes what was left to do', async () => {
      const { trainer, admin, emulator } = google;
      world = await makeWorld();
      disk = mountBreakableDisk(path.join(world.root, 'disk.img'), world.home, 64);
      const job = async (fields: Parameters<World['run']>[0]): Promise<TestRun> => {
        const run = await world.run({ endpoints: trainer.endpoints, ...fields });
        runs.push(run);
        return run;
      };
      const go = path.join(world.root, 'go');
      const out = { running: google.output('running'), uploading: google.output('uploading') };
      const running = await job({
        workers: [
          'echo first > "$TRAINYARD_OUTPUT_PATH/result"',
          `dirname "$GOOGLE_APPLICATION_CREDENTIALS"; : > "$TRAINYARD_OUTPUT_PATH/ready"; while [ ! -e '${go}' ]; do sleep 0.05; done; echo second > "$TRAINYARD_OUTPUT_PATH/result"`,
        ],
        workerKeys: [{ account: trainer.account, mode: 'key-file' }],
        output: out.running,
      });
      const secrets = async () => ({
        ...(await trainer.secrets('write')),
        keys: [{ keyId: trainer.account.keyId, key: trainer.key }],
      });
      await running.begin(await secrets());
      await running.waitFor('worker-ended', (event) => event.worker === 0);
      await until(() => existsSync(running.at('output/worker-1/ready')), 'worker 1 is ready');
      const keyFolder = running.read('logs/worker-1.log').trim();
      expect(existsSync(keyFolder)).toBe(true);

      const uploading = await job({
        workers: [
          'echo ran; cd "$TRAINYARD_OUTPUT_PATH"; for n in $(seq 100 199); do echo "$n" > "f$n"; done',
        ],
        output: out.uploading,
      });
      await emulator.setFaults([
        { operation: 'upload-simple', fault: { kind: 'latency', milliseconds: 700 } },
      ]);
      await uploading.begin(await trainer.secrets('write'));
      await until(async () => (await below(out.uploading.prefix)).length > 0, 'the first file');
      disk.break();
      writeFileSync(go, '');
      for (const run of runs) await allGone(run);
      expect((await below(out.uploading.prefix)).length).toBeLessThan(100);
      expect(await below(out.running.prefix)).toEqual([]);
      expect(keyFolder.startsWith('/dev/shm/') && existsSync(keyFolder)).toBe(false);
      for (const run of runs) {
        const refused = await run.start(await secrets());
        expect(refused).toMatchObject({
          started: false,
          problem: {
            code: 'host.disk-refused',
            message: expect.stringContaining('read-only') as string,
          },
        });
      }

      await emulator.setFaults([]);
      disk.mend();
      await running.begin(await secrets());
      await uploading.begin(await trainer.secrets('write'));
      for (const run of runs) {
        expect(await run.ended()).toMatchObject({ state: 'finished' });
        const numbers = run.events().map((event) => event.seq);
        expect(numbers).toEqual(numbers.map((_, index) => index + 1));
        expect(readdirSync(run.at('private'))).toEqual([]);
      }
      expect(startsOf(running).toSorted()).toEqual(['0.1', '1.1', '1.2']);
      expect(startsOf(uploading)).toEqual(['0.1']);
      for (const [worker, text] of ['first\n', 'second\n'].entries())
        expect(await admin.get('outputs', `${out.running.prefix}worker-${worker}/result`)).toBe(
          text,
        );
      const names = await below(`${out.uploading.prefix}worker-0/f`);
      expect(names).toHaveLength(100);
      for (const name of [names[0]!, names[50]!, names[99]!])
        expect(await admin.get('outputs', name)).toBe(`${name.slice(-3)}\n`);
    });
  },
);
