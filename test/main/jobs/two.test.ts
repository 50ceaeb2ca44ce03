import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { parseEventLine, type RunEventKind } from '../../../src/shared/events.ts';
import { placeAgent } from '../../../src/main/hosts/local/place-agent.ts';
import type { Services } from '../../../src/main/services.ts';
import type { JobView } from '../../../src/shared/views.ts';
import { AGENT_FOLDER, COMMAND_LINE } from '../../support/programs.ts';
import { problemOf, temporaryFolder, valueOf, writeKeyFile } from '../temp.ts';
import { ends, freshHome, job, submit, until, type Home } from './harness.ts';

vi.setConfig({ testTimeout: 90_000 });

const at = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

interface Ended {
  readonly status: number;
  readonly document: {
    readonly id?: string;
    readonly problem?: { readonly code: string; readonly message: string };
  };
}

/** A Trainyard of its own: the command line as a process, with `--json`. */
function trainyard(home: Home, ...args: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [COMMAND_LINE, ...args, '--json'],
      { env: home.env, cwd: home.base, timeout: 60_000 },
      (error, stdout, stderr) => {
        try {
          const status = error === null ? 0 : Number(error.code);
          resolve({ status, document: JSON.parse(stdout) as Ended['document'] });
        } catch {
          reject(new Error(`${args.join(' ')}: ${stdout}\n${stderr}`));
        }
      },
    );
  });
}

function count(home: Home, id: string, kind: RunEventKind): number {
  const lines = readFileSync(join(home.home, 'runs', id, 'events.jsonl'), 'utf8').split('\n');
  return lines.filter((line) => {
    const parsed = parseEventLine(line);
    return 'event' in parsed && parsed.event.kind === kind;
  }).length;
}

/** A home on which the next start of an agent can be made to wait before it does anything, while later ones go by. */
interface GatedHome extends Home {
  /** From now on the first start waits. */
  readonly close: () => void;
  readonly waits: () => Promise<void>;
  readonly let: () => void;
}

async function gatedHome(): Promise<GatedHome> {
  const home = freshHome();
  const gate = join(home.base, 'gate');
  const runtime = join(home.base, 'node');
  writeFileSync(
    runtime,
    `#!/bin/sh
if [ "$2" = start ] && [ -e '${gate}' ] && mkdir '${gate}/taken' 2>/dev/null; then
  until [ -e '${gate}/open' ]; do sleep 0.02; done
fi
exec '${process.execPath}' "$@"
`,
    { mode: 0o755 },
  );
  // What is in place is taken, by every Trainyard of this home.
  const agents = join(home.home, 'agents');
  valueOf(await placeAgent(agents, { agentFolder: AGENT_FOLDER, nodeRuntime: runtime }));
  return {
    ...home,
    close: () => mkdirSync(gate),
    waits: () => vi.waitFor(() => expect(existsSync(join(gate, 'taken'))).toBe(true), 30_000),
    let: () => writeFileSync(join(gate, 'open'), ''),
  };
}

/** A job whose one worker waits for a file, and whose agent was killed. */
async function interruptedJob(
  home: Home,
  services: Services,
  /** What the worker does first. */
  first = '',
): Promise<{ readonly id: string; readonly worker: number; readonly release: () => void }> {
  const go = join(home.base, 'go');
  const command = `${first}echo start; until test -e ${go}; do sleep 0.1; done; echo end`;
  const { id } = valueOf(await submit(services, home.base, job(command)));
  const running = await until(services, id, ({ workers }) => workers[0]?.state === 'running');
  process.kill(running.agent!.pid, 'SIGKILL');
  await until(services, id, ({ state }) => state === 'interrupted');
  return { id, worker: running.workers[0]!.pid!, release: () => writeFileSync(go, '') };
}

/** Carried once more by one agent, with the worker that was there. */
async function expectOneMore(
  home: Home,
  services: Services,
  run: Awaited<ReturnType<typeof interruptedJob>>,
): Promise<JobView> {
  const after = await until(services, run.id, ({ state }) => state === 'running');
  expect(after.workers[0]).toMatchObject({ pid: run.worker, starts: 1 });
  run.release();
  const ended = await ends(services, run.id);
  expect(ended).toMatchObject({ state: 'finished', workers: [{ starts: 1 }] });
  expect(count(home, run.id, 'agent-started')).toBe(2);
  expect(count(home, run.id, 'worker-started')).toBe(1);
  expect(readFileSync(join(home.home, 'runs', run.id, 'logs/worker-0.log'), 'utf8')).toBe(
    'start\nend\n',
  );
  return ended;
}

test('of four agents for one run one wins, the others say who has it', async () => {
  const home = freshHome();
  const services = await home.open();
  const run = await interruptedJob(home, services);
  const [version = ''] = readdirSync(join(home.home, 'agents')).filter(
    (name) => !name.startsWith('.'),
  );
  const agent = join(home.home, 'agents', version);
  const answers = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const child = spawn(
        join(agent, 'node'),
        [join(agent, 'agent.mjs'), 'start', join(home.home, 'runs', run.id)],
        { stdio: ['pipe', 'pipe', 'inherit'], env: home.env },
      );
      let text = '';
      child.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
      child.stdin.end(JSON.stringify({ format: 1, tokens: [], keys: [] }));
      await once(child, 'close');
      return JSON.parse(text) as { started: boolean; problem?: { code: string; message: string } };
    }),
  );
  expect(answers.map(({ problem }) => problem?.code ?? 'started').toSorted()).toEqual([
    ...Array<string>(3).fill('host.run-is-carried'),
    'started',
  ]);
  const refused = answers.filter(({ started }) => !started);
  expect(refused.map(({ problem }) => problem?.message)).toEqual(
    Array<string>(3).fill(expect.stringContaining(run.id) as string),
  );
  await expectOneMore(home, services, run);
});

test('of three `retry` at once in three terminals one wins, the others say that it runs', async () => {
  const home = freshHome();
  const services = await home.open();
  const run = await interruptedJob(home, services);
  const ended = await Promise.all(
    [1, 2, 3].map(() => trainyard(home, 'retry', run.id, '--detach')),
  );
  expect(ended.filter(({ status }) => status === 0)).toHaveLength(1);
  // Which sentence it is depends on who looked before the winner's agent was there: the next two tests make each happen.
  const refused = ended.filter(({ status }) => status !== 0);
  expect(refused.map(({ document }) => document.problem?.message)).toEqual(
    Array<string>(2).fill(expect.stringContaining(run.id) as string),
  );
  await expectOneMore(home, services, run);
});

test('a retry that looked before the agent of another one was there is refused by that agent', async () => {
  const home = await gatedHome();
  const services = await home.open();
  const run = await interruptedJob(home, services);
  home.close();
  const late = trainyard(home, 'retry', run.id, '--detach');
  await home.waits();
  expect(valueOf(await services.jobs.retry(run.id)).how).toBe('started');
  home.let();
  expect(await late).toMatchObject({
    status: 4,
    document: { problem: { code: 'host.run-is-carried' } },
  });
  await expectOneMore(home, services, run);
});

test('a retry that looks once the agent of another one is there is told that the job runs', async () => {
  const home = freshHome();
  const services = await home.open();
  const run = await interruptedJob(home, services);
  expect(valueOf(await services.jobs.retry(run.id)).how).toBe('started');
  expect(await trainyard(home, 'retry', run.id, '--detach')).toMatchObject({
    status: 2,
    document: { problem: { code: 'input.job-running' } },
  });
  await expectOneMore(home, services, run);
});

test('a stop whose agent comes after that of a retry says so, and the run goes on to its end', async () => {
  const home = await gatedHome();
  const services = await home.open();
  const run = await interruptedJob(home, services);
  home.close();
  const stopping = services.jobs.stop(run.id);
  await home.waits();
  const other = await home.open();
  expect(valueOf(await other.jobs.retry(run.id)).how).toBe('started');
  home.let();
  expect(problemOf(await stopping).code).toBe('host.run-is-carried');
  await expectOneMore(home, services, run);
});

test('a retry whose agent comes after that of a stop says so, and the run is stopped', async () => {
  const home = await gatedHome();
  const services = await home.open();
  // The worker takes its time, and so does the stop.
  const run = await interruptedJob(home, services, "trap '' TERM; ");
  home.close();
  const retrying = services.jobs.retry(run.id);
  await home.waits();
  const other = await home.open();
  valueOf(await other.jobs.stop(run.id));
  home.let();
  expect(problemOf(await retrying).code).toBe('host.run-is-carried');
  run.release();
  expect(await ends(services, run.id)).toMatchObject({ state: 'stopped' });
  expect(count(home, run.id, 'agent-started')).toBe(2);
  expect(count(home, run.id, 'worker-started')).toBe(1);
});

test('four submit at once on a home that nobody made yet: four jobs, one agent program', async () => {
  const home = freshHome();
  writeFileSync(join(home.base, 'job.yaml'), job('echo $TRAINYARD_JOB_ID'));
  expect(existsSync(home.home)).toBe(false);
  const ended = await Promise.all(
    [1, 2, 3, 4].map(() => trainyard(home, 'run', 'job.yaml', '--detach')),
  );
  const ids = ended.map(({ document }) => document.id!);
  expect(ended.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
  expect(new Set(ids).size).toBe(4);
  const services = await home.open();
  for (const id of ids) {
    expect((await ends(services, id)).state).toBe('finished');
    expect(count(home, id, 'agent-started')).toBe(1);
    expect(readFileSync(join(home.home, 'runs', id, 'logs/worker-0.log'), 'utf8')).toBe(`${id}\n`);
  }
  expect((await services.jobs.list()).map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  expect(readdirSync(join(home.home, 'agents'))).toHaveLength(1);
});

test('keys added at once on a new vault: none is lost, the same one is added once, a name is given once', async () => {
  const home = freshHome({}, 'new');
  const folder = temporaryFolder();
  for (const name of ['a', 'b', 'c'])
    writeKeyFile(join(folder, `${name}.json`), { email: `${name}@p.iam.gserviceaccount.com` });
  const add = (file: string, name: string): Promise<Ended> =>
    trainyard(home, 'keys', 'add', join(folder, `${file}.json`), '--name', name);
  const ended = await Promise.all([
    add('a', 'first'),
    add('a', 'again'),
    add('b', 'second'),
    add('c', 'second'),
  ]);
  const told = ended.map(
    ({ status, document }) => `${status} ${document.problem?.code ?? 'added'}`,
  );
  expect(told.slice(0, 2).toSorted()).toEqual(['0 added', '2 input.key-known']);
  expect(told.slice(2).toSorted()).toEqual(['0 added', '2 input.key-name-taken']);
  const services = await home.open();
  const cards = valueOf(await services.keys.list());
  expect(cards).toHaveLength(2);
  // Each can be read back: the vault and the list agree.
  for (const { id, email } of cards)
    expect(
      valueOf(await services.keys.load(id, { operation: 'check', reason: 'check', job: null }))
        .clientEmail,
    ).toBe(email);
  expect(valueOf(await services.keys.offered())).toEqual([]);
});

test('a Trainyard killed inside a write leaves the other one working, and all jobs and keys', async () => {
  const home = freshHome();
  const services = await home.open();
  const keyFile = join(home.base, 'key.json');
  writeKeyFile(keyFile);
  const card = valueOf(await services.keys.add(keyFile));
  const { id } = valueOf(await submit(services, home.base, job('true')));
  await ends(services, id);
  const database = join(home.home, 'trainyard.db');
  const child = spawn(process.execPath, [at('test/main/store/writer.ts'), database, 'hold'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  try {
    await once(child.stdout, 'data');
    // What only reads goes on; what writes says after a while that the other one writes.
    expect(valueOf(await services.keys.list())).toHaveLength(1);
    expect(valueOf(await services.jobs.get(id)).state).toBe('finished');
    expect(problemOf(await services.keys.rename(card.id, 'later'))).toMatchObject({
      code: 'host.database-busy',
      retryable: true,
    });
  } finally {
    child.kill('SIGKILL');
    await gone;
  }
  valueOf(await services.keys.rename(card.id, 'later'));
  const second = valueOf(await submit(services, home.base, job('true')));
  expect(await ends(services, second.id)).toMatchObject({ state: 'finished' });
  const other = await home.open();
  expect((await other.jobs.list()).map((view) => view.id)).toEqual([second.id, id]);
  expect(valueOf(await other.keys.list()).map(({ name }) => name)).toEqual(['later']);
  expect(readdirSync(home.home).filter((name) => name.includes('damaged'))).toEqual([]);
});
