import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test, vi } from 'vitest';
import type { WorkerStarted } from '../../src/shared/agent-protocol.ts';
import { identityOf, isAlive } from '../../src/agent/identity.ts';
import { membersOf, type Owner } from '../../src/agent/processes/belongs.ts';
import { cgroupFolder } from '../../src/agent/processes/cgroup.ts';
import { endProcesses, findProcesses } from '../../src/agent/processes/end.ts';
import {
  hasRisen,
  mayBeOutOfMemory,
  memoryFiles,
  outOfMemoryCounts,
} from '../../src/agent/processes/out-of-memory.ts';
import {
  rowFromStat,
  type ProcessDetail,
  type ProcessRow,
} from '../../src/agent/processes/table.ts';
import type { ProcessIdentity } from '../../src/shared/process-identity.ts';
import { AGENT } from '../support/programs.ts';
import { kill, makeWorld, NO_SECRETS, until, type TestRun, type World } from './harness.ts';

vi.setConfig({ testTimeout: 90_000 });

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.remove());

/** Starts a program that notes its pid under a name and sleeps; `before` is what it is started by. */
const noting = (name: string, before: string, then = 'exec sleep 600'): string =>
  `${before} bash -c 'echo $$ > "$0/${name}"; ${then}' "$TRAINYARD_CHECKPOINT_PATH"`;

const pidOf = (run: TestRun, name: string): number =>
  Number(run.read(`checkpoints/worker-0/${name}`));

/** Waits until all of them have noted their pids. */
const noted = (...names: readonly string[]): string =>
  names
    .map((name) => `while [ ! -s "$TRAINYARD_CHECKPOINT_PATH/${name}" ]; do sleep 0.02; done`)
    .join('; ');

const runs = (pid: number): boolean => identityOf(pid) !== null;

/** Whatever names the run in its environment. */
const allOf = ({ id: runId, directory }: TestRun) =>
  findProcesses({ runId, directory, worker: null, leader: null, known: [], cgroup: null });

const startedOf = (run: TestRun): WorkerStarted =>
  JSON.parse(run.read('workers/0/started.json')) as WorkerStarted;

const leftOf = (run: TestRun): readonly number[] =>
  run
    .events()
    .flatMap((event) => (event.kind === 'processes-left' ? event.processes : []))
    .map(({ pid }) => pid);

test.concurrent(
  'what a command leaves in other sessions is named, asked to end, and ended, before the worker is over',
  async () => {
    const names = ['session', 'daemon', 'stubborn', 'cleared', 'forking'];
    const run = await world.run({
      stopGraceSeconds: 1,
      workers: [
        [
          noting(
            'session',
            'setsid',
            'trap "echo asked > $0/trapped; exit" TERM; while :; do sleep 0.05; done',
          ) + ' &',
          `( setsid bash -c '(${noting('daemon', '').replaceAll("'", `'"'"'`)} </dev/null >/dev/null 2>&1 &)' & )`,
          noting('stubborn', 'setsid', 'trap "" TERM; while :; do sleep 0.05; done') + ' &',
          noting('cleared', 'env -i PATH="$PATH" setsid', 'cd /; exec sleep 600 >/dev/null 2>&1') +
            ' &',
          // Forks itself anew for as long as it runs, each time from a process that then ends.
          noting('forking', 'setsid', 'trap "" TERM; f() { sleep 0.01; f & }; f') + ' &',
          noted(...names),
          // Long enough for a look at what has cleared everything.
          'sleep 0.5',
          'exit 0',
        ].join('\n'),
      ],
    });
    await run.begin();
    expect(await run.ended()).toMatchObject({ state: 'finished' });
    // Nothing of the one that forks either.
    expect(allOf(run)).toEqual([]);
    for (const name of names) expect(`${name} ${runs(pidOf(run, name))}`).toBe(`${name} false`);
    expect(run.read('checkpoints/worker-0/trapped')).toBe('asked\n');
    expect(leftOf(run)).toEqual(
      expect.arrayContaining(
        ['session', 'daemon', 'stubborn', 'cleared'].map((name) => pidOf(run, name)),
      ),
    );
    const events = run.events();
    const told = events.find((event) => event.kind === 'processes-ended');
    expect(told?.processes).toContainEqual({
      pid: pidOf(run, 'stubborn'),
      command: expect.stringContaining('trap "" TERM') as string,
      how: 'killed',
    });
    expect(told?.processes.map(({ pid }) => pid)).not.toContain(pidOf(run, 'session'));
    const order = ['processes-left', 'processes-ended', 'worker-ended'].map((kind) =>
      events.findLastIndex((event) => event.kind === kind),
    );
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  },
);

test.concurrent(
  'a stop asks by the signal of the job, reaches what has a session of its own, and comes to its end',
  async () => {
    const run = await world.run({
      stopGraceSeconds: 20,
      stopSignal: 'SIGINT',
      workers: [
        [
          `python3 -c 'import os, signal, time; signal.signal(signal.SIGINT, lambda *_: (open(os.environ["TRAINYARD_OUTPUT_PATH"] + "/saved", "a").write("interrupted\\n"), exit(0)))
os.setsid()
open(os.environ["TRAINYARD_CHECKPOINT_PATH"] + "/rank", "w").write(str(os.getpid()))
time.sleep(600)' &`,
          noted('rank'),
          'sleep 600',
        ].join('\n'),
      ],
    });
    await run.begin();
    await until(() => existsSync(run.at('checkpoints/worker-0/rank')), 'the rank');
    await run.stop();
    expect(await run.ended()).toMatchObject({ state: 'stopped' });
    expect(runs(pidOf(run, 'rank'))).toBe(false);
    expect(run.read('output/worker-0/saved')).toBe('interrupted\n');
    expect(await run.waitFor('stop-requested')).toMatchObject({ signal: 'SIGINT' });
  },
);

test.concurrent(
  'a worker and its supervisor that the system killed leave nothing: the agent ends the rest, and tells it',
  async () => {
    const run = await world.run({
      stopGraceSeconds: 1,
      workers: [`${noting('rank', 'setsid')} & ${noted('rank')}; sleep 600`],
    });
    await run.begin();
    await run.waitFor('worker-started');
    await until(() => existsSync(run.at('checkpoints/worker-0/rank')), 'the rank');
    const supervisor = JSON.parse(run.read('workers/0/pid.json')) as ProcessIdentity;
    kill(supervisor.pid);
    kill(-startedOf(run).process.pid);
    expect(await run.ended()).toMatchObject({
      state: 'failed',
      problem: { message: expect.stringContaining('nobody saw how it ended') as string },
    });
    expect(runs(pidOf(run, 'rank'))).toBe(false);
    expect(leftOf(run)).toContain(pidOf(run, 'rank'));
  },
);

test.concurrent(
  'what is left where agent, supervisor and worker were killed is ended before a retry starts a second copy',
  async () => {
    const run = await world.run({
      stopGraceSeconds: 1,
      workers: [
        // One that has ended and that nobody has asked for yet (Z) is over.
        `if [ -e "$TRAINYARD_CHECKPOINT_PATH/rank" ]; then
           state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$(cat "$TRAINYARD_CHECKPOINT_PATH/rank")/status" 2>/dev/null)
           echo "rank: $state"; case $state in ''|Z*|X*) exit 0 ;; *) exit 9 ;; esac; fi
         ${noting('rank', 'setsid')} & ${noted('rank')}; sleep 600`,
      ],
    });
    const agent = await run.begin();
    await run.waitFor('worker-started');
    await until(() => existsSync(run.at('checkpoints/worker-0/rank')), 'the rank');
    const supervisor = JSON.parse(run.read('workers/0/pid.json')) as ProcessIdentity;
    kill(agent.pid);
    kill(supervisor.pid);
    kill(-startedOf(run).process.pid);
    await until(() => !isAlive(agent) && !isAlive(startedOf(run).process), 'all are gone');
    expect(runs(pidOf(run, 'rank'))).toBe(true);
    await run.begin();
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    expect(runs(pidOf(run, 'rank'))).toBe(false);
    const kinds = run.events().map(({ kind }) => kind);
    expect(kinds.indexOf('processes-left')).toBeLessThan(kinds.lastIndexOf('worker-started'));
  },
);

test.concurrent('a run that a worker started goes on when that worker has ended', async () => {
  const inner = await world.run({ workers: [noting('inner', '')] });
  const secrets = path.join(world.root, 'secrets.json');
  await writeFile(secrets, JSON.stringify(NO_SECRETS));
  const outer = await world.run({
    stopGraceSeconds: 1,
    workers: [
      `'${process.execPath}' '${AGENT}' start '${inner.directory}' < '${secrets}'; ${noting('outer', 'setsid')} & ${noted('outer')}`,
    ],
  });
  await mkdir(inner.at('control'), { recursive: true });
  await outer.begin();
  expect(await outer.ended()).toMatchObject({ state: 'finished' });
  expect(leftOf(outer)).toEqual([pidOf(outer, 'outer')]);
  await until(() => existsSync(inner.at('checkpoints/worker-0/inner')), 'the inner worker');
  expect(runs(pidOf(inner, 'inner'))).toBe(true);
  expect(inner.events().some(({ kind }) => kind === 'ended')).toBe(false);
  await inner.stop();
  expect(await inner.ended()).toMatchObject({ state: 'stopped' });
});

describe('whose a process is', () => {
  const OWNER: Owner = {
    runId: 'r1',
    directory: '/home/u/runs/r1',
    worker: 0,
    leader: { pid: 100, startTime: '1000' },
    known: [],
    inCgroup: new Set(),
  };
  type Given = Partial<ProcessRow> & Partial<ProcessDetail> & { readonly pid: number };
  const members = (given: readonly Given[], owner: Partial<Owner> = {}, thorough = true) => {
    const rows = given.map(({ pid, ...rest }): ProcessRow & ProcessDetail => ({
      pid,
      parent: 1,
      group: pid,
      session: pid,
      terminal: false,
      startTime: '2000',
      arguments: ['python', 'train.py'],
      environment: new Map([['HOME', '/home/u']]),
      folder: '/',
      outputs: [],
      ...rest,
    }));
    const table = { rows, detail: (row: ProcessRow) => rows.find(({ pid }) => pid === row.pid)! };
    return membersOf({ ...OWNER, ...owner }, table, { thorough, self: 1 })
      .map(({ pid }) => pid)
      .toSorted((a, b) => a - b);
  };
  const marked = (worker: number | null, directory = OWNER.directory, id = 'r1') =>
    new Map([
      ['HOME', '/home/u'],
      ['TRAINYARD_JOB_ID', id],
      ['TRAINYARD_OUTPUT_PATH', `${directory}/output`],
      ...(worker === null ? [] : [['TRAINYARD_WORKER', String(worker)] as const]),
    ]);

  it.each<[string, readonly Given[], readonly number[]]>([
    ['its environment names run and worker', [{ pid: 5, environment: marked(0) }], [5]],
    ['that of another worker is not', [{ pid: 5, environment: marked(1) }], []],
    ['that of set-up is not', [{ pid: 5, environment: marked(null) }], []],
    [
      'that of a run of this name in another home is not',
      [{ pid: 5, environment: marked(0, '/other/runs/r1') }],
      [],
    ],
    [
      'that of another run is not',
      [{ pid: 5, environment: marked(0, '/home/u/runs/r2', 'r2') }],
      [],
    ],
    ['its session', [{ pid: 5, session: 100, environment: null }], [5]],
    ['a session of that number that is older', [{ pid: 5, session: 100, startTime: '999' }], []],
    [
      'a stranger has got the pid, and leads a session',
      [
        { pid: 100, startTime: '5000' },
        { pid: 5, session: 100 },
      ],
      [],
    ],
    [
      'it writes to the log',
      [{ pid: 5, outputs: ['/home/u/runs/r1/logs/.trainyard-log-worker-0-ab (deleted)'] }],
      [5],
    ],
    [
      'it writes to the log of worker 01',
      [{ pid: 5, outputs: ['/home/u/runs/r1/logs/.trainyard-log-worker-01-ab'] }],
      [],
    ],
    [
      'it has cleared its environment, and works in the folders',
      [{ pid: 5, environment: new Map(), folder: '/home/u/runs/r1/workers/0/code' }],
      [5],
    ],
    [
      'a shell of the user in the folders',
      [
        {
          pid: 5,
          terminal: true,
          environment: new Map(),
          folder: '/home/u/runs/r1/workers/0/code',
        },
      ],
      [],
    ],
    [
      'an editor of the user in the folders',
      [{ pid: 5, folder: '/home/u/runs/r1/workers/0/code' }],
      [],
    ],
    [
      'children of its processes, and their sessions',
      [
        { pid: 5, environment: marked(0) },
        { pid: 6, parent: 5 },
        { pid: 7, parent: 1, session: 6 },
      ],
      [5, 6, 7],
    ],
    [
      'an agent that it started, with all below',
      [
        { pid: 5, environment: marked(0) },
        {
          pid: 6,
          parent: 5,
          environment: marked(0),
          arguments: ['node', '/a/agent.mjs', 'carry', '/home/u/runs/r2'],
        },
        { pid: 7, parent: 6, outputs: ['/home/u/runs/r1/logs/.trainyard-log-worker-0-ab'] },
      ],
      [5],
    ],
    [
      'its own supervisor is not',
      [
        {
          pid: 5,
          arguments: ['node', '/a/agent.mjs', 'supervise', OWNER.directory, '0'],
          outputs: ['/home/u/runs/r1/logs/.trainyard-log-worker-0-ab'],
        },
        { pid: 100, parent: 5, startTime: '1000' },
      ],
      [100],
    ],
  ])('%s', (_, given, expected) => {
    expect(members(given)).toEqual(expected);
  });

  it('of the whole run: every worker and set-up', () => {
    const given = [marked(0), marked(1), marked(null), marked(0, '/x/r2', 'r2')];
    const rows = given.map((environment, index) => ({ pid: 10 + index, environment }));
    expect(members(rows, { worker: null, leader: null })).toEqual([10, 11, 12]);
  });

  it('what was seen before is told by pid and start time; a control group by pid', () => {
    const rows = [{ pid: 5 }, { pid: 6 }, { pid: 7 }];
    const known = [
      { pid: 5, startTime: '2000' },
      { pid: 6, startTime: '1999' },
    ];
    expect(members(rows, { known, inCgroup: new Set([7]) })).toEqual([5, 7]);
    expect(members(rows, { known, inCgroup: new Set([7]) }, false)).toEqual([5]);
  });
});

describe('the process table', () => {
  const stat = (state: string, threads: number, parent = 1): string =>
    `7 (a) b) ${state} ${parent} 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 ${threads} 0 4321 0 0`;

  it('leaves out zombies and threads of the kernel, but not a process whose first thread has ended', () => {
    expect(rowFromStat(7, stat('S', 1))).toMatchObject({ startTime: '4321', terminal: false });
    expect(rowFromStat(7, stat('Z', 1))).toBeNull();
    expect(rowFromStat(7, stat('Z', 3))).toMatchObject({ pid: 7 });
    expect(rowFromStat(7, stat('S', 1, 2))).toBeNull();
    expect(rowFromStat(7, '')).toBeNull();
  });

  it('finds where control groups lie', () => {
    const mount = (root: string) =>
      `30 23 0:26 ${root} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate`;
    expect(cgroupFolder('0::/user.slice/a.scope\n', mount('/'))).toBe(
      '/sys/fs/cgroup/user.slice/a.scope',
    );
    expect(cgroupFolder('0::/docker/x/y\n', mount('/docker/x'))).toBe('/sys/fs/cgroup/y');
    expect(cgroupFolder('0::/other\n', mount('/docker/x'))).toBeNull();
    expect(cgroupFolder('4:memory:/\n', mount('/'))).toBeNull();
  });
});

describe('lack of memory', () => {
  const CGROUP = '5:cpu,memory:/jobs/7\n0::/a/b\n';
  const MOUNTS = [
    '30 23 0:26 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw',
    '31 23 0:27 / /sys/fs/cgroup/memory rw shared:5 - cgroup cgroup rw,memory',
  ].join('\n');
  const V2 = '/sys/fs/cgroup/unified/a/memory.events';
  const V1 = '/sys/fs/cgroup/memory/jobs/7/memory.oom_control';

  it('is counted by the control groups, in both versions, and by the machine', () => {
    expect(memoryFiles(CGROUP, MOUNTS)).toEqual([
      '/sys/fs/cgroup/unified/a/b/memory.events',
      V2,
      '/sys/fs/cgroup/unified/memory.events',
      V1,
      '/sys/fs/cgroup/memory/jobs/memory.oom_control',
      '/sys/fs/cgroup/memory/memory.oom_control',
    ]);
  });

  it.each([V2, V1, '/proc/vmstat'])('%s has risen', (file) => {
    const files = new Map<string, string>([
      ['/proc/self/cgroup', CGROUP],
      ['/proc/self/mountinfo', MOUNTS],
      [V2, 'low 0\noom 3\noom_kill 2\n'],
      [V1, 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n'],
      ['/proc/vmstat', 'pgfault 12\noom_kill 2\n'],
    ]);
    const read = (name: string): string | null => files.get(name) ?? null;
    const before = outOfMemoryCounts(read);
    expect(Object.keys(before)).toHaveLength(3);
    expect(hasRisen(before, read)).toBe(false);
    files.set(file, 'oom_kill 3\n');
    expect(hasRisen(before, read)).toBe(true);
  });

  it('is what may have ended a command by SIGKILL, not one that was stopped', () => {
    const exit = { exitCode: null, signal: null, stopped: false };
    expect(mayBeOutOfMemory({ ...exit, signal: 'SIGKILL' })).toBe(true);
    expect(mayBeOutOfMemory({ ...exit, exitCode: 137 })).toBe(true);
    expect(mayBeOutOfMemory(exit)).toBe(true);
    expect(mayBeOutOfMemory({ ...exit, exitCode: 1 })).toBe(false);
    expect(mayBeOutOfMemory({ ...exit, signal: 'SIGTERM' })).toBe(false);
    expect(mayBeOutOfMemory({ ...exit, signal: 'SIGKILL', stopped: true })).toBe(false);
  });
});

test('without a control group nothing escapes either that forks faster than it is found, or is stopped', async () => {
  const directory = path.join(world.root, 'runs/r9');
  const folder = path.join(directory, 'checkpoints/worker-0');
  await mkdir(folder, { recursive: true });
  const environment = {
    PATH: process.env['PATH'] ?? '',
    TRAINYARD_JOB_ID: 'r9',
    TRAINYARD_WORKER: '0',
    TRAINYARD_CHECKPOINT_PATH: folder,
  };
  const script = [
    'setsid bash -c \'trap "" TERM; f() { sleep 0.005; f & }; f\' &',
    'setsid bash -c \'trap "echo asked > $TRAINYARD_CHECKPOINT_PATH/stopped; exit" TERM; kill -STOP $$; sleep 60\' &',
    'wait',
  ].join('\n');
  const child = spawn('bash', ['-c', script], {
    env: environment,
    detached: true,
    stdio: 'ignore',
  });
  const leader = identityOf(child.pid ?? 0);
  const search = { runId: 'r9', directory, worker: 0, leader, known: [], cgroup: null };
  await until(() => findProcesses(search).length >= 4, 'all of them');
  let told = 0;
  const left = await endProcesses(search, {
    signal: 'SIGTERM',
    grace: 300,
    tell: (found) => (told = found.length),
  });
  expect(findProcesses(search)).toEqual([]);
  expect(told).toBe(left.length);
  expect(left.map(({ how }) => how)).not.toContain('stays');
  expect(readFileSync(path.join(folder, 'stopped'), 'utf8')).toBe('asked\n');
});
