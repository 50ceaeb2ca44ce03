import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, type Dirent } from 'node:fs';
import { chown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AgentSecrets, StartAnswer } from '../../src/shared/agent-protocol.ts';
import { GOOGLE_ENDPOINTS } from '../../src/shared/endpoints.ts';
import { parseEventLine, type RunEvent, type RunEventKind } from '../../src/shared/events.ts';
import { jobSpecSchema } from '../../src/shared/job-spec.ts';
import type { JobPlan } from '../../src/shared/plan.ts';
import type { ProcessIdentity } from '../../src/shared/process-identity.ts';
import { isAlive } from '../../src/agent/identity.ts';
import { AGENT } from '../support/programs.ts';

export const FAKE_NVIDIA_SMI = path.resolve(import.meta.dirname, '../fixtures/fake-nvidia-smi');

export const NO_SECRETS: AgentSecrets = { format: 1, tokens: [], keys: [] };

/** A home in a temporary folder with a code folder beside it. `remove` ends what still runs and removes all. */
export interface World {
  readonly root: string;
  readonly home: string;
  readonly code: string;
  readonly environment: Record<string, string>;
  run(plan?: Partial<JobPlan>): Promise<TestRun>;
  remove(): Promise<void>;
}

export interface TestRun {
  readonly id: string;
  readonly directory: string;
  readonly plan: JobPlan;
  at(name: string): string;
  start(secrets?: AgentSecrets): Promise<StartAnswer>;
  /** Starts, and insists. */
  begin(secrets?: AgentSecrets): Promise<ProcessIdentity>;
  events(): RunEvent[];
  waitFor<K extends RunEventKind>(
    kind: K,
    test?: (event: RunEvent & { kind: K }) => boolean,
    milliseconds?: number,
  ): Promise<RunEvent & { kind: K }>;
  /** The end of attempt `attempt` (1 is the first). */
  ended(attempt?: number, milliseconds?: number): Promise<RunEvent & { kind: 'ended' }>;
  stop(): Promise<void>;
  read(name: string): string;
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

export async function until(
  test: () => boolean | Promise<boolean>,
  what: string,
  milliseconds = 40_000,
): Promise<void> {
  const end = Date.now() + milliseconds;
  for (;;) {
    let reason = '';
    try {
      if (await test()) return;
    } catch (error) {
      // What it looks at may not be there yet.
      reason = String(error);
    }
    if (Date.now() > end) throw new Error(`not within ${milliseconds} ms: ${what} ${reason}`);
    await pause(25);
  }
}

let serial = 0;

/** `user`: the uid that its agents run as; root alone can say another's. */
export async function makeWorld(
  environment: Record<string, string> = {},
  user?: number,
): Promise<World> {
  const root = await mkdtemp(path.join(tmpdir(), 'trainyard-agent-'));
  const home = path.join(root, 'home');
  const code = path.join(root, 'code');
  const userHome = path.join(root, 'user');
  await Promise.all([home, code, userHome].map((folder) => mkdir(folder, { recursive: true })));
  await writeFile(path.join(code, 'hello.txt'), 'hello\n');
  const runs: TestRun[] = [];
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: userHome,
    SHELL: '/bin/bash',
    ...environment,
  };
  return {
    root,
    home,
    code,
    environment: env,
    async run(fields = {}) {
      serial += 1;
      const id = `20260101-000000-t${String(serial).padStart(5, '0')}`;
      const run = await makeRun(id, path.join(home, 'runs', id), code, fields, env, user);
      if (user !== undefined)
        for (const folder of [root, ...(await readdir(root, { recursive: true }))])
          await chown(path.resolve(root, folder), user, user);
      runs.push(run);
      return run;
    },
    async remove() {
      for (const run of runs) await killAll(run);
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function makeRun(
  id: string,
  directory: string,
  code: string,
  fields: Partial<JobPlan>,
  env: Record<string, string>,
  user: number | undefined,
): Promise<TestRun> {
  const workers = fields.workers ?? ['true'];
  const plan: JobPlan = {
    format: 1,
    kind: 'training',
    id,
    name: 'test-job',
    host: 'local',
    createdAt: new Date().toISOString(),
    application: 'test',
    endpoints: GOOGLE_ENDPOINTS,
    gpusPerWorker: 0,
    code: { kind: 'dir', path: code },
    setup: null,
    workers: [...workers],
    env: {},
    input: null,
    output: null,
    workerKeys: [],
    unattended: false,
    stopGraceSeconds: 5,
    logLimitBytes: 50 * 1024 * 1024,
    spec: jobSpecSchema.parse({ name: 'test-job', host: 'local', code: { dir: code }, workers }),
    ...fields,
  };
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(path.join(directory, 'plan.json'), JSON.stringify(plan));
  const at = (name: string): string => path.join(directory, name);
  const events = (): RunEvent[] => {
    if (!existsSync(at('events.jsonl'))) return [];
    return readFileSync(at('events.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .flatMap((line) => {
        const parsed = parseEventLine(line);
        return 'event' in parsed ? [parsed.event] : [];
      });
  };
  const run: TestRun = {
    id,
    directory,
    plan,
    at,
    events,
    start: (secrets = NO_SECRETS) => startAgent(directory, secrets, env, AGENT, user),
    async begin(secrets = NO_SECRETS) {
      const answer = await run.start(secrets);
      if (!answer.started) throw new Error(JSON.stringify(answer.problem));
      return answer.agent;
    },
    async waitFor(kind, test = () => true, milliseconds = 40_000) {
      type Wanted = RunEvent & { kind: typeof kind };
      let found: Wanted | undefined;
      try {
        await until(
          () => {
            found = events().find(
              (event): event is Wanted => event.kind === kind && test(event as Wanted),
            );
            return found !== undefined;
          },
          `event ${kind}`,
          milliseconds,
        );
      } catch (error) {
        throw new Error(
          `${String(error)}\n${events()
            .map((event) => JSON.stringify(event))
            .join(
              '\n',
            )}\n${existsSync(at('logs/agent.log')) ? readFileSync(at('logs/agent.log'), 'utf8') : ''}`,
        );
      }
      return found!;
    },
    async ended(attempt = 1, milliseconds = 60_000) {
      const started = await run.waitFor('agent-started', (event) => event.attempt === attempt);
      const ended = await run.waitFor('ended', (event) => event.seq > started.seq, milliseconds);
      return ended;
    },
    async stop() {
      await mkdir(at('control'), { recursive: true });
      const request = { format: 1, requestedAt: new Date().toISOString() };
      await writeFile(at('control/.stop'), JSON.stringify(request));
      await import('node:fs/promises').then(({ rename }) =>
        rename(at('control/.stop'), at('control/stop.json')),
      );
    },
    read: (name) => readFileSync(at(name), 'utf8'),
  };
  return run;
}

export function startAgent(
  directory: string,
  secrets: AgentSecrets,
  env: Record<string, string>,
  program = AGENT,
  user?: number,
): Promise<StartAnswer> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, 'start', directory], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(user === undefined ? {} : { uid: user, gid: user }),
    });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.once('close', () => {
      try {
        resolve(JSON.parse(output) as StartAnswer);
      } catch {
        reject(new Error(`the agent answered ${output} ${errors}`));
      }
    });
    child.stdin.end(JSON.stringify(secrets));
  });
}

export function callAgent(
  parameters: string[],
  env: Record<string, string>,
  program = AGENT,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...parameters], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

function identityIn(file: string): ProcessIdentity | null {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as
      ProcessIdentity | { process: ProcessIdentity };
    return 'process' in value ? value.process : value;
  } catch {
    return null;
  }
}

/** Every process that the run's records name and that still runs. */
export async function processesOf(run: TestRun): Promise<ProcessIdentity[]> {
  const files = [run.at('lock')];
  const workers = existsSync(run.at('workers')) ? await readdir(run.at('workers')) : [];
  for (const worker of workers)
    files.push(run.at(`workers/${worker}/pid.json`), run.at(`workers/${worker}/started.json`));
  return files.flatMap((file) => {
    const identity = identityIn(file);
    return identity !== null && isAlive(identity) ? [identity] : [];
  });
}

export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}

async function killAll(run: TestRun): Promise<void> {
  for (const { pid } of await processesOf(run)) {
    kill(-pid);
    kill(pid);
  }
}

export const sha = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex');

/** The checksums of the files below a folder, by relative name. */
export const sumsBelow = (folder: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(filesIn(folder))
      .map(([name, bytes]): [string, string] => [name, sha(bytes)])
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );

/**
 * The files below a folder and what is in them, by relative name. One that goes while this looks (the agent lets go of its lock
 * just after the run's last event) is not there.
 */
export function filesIn(folder: string): Readonly<Record<string, Buffer>> {
  const read = (entry: Dirent): [string, Buffer][] => {
    const file = path.join(entry.parentPath, entry.name);
    try {
      return [[path.relative(folder, file), readFileSync(file)]];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  };
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .flatMap(read),
  );
}
