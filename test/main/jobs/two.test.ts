import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { parseEventLine, type RunEventKind } from '../../../src/shared/events.ts';
import type { Services } from '../../../src/main/services.ts';
import type { JobView } from '../../../src/shared/views.ts';
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
      [at('src/cli/main.ts'), ...args, '--json'],
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

/** A job whose one worker waits for a file, and whose agent was killed. */
async function interruptedJob(
  home: Home,
  services: Services,
): Promise<{ readonly id: string; readonly worker: number; readonly release: () => void }> {
  const go = join(home.base, 'go');
  const command = `echo start; until test -e ${go}; do sleep 0.1; done; echo end`;
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
  expect(answers.filter(({ started }) => started)).toHaveLength(1);
  for (const { problem } of answers.filter(({ started }) => !started)) {
    expect(problem?.code).toBe('host.run-is-carried');
    expect(problem?.message).not.toBe('');
  }
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
  for (const { status, document } of ended.filter((one) => one.status !== 0)) {
    expect(['host.run-is-carried', 'input.job-running']).toContain(document.problem?.code);
    expect([2, 4]).toContain(status);
  }
  await expectOneMore(home, services, run);
});

test('a retry beside a stop: the run is carried by one agent and ends once', async () => {
  const home = freshHome();
  const services = await home.open();
  const run = await interruptedJob(home, services);
  const other = await home.open();
  const [retried, stopped] = await Promise.all([
    services.jobs.retry(run.id),
    other.jobs.stop(run.id),
  ]);
  expect(retried.ok || stopped.ok).toBe(true);
  for (const one of [retried, stopped])
    if (!one.ok) expect(['host.run-is-carried', 'input.job-running']).toContain(one.problem.code);
  run.release();
  const ended = await ends(services, run.id);
  expect(['stopped', 'finished']).toContain(ended.state);
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
  const home = freshHome();
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
  const won = ended.map(({ status }) => status === 0);
  expect([won[0], won[1]].filter(Boolean)).toHaveLength(1);
  expect([won[2], won[3]].filter(Boolean)).toHaveLength(1);
  for (const { status, document } of ended)
    if (status !== 0) expect(document.problem?.code).toMatch(/^input\.key-/);
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
