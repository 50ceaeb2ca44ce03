import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { JobPlan } from '../../src/shared/plan.ts';
import type { RunningEmulator } from '../emulator/start.ts';
import { startGoogle, type Admin, type TestAccount, type TestGoogle } from './google.ts';
import {
  kill,
  makeWorld,
  pause,
  processesOf,
  sha,
  until,
  type TestRun,
  type World,
} from './harness.ts';
import { randomBytes } from '../support/random.ts';

vi.setConfig({ testTimeout: 120_000 });

const MIB = 1024 * 1024;
/** `f_type` of tmpfs (statfs(2)). */
const TMPFS = 0x01021994;

/** Whether a small disk of our own can be mounted: root, and a system that allows it. */
function canMount(): boolean {
  const folder = path.join('/tmp', `trainyard-mount-${process.pid}`);
  try {
    mkdirSync(folder);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let emulator: RunningEmulator;
let trainer: TestAccount;
let admin: Admin;
let output: TestGoogle['output'];
const parts = new Map(
  Array.from({ length: 24 }, (_, index) => [`part-${index}`, randomBytes(MIB)] as const),
);

const mounts = canMount();
const name = `a disk that is full, or read-only${mounts ? '' : ' (skipped: a small disk can be mounted by root on Linux alone)'}`;

describe.skipIf(!mounts)(name, () => {
  beforeAll(async () => {
    ({ emulator, trainer, admin, output } = await startGoogle());
    for (const [name, bytes] of parts) await admin.put('inputs', `data/${name}`, bytes);
  });
  afterAll(async () => {
    await emulator.stop();
  });

  let worlds: { readonly world: World; readonly runs: TestRun[]; readonly close: () => void }[] =
    [];
  afterEach(async () => {
    for (const { world, runs, close } of worlds) {
      close();
      for (const run of runs) for (const { pid } of await processesOf(run)) kill(pid);
      execFileSync('umount', ['--lazy', world.home]);
      await world.remove();
    }
    worlds = [];
    await emulator.setFaults([]);
  });

  interface SmallDisk {
    readonly world: World;
    run(plan?: Partial<JobPlan>): Promise<TestRun>;
    /** Takes all room that there is. */
    fill(): void;
    /** Goes on taking what becomes free, until it is given back. */
    keepFull(): void;
    makeRoom(): void;
  }

  async function smallDisk(mebibytes: number): Promise<SmallDisk> {
    const world = await makeWorld();
    execFileSync('mount', [
      ...['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0700`, 'tmpfs', world.home],
    ]);
    const runs: TestRun[] = [];
    // Checked when it is opened, and held open: whatever becomes of the mount, nothing is ever written to another disk.
    let filler: number | null = null;
    const openFiller = (): number => {
      const fd = openSync(path.join(world.home, 'filler'), 'w');
      const room = statfsSync(world.home);
      if (room.type !== TMPFS || room.blocks * room.bsize > mebibytes * MIB)
        throw new Error(`no small disk is mounted at ${world.home}`);
      return fd;
    };
    let timer: NodeJS.Timeout | null = null;
    const fill = (): void => {
      filler ??= openFiller();
      for (const size of [MIB, 4096, 1])
        try {
          while (writeSync(filler, Buffer.alloc(size)) === size);
        } catch {
          // No room for so much.
        }
    };
    const makeRoom = (): void => {
      if (timer !== null) clearInterval(timer);
      timer = null;
      if (filler === null) return;
      ftruncateSync(filler, 0);
      closeSync(filler);
      filler = null;
    };
    worlds.push({ world, runs, close: makeRoom });
    return {
      world,
      async run(plan) {
        const run = await world.run({ endpoints: trainer.endpoints, ...plan });
        runs.push(run);
        return run;
      },
      fill,
      keepFull() {
        fill();
        timer = setInterval(fill, 20);
      },
      makeRoom,
    };
  }

  const freeOf = (disk: SmallDisk): number => {
    const { bavail, bsize } = statfsSync(disk.world.home);
    return bavail * bsize;
  };

  test('a worker that fills the disk: the log says what it lost, the events warn, and it goes on once there is room', async () => {
    const disk = await smallDisk(48);
    const run = await disk.run({
      workers: [
        [
          'echo before',
          'head -c 100000000 /dev/zero > big',
          'for n in $(seq 2000); do echo "line $n of a log that has no room"; done',
          'while [ -e big ]; do sleep 0.05; done',
          'echo after',
          'echo result > "$TRAINYARD_OUTPUT_PATH/result"',
        ].join('; '),
      ],
    });
    await run.begin();
    await run.waitFor('warning', (event) => event.message.includes('nearly full'));
    await until(() => freeOf(disk) === 0, 'the disk is full');
    await pause(1_500);
    // A removed file has no name before its room is free: the worker must not go on in between.
    truncateSync(run.at('workers/0/code/big'));
    rmSync(run.at('workers/0/code/big'));
    expect(await run.ended(), run.read('events.jsonl')).toMatchObject({ state: 'finished' });
    const log = run.read('logs/worker-0.log');
    expect(log.startsWith('before\n')).toBe(true);
    expect(log).toMatch(
      /\[Trainyard: \d+ bytes of the log are lost here: the disk was full\]\nafter\n$/,
    );
    expect(run.read('output/worker-0/result')).toBe('result\n');
  });

  test('a worker that ends while the disk is full: its end is not lost, and it is not started again', async () => {
    const disk = await smallDisk(48);
    const run = await disk.run({
      workers: [
        'echo start; echo result > "$TRAINYARD_OUTPUT_PATH/result"; touch "$TRAINYARD_OUTPUT_PATH/ready"; while [ ! -e "$TRAINYARD_DATA_PATH/../control/go" ]; do sleep 0.05; done; exit 0',
      ],
    });
    await run.begin();
    await run.waitFor('worker-started');
    await until(() => existsSync(run.at('output/worker-0/ready')), 'the worker is ready');
    disk.keepFull();
    // An empty file takes no room there.
    writeFileSync(run.at('control/go'), '');
    await pause(3_000);
    expect(run.events().some((event) => event.kind === 'ended')).toBe(false);
    expect((await processesOf(run)).length).toBeGreaterThan(0);
    disk.makeRoom();
    expect(await run.ended()).toMatchObject({ state: 'finished' });
    expect(run.events().filter((event) => event.kind === 'worker-started')).toHaveLength(1);
    expect(run.read('logs/worker-0.log')).toBe('start\n');
    expect(run.read('output/worker-0/result')).toBe('result\n');
    const numbers = run.events().map((event) => event.seq);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(readdirSync(run.at('private'))).toEqual([]);
    expect(existsSync(run.at('control/reserve'))).toBe(false);
  });

  test('the disk fills while the data comes: told as host.no-room, and a retry fetches the rest', async () => {
    const disk = await smallDisk(64 + 24 + 20);
    const run = await disk.run({
      input: {
        kind: 'gcs',
        address: 'gs://inputs/data',
        bucket: 'inputs',
        target: { kind: 'folder', prefix: 'data/' },
        account: trainer.account,
      },
      workers: ['cd "$TRAINYARD_DATA_PATH"; sha256sum * > "$TRAINYARD_OUTPUT_PATH/sums"'],
    });
    await emulator.setFaults([
      { operation: 'media', fault: { kind: 'bandwidth', bytesPerSecond: MIB / 2 } },
    ]);
    await run.begin(await trainer.secrets('read'));
    await until(() => readdirSync(run.at('data')).length > 0, 'the first bytes');
    disk.fill();
    expect(await run.ended(1)).toMatchObject({
      state: 'failed',
      stage: 'staging',
      problem: { code: 'host.no-room' },
    });
    await emulator.setFaults([]);
    disk.makeRoom();
    await run.begin(await trainer.secrets('read'));
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    const sums = new Map(
      run
        .read('output/worker-0/sums')
        .trim()
        .split('\n')
        .map((line) => line.split('  ').toReversed() as [string, string]),
    );
    expect(sums.size).toBe(parts.size);
    for (const [name, bytes] of parts) expect(sums.get(name), name).toBe(sha(bytes));
  });

  test('no room for the journal of the upload: nothing is lost, and a retry only uploads', async () => {
    const disk = await smallDisk(48);
    const out = output('journal');
    const run = await disk.run({
      workers: [
        'echo ran; cd "$TRAINYARD_OUTPUT_PATH"; for n in $(seq 20); do head -c 100000 /dev/urandom > f$n; done',
      ],
      output: out,
    });
    await run.begin();
    await run.waitFor('access-awaited');
    const { tokens } = await trainer.secrets('write');
    writeFileSync(run.at('private/inbox/.new'), JSON.stringify({ format: 1, tokens }));
    disk.keepFull();
    renameSync(run.at('private/inbox/.new'), run.at('private/inbox/fresh.json'));
    // Told although nothing else can be written: room for the last events was set aside.
    expect(await run.ended(1)).toMatchObject({
      state: 'failed',
      stage: 'uploading',
      problem: { code: 'host.no-room' },
    });
    disk.makeRoom();
    await run.begin(await trainer.secrets('write'));
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    expect(run.read('logs/worker-0.log')).toBe('ran\n');
    for (let n = 1; n <= 20; n += 1) {
      const bytes = await admin.bytes('outputs', `${out.prefix}worker-0/f${n}`);
      expect(sha(bytes), `f${n}`).toBe(sha(readFileSync(run.at(`output/worker-0/f${n}`))));
    }
  });

  test('a start on a full disk, and on one that is read-only, is refused in words', async () => {
    const disk = await smallDisk(24);
    const run = await disk.run({ workers: ['echo ran'] });
    disk.fill();
    expect(await run.start()).toMatchObject({ started: false, problem: { code: 'host.no-room' } });
    disk.makeRoom();
    execFileSync('mount', ['-o', 'remount,ro', disk.world.home]);
    expect(await run.start()).toMatchObject({
      started: false,
      problem: {
        code: 'host.disk-refused',
        message: expect.stringContaining('read-only') as string,
      },
    });
    execFileSync('mount', ['-o', 'remount,rw', disk.world.home]);
    await run.begin();
    expect(await run.ended()).toMatchObject({ state: 'finished' });
  });
});
