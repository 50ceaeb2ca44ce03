import { existsSync, readdirSync, readFileSync, writeFileSync, appendFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { StartAnswer, WorkerStarted } from '../../src/shared/agent-protocol.ts';
import { deriveJobStatus } from '../../src/shared/job-status.ts';
import { isAlive } from '../../src/agent/identity.ts';
import { kill, makeWorld, pause, processesOf, until, type TestRun, type World } from './harness.ts';

vi.setConfig({ testTimeout: 90_000 });

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.remove());

const startedOf = (run: TestRun, worker = 0): WorkerStarted =>
  JSON.parse(run.read(`workers/${worker}/started.json`)) as WorkerStarted;

const stateOf = (run: TestRun): string =>
  deriveJobStatus(run.events(), {
    workers: run.plan.workers.length,
    agentAlive: existsSync(run.at('lock')),
    createdAt: run.plan.createdAt,
    now: Date.now(),
  }).state;

/** How starts at once were answered, sorted: `started`, or the code of the refusal. */
const codesOf = (answers: readonly StartAnswer[]): readonly string[] =>
  answers
    .map((answer) => (answer.started ? 'started' : answer.problem.code))
    .toSorted((one, other) => one.localeCompare(other));

/** A worker that says each start, then waits for a file. */
const WAITING =
  'echo start; while [ ! -e "$TRAINYARD_CHECKPOINT_PATH/go" ]; do sleep 0.05; done; echo end; echo result > "$TRAINYARD_OUTPUT_PATH/result"';

test.concurrent(
  'the agent is killed while workers run: the next one adopts them and starts none twice',
  async () => {
    const run = await world.run({ workers: [WAITING, 'echo quick'] });
    const first = await run.begin();
    await run.waitFor('worker-ended', (event) => event.worker === 1);
    await run.waitFor('worker-started', (event) => event.worker === 0);
    kill(first.pid);
    await until(() => !isAlive(first), 'the agent is gone');
    const { pid } = startedOf(run).process;
    expect(isAlive(startedOf(run).process)).toBe(true);
    // The dead one may have died inside a line.
    appendFileSync(run.at('events.jsonl'), '{"format":1,"seq":99');

    const second = await run.begin();
    expect(second.pid).not.toBe(first.pid);
    await run.waitFor('worker-adopted', (event) => event.pid === pid);
    expect(startedOf(run).process.pid).toBe(pid);
    writeFileSync(run.at('checkpoints/worker-0/go'), '');
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    expect(run.read('logs/worker-0.log')).toBe('start\nend\n');
    expect(run.read('logs/worker-1.log')).toBe('quick\n');
    expect(run.read('output/worker-0/result')).toBe('result\n');
    expect(run.events().filter((event) => event.kind === 'worker-started')).toHaveLength(2);
    expect(run.events().filter((event) => event.kind === 'worker-ended')).toHaveLength(2);
    expect(run.events().filter((event) => event.kind === 'code-staged')).toHaveLength(1);
    const numbers = run.events().map((event) => event.seq);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(stateOf(run)).toBe('finished');
  },
);

test.concurrent(
  'a worker that ended while no agent was there is read, not started again',
  async () => {
    const run = await world.run({ workers: [WAITING, 'echo start; sleep 0.7; exit 3'] });
    const first = await run.begin();
    await run.waitFor('worker-started', (event) => event.worker === 1);
    await run.waitFor('worker-started', (event) => event.worker === 0);
    kill(first.pid);
    writeFileSync(run.at('checkpoints/worker-0/go'), '');
    await until(() => existsSync(run.at('workers/1/exit.json')), 'exit of worker 1');
    await until(() => existsSync(run.at('workers/0/exit.json')), 'exit of worker 0');
    await run.begin();
    const ended = await run.ended(2);
    expect(ended).toMatchObject({
      state: 'failed',
      stage: 'running',
      problem: { code: 'job.worker-failed' },
    });
    expect(ended.problem?.message).toContain('exit status 3');
    expect(run.read('logs/worker-0.log')).toBe('start\nend\n');
    expect(run.read('logs/worker-1.log')).toBe('start\n');
  },
);

test.concurrent('a retry starts failed workers again and finished ones not', async () => {
  const run = await world.run({
    workers: [
      'echo once',
      'echo again; if [ -e "$TRAINYARD_CHECKPOINT_PATH/tried" ]; then exit 0; fi; touch "$TRAINYARD_CHECKPOINT_PATH/tried"; exit 1',
    ],
    setup: 'echo setup',
  });
  await run.begin();
  expect(await run.ended(1)).toMatchObject({ state: 'failed', stage: 'running' });
  expect(readdirSync(run.at('private'))).toEqual([]);
  await run.begin();
  expect(await run.ended(2)).toMatchObject({ state: 'finished' });
  expect(run.read('logs/worker-0.log')).toBe('once\n');
  expect(run.read('logs/worker-1.log')).toBe('again\n[Trainyard: start 2 of this worker]\nagain\n');
  // Each once.
  expect(run.read('logs/stage.log')).toBe('code: 1 file, 6 B\nsetup\n');
  expect(startedOf(run, 1).start).toBe(2);
});

test.concurrent(
  'setup that fails is told, and a retry runs it again without taking the code again',
  async () => {
    const run = await world.run({ setup: 'echo try >> ../tries; [ $(wc -l < ../tries) = 2 ]' });
    await run.begin();
    expect(await run.ended(1)).toMatchObject({
      state: 'failed',
      stage: 'staging',
      problem: { code: 'job.setup-failed' },
    });
    await run.begin();
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    expect(run.events().filter((event) => event.kind === 'code-staged')).toHaveLength(1);
  },
);

test.concurrent(
  'the agent is killed inside setup: what it left is ended before setup runs again',
  async () => {
    const run = await world.run({
      setup: 'echo $$ >> ../pids; [ $(wc -l < ../pids) = 2 ] && exit 0; sleep 60',
    });
    const first = await run.begin();
    await until(() => existsSync(run.at('pids')), 'setup began');
    await until(() => existsSync(run.at('control/setup.json')), 'setup recorded');
    kill(first.pid);
    await until(() => !isAlive(first), 'agent gone');
    await run.begin();
    expect(await run.ended(2)).toMatchObject({ state: 'finished' });
    const pid = Number(run.read('pids').split('\n')[0]);
    await until(
      () => !existsSync(`/proc/${pid}`) || / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')),
      'the first setup is gone',
    );
  },
);

test.concurrent(
  'of eight starts at once exactly one wins, and the others say who has it',
  async () => {
    const run = await world.run({ workers: [WAITING] });
    const answers = await Promise.all(Array.from({ length: 8 }, () => run.start()));
    expect(codesOf(answers)).toEqual([...Array<string>(7).fill('host.run-is-carried'), 'started']);
    await run.waitFor('worker-started');
    writeFileSync(run.at('checkpoints/worker-0/go'), '');
    await run.ended();
    expect(run.events().filter((event) => event.kind === 'agent-started')).toHaveLength(1);
    expect(run.read('logs/worker-0.log')).toBe('start\nend\n');
  },
  60_000,
);

/** Each takes some seconds: `TRAINYARD_ROUNDS=20` for more. */
const ROUNDS = Number(process.env['TRAINYARD_ROUNDS'] ?? 4);

test.concurrent(
  'rounds of two starts at once: one carries the run, the other says so, and nothing is started twice',
  async () => {
    for (let round = 1; round <= ROUNDS; round += 1) {
      const run = await world.run({ workers: [WAITING] });
      const answers = await Promise.all([run.start(), run.start()]);
      expect(codesOf(answers)).toEqual(['host.run-is-carried', 'started']);
      await run.waitFor('worker-started');
      writeFileSync(run.at('checkpoints/worker-0/go'), '');
      expect(await run.ended()).toMatchObject({ state: 'finished' });
      expect(run.read('logs/worker-0.log')).toBe('start\nend\n');
      const numbers = run.events().map((event) => event.seq);
      expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    }
  },
  240_000,
);

test.concurrent('after a reboot workers without an exit record start again', async () => {
  const run = await world.run({ workers: [WAITING] });
  const agent = await run.begin();
  await run.waitFor('worker-started');
  for (const { pid } of await processesOf(run)) kill(pid);
  kill(agent.pid);
  await until(async () => (await processesOf(run)).length === 0, 'all gone');
  // The same pids belong to strangers of another boot now.
  for (const name of ['lock', 'workers/0/pid.json', 'workers/0/started.json'])
    writeFileSync(run.at(name), run.read(name).replace(/"bootId":"[^"]*"/, '"bootId":"before"'));
  expect(existsSync(run.at('workers/0/exit.json'))).toBe(false);
  await run.begin();
  await run.waitFor('worker-started', (event) => event.start === 2);
  writeFileSync(run.at('checkpoints/worker-0/go'), '');
  expect(await run.ended(2)).toMatchObject({ state: 'finished' });
  expect(run.events().find((event) => event.kind === 'worker-ended')).toMatchObject({
    exitCode: null,
    signal: null,
  });
});

test.concurrent(
  'a supervisor that is killed: its worker is not started twice, and its unknown exit counts as a failure',
  async () => {
    const run = await world.run({ workers: ['echo start; sleep 4'] });
    await run.begin();
    await run.waitFor('worker-started');
    const supervisor = JSON.parse(run.read('workers/0/pid.json')) as { pid: number };
    // What it wrote until then is in its log: the supervisor carries it there.
    await until(() => run.read('logs/worker-0.log') === 'start\n', 'its first line');
    kill(supervisor.pid);
    const ended = await run.ended();
    expect(ended).toMatchObject({ state: 'failed', problem: { code: 'job.worker-failed' } });
    expect(isAlive(startedOf(run).process)).toBe(false);
    expect(run.read('logs/worker-0.log')).toBe('start\n');
  },
);

test.concurrent('a stop ends the whole group, keeps the output, and a retry goes on', async () => {
  const run = await world.run({
    workers: [
      `trap 'echo asked; echo saved > "$TRAINYARD_OUTPUT_PATH/saved"; exit 0' TERM; echo start; [ -e "$TRAINYARD_OUTPUT_PATH/saved" ] && exit 0; sleep 60 & wait`,
      'trap "" TERM; echo deaf; [ -e "$TRAINYARD_OUTPUT_PATH/x" ] && exit 0; touch "$TRAINYARD_OUTPUT_PATH/x"; while true; do sleep 0.1; done',
    ],
    stopGraceSeconds: 1,
  });
  await run.begin();
  await until(
    () =>
      existsSync(run.at('logs/worker-1.log')) &&
      run.read('logs/worker-1.log').includes('deaf') &&
      run.read('logs/worker-0.log').includes('start'),
    'both began',
  );
  await pause(100);
  await run.stop();
  expect(await run.ended(1)).toMatchObject({ state: 'stopped' });
  expect(run.read('logs/worker-0.log')).toContain('asked');
  expect(run.read('output/worker-0/saved')).toBe('saved\n');
  const ends = run.events().filter((event) => event.kind === 'worker-ended');
  expect(ends.every((event) => event.stopped)).toBe(true);
  expect(ends.find((event) => event.worker === 1)?.signal).toBe('SIGKILL');
  expect(existsSync(run.at('control/stop.json'))).toBe(false);
  await until(async () => (await processesOf(run)).length === 0, 'all gone');
  await run.begin();
  expect(await run.ended(2)).toMatchObject({ state: 'finished' });
});

test.concurrent('a stop inside setup, and one that comes before the start', async () => {
  const run = await world.run({ setup: 'echo began; sleep 60' });
  await run.begin();
  await until(
    () => existsSync(run.at('logs/stage.log')) && run.read('logs/stage.log') !== '',
    'setup',
  );
  await run.stop();
  expect(await run.ended(1)).toMatchObject({ state: 'stopped', stage: 'staging' });
  const early = await world.run({ workers: ['echo never'] });
  await mkdir(early.at('control'), { recursive: true });
  await early.stop();
  await early.begin();
  expect(await early.ended(1)).toMatchObject({ state: 'stopped' });
  expect(existsSync(early.at('logs/worker-0.log'))).toBe(false);
});

test.concurrent('what a worker leaves in the background is ended with it', async () => {
  const run = await world.run({
    workers: ['(trap "" HUP; sleep 300) & echo $! > "$TRAINYARD_OUTPUT_PATH/pid"; echo done'],
  });
  await run.begin();
  expect(await run.ended()).toMatchObject({ state: 'finished' });
  const pid = Number(run.read('output/worker-0/pid'));
  await until(
    () => {
      try {
        return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
      } catch {
        return true;
      }
    },
    'the background process is gone',
    3_000,
  );
});

test.concurrent(
  'a log stops at its limit and says so; what is written is kept byte for byte',
  async () => {
    const run = await world.run({
      workers: [
        'head -c 3000 /dev/zero; printf "\\377\\376 bad utf8\\r"; head -c 400000 /dev/zero | tr "\\0" x; echo > "$TRAINYARD_OUTPUT_PATH/ran"',
      ],
      logLimitBytes: 10_000,
    });
    await run.begin();
    expect(await run.ended()).toMatchObject({ state: 'finished' });
    const log = readFileSync(run.at('logs/worker-0.log'));
    expect(log.length).toBeLessThan(10_200);
    expect(log.subarray(3000, 3012).toString('latin1')).toBe('\xff\xfe bad utf8\r');
    expect(log.toString('latin1')).toContain('its limit of 10000 bytes');
    await run.waitFor('worker-log-full', (event) => event.limit === 10_000);
  },
);

test.concurrent(
  'a plan that is missing, broken, or of a later version is refused in words',
  async () => {
    const missing = await world.run();
    await mkdir(`${world.root}/empty`);
    const { startAgent, NO_SECRETS } = await import('./harness.ts');
    expect(await startAgent(`${world.root}/empty`, NO_SECRETS, world.environment)).toMatchObject({
      started: false,
      problem: { code: 'input.no-plan' },
    });
    writeFileSync(missing.at('plan.json'), '{"format":2}');
    expect(await missing.start()).toMatchObject({
      started: false,
      problem: {
        code: 'input.plan-format',
        hint: expect.stringContaining('Update') as string,
      },
    });
    writeFileSync(missing.at('plan.json'), '{"format":1,');
    expect(await missing.start()).toMatchObject({
      started: false,
      problem: { code: 'input.plan' },
    });
    const broken = await world.run();
    await mkdir(broken.at('control'));
    writeFileSync(broken.at('control/lock'), 'a file where a folder belongs');
    expect(await broken.start()).toMatchObject({
      started: false,
      problem: {
        code: 'host.agent-not-started',
        message: expect.stringContaining('control/lock') as string,
      },
    });
    const events = await world.run();
    writeFileSync(events.at('events.jsonl'), '{"format":7,"seq":1,"kind":"x","time":""}\n');
    expect(await events.start()).toMatchObject({
      started: false,
      problem: { code: 'input.run-format' },
    });
  },
);

test.concurrent('the next start removes what a crashed run left in private/', async () => {
  const crashed = await world.run({ workers: ['sleep 60'] });
  const agent = await crashed.begin();
  await crashed.waitFor('worker-started');
  writeFileSync(crashed.at('private/secret'), 'x');
  kill(agent.pid);
  await until(() => !isAlive(agent), 'agent gone');
  const other = await world.run();
  await other.begin();
  await other.ended();
  // Its worker still runs and may need what lies there.
  expect(existsSync(crashed.at('private/secret'))).toBe(true);
  for (const { pid } of await processesOf(crashed)) kill(pid);
  await until(async () => (await processesOf(crashed)).length === 0, 'all gone');
  const third = await world.run();
  await third.begin();
  expect(readdirSync(crashed.at('private'))).toEqual([]);
});
