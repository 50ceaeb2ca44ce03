import { randomBytes } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { isAbsolute, join, normalize, sep } from 'node:path';
import {
  hostProbeSchema,
  startAnswerSchema,
  type HostProbe,
  type StartAnswer,
} from '../../../shared/agent-protocol.ts';
import { jobIdSchema } from '../../../shared/plan.ts';
import type { ProcessIdentity } from '../../../shared/process-identity.ts';
import { fail, ok, problem, type Problem, type Result } from '../../../shared/problem.ts';
import { RUN, workerPid } from '../../../shared/run-directory.ts';
import { writeFileAtomically } from '../../platform/atomic-file.ts';
import { execute } from '../../platform/execute.ts';
import { sleep } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { codeOf, reasonOf, type Environment, type HomePaths } from '../../platform/paths.ts';
import { isAlive, parseIdentity } from '../../platform/processes.ts';
import type { Host } from '../types.ts';
import { cleanAgents } from './clean-agents.ts';
import { agentEnvironment } from './environment.ts';
import { codeAddresses, foundProxies } from './found-proxies.ts';
import { listFolder } from './list-folder.ts';
import { hasLeftKeys } from './left-keys.ts';
import { noteUse, placeAgent, type PlacedAgent } from './place-agent.ts';
import { sweepUnfinished, UNFINISHED } from './unfinished.ts';
import { makeFolders } from '../../platform/make-folders.ts';

/** The agent answers within 20 s; a loaded machine takes longer to start Node.js. Milliseconds. */
const START_TIME = 60_000;
const PROBE_TIME = 30_000;
const SWEEP_TIME = 20_000;

/** How often, and how many times, an agent is looked for whose start was ended from outside: ten seconds. Milliseconds. */
const LATE_EVERY = 100;
const LATE_LOOKS = 100;

export interface LocalHostOptions {
  readonly paths: Pick<HomePaths, 'home' | 'runs' | 'agents'>;
  /** The built agent: `agent.mjs`, `manifest.json` and what it needs beside it. */
  readonly agentFolder: string;
  /** A Node.js 24 program; null where none was found. */
  readonly nodeRuntime: string | null;
  /** What agents inherit, less what is Trainyard's own. */
  readonly env: Environment;
  readonly log: Log;
  readonly platform?: NodeJS.Platform;
}

/** This machine; `sweepKeys` removes the key files that crashed runs left on the memory disk, and never fails. */
export function localHost(
  options: LocalHostOptions,
): Host & { readonly sweepKeys: () => Promise<void> } {
  const { paths, log } = options;
  const platform = options.platform ?? process.platform;
  const env = agentEnvironment(options.env);

  const fileOf = (id: string, name: string): string => {
    const inside = normalize(name);
    // A bug of the caller: ids and names never come from outside unchecked.
    if (
      !jobIdSchema.safeParse(id).success ||
      isAbsolute(inside) ||
      inside.split(sep).includes('..')
    )
      throw new Error(`not a file of a run: ${id} ${name}`);
    return join(paths.runs, id, inside);
  };

  /** The system's refusal becomes a problem; what is not there becomes null. */
  const reading = async <T>(path: string, body: () => Promise<T>): Promise<Result<T | null>> => {
    try {
      return ok(await body());
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return ok(null);
      return fail(refused('read', path, error));
    }
  };

  const writing = async (path: string, body: () => Promise<void> | void): Promise<Result<void>> => {
    try {
      await body();
      return ok();
    } catch (error) {
      return fail(refused('write', path, error));
    }
  };

  const place = async (): Promise<Result<PlacedAgent>> => {
    if (platform === 'win32') return fail(notSupported);
    const placed = await placeAgent(paths.agents, options);
    if (placed.ok && placed.value.fresh)
      void cleanAgents(paths.agents, placed.value.version, isLive).catch((error: unknown) =>
        log.warn('cleaning old agents', error),
      );
    return placed;
  };

  const aliveAt = async (id: string, name: string): Promise<ProcessIdentity | null> => {
    const text = await readFile(fileOf(id, name), 'utf8').catch(() => '');
    const identity = parseIdentity(text);
    return identity !== null && (await isAlive(identity)) ? identity : null;
  };

  const isLive = async (id: string): Promise<boolean> => {
    if (!jobIdSchema.safeParse(id).success) return false;
    if ((await aliveAt(id, RUN.lock)) !== null) return true;
    const workers = await readdir(fileOf(id, RUN.workers)).catch(() => []);
    const found = await Promise.all(
      workers
        .filter((name) => /^\d+$/.test(name))
        .map((name) => aliveAt(id, workerPid(Number(name)))),
    );
    return found.some((identity) => identity !== null);
  };

  /** The agent of a run whose start was ended from outside before it could answer: it may come all the same. */
  const lateAgent = async (id: string): Promise<ProcessIdentity | null> => {
    for (let looks = 0; ; looks += 1) {
      const agent = await aliveAt(id, RUN.lock);
      if (agent !== null || looks === LATE_LOOKS) return agent;
      await sleep(LATE_EVERY);
    }
  };

  const probe = async (signal?: AbortSignal): Promise<Result<HostProbe>> => {
    const agent = await place();
    if (!agent.ok) return agent;
    const executed = await execute(agent.value.node, [agent.value.program, 'probe', paths.home], {
      env,
      timeoutMs: PROBE_TIME,
      ...(signal === undefined ? {} : { signal }),
    });
    const parsed = hostProbeSchema.safeParse(parseJson(executed.stdout));
    return parsed.success ? ok(parsed.data) : fail(agentFailed('probe this machine', executed));
  };

  const sweepKeys = async (): Promise<void> => {
    if (platform !== 'linux' || !(await hasLeftKeys(paths.runs, isLive))) return;
    const agent = await place();
    if (!agent.ok) {
      log.warn('removing the key files of crashed runs', agent.problem);
      return;
    }
    const { node, program } = agent.value;
    const swept = await execute(node, [program, 'sweep', paths.runs], {
      env,
      timeoutMs: SWEEP_TIME,
    });
    if (swept.exitCode !== 0)
      log.warn('removing the key files of crashed runs', agentFailed('sweep', swept));
  };

  return {
    name: 'local',
    sweepKeys,
    probe,
    async placeAgent() {
      const placed = await place();
      return placed.ok ? ok(placed.value.version) : placed;
    },
    async isFolder(path) {
      const found = await reading(path, async () => (await stat(path)).isDirectory());
      if (!found.ok) return found;
      return ok(found.value ?? false);
    },
    async createRun(plan) {
      if (platform === 'win32') return fail(notSupported);
      const folder = fileOf(plan.id, '.');
      const temporary = join(
        paths.runs,
        `${UNFINISHED}${plan.id}-${randomBytes(4).toString('hex')}`,
      );
      await sweepUnfinished(paths.runs);
      const made = await writing(folder, async () => {
        for (const name of [RUN.control, RUN.inbox, RUN.logs]) makeFolders(join(temporary, name));
        writeFileAtomically(join(temporary, RUN.plan), `${JSON.stringify(plan, null, 2)}\n`);
        await rename(temporary, folder);
      });
      if (!made.ok) await rm(temporary, { recursive: true, force: true });
      return made;
    },
    removeRun: (id) => {
      const folder = fileOf(id, '.');
      return writing(folder, () => rm(folder, { recursive: true, force: true }));
    },
    runDirectory: (id) => join(paths.runs, id),
    async start(id, secrets, asked = {}) {
      const agent = await place();
      if (!agent.ok) return agent;
      const directory = fileOf(id, '.');
      const cleared = await writing(directory, async () => {
        await noteUse(agent.value, id);
        if (asked.keepStop === true) return;
        await unlink(fileOf(id, RUN.stopRequest)).catch((error: unknown) => {
          if (codeOf(error) !== 'ENOENT') throw error;
        });
      });
      if (!cleared.ok) return cleared;
      const plan = await readFile(fileOf(id, RUN.plan), 'utf8').catch(() => '');
      const found = await foundProxies(options.env, codeAddresses(parseJson(plan)));
      const executed = await execute(agent.value.node, [agent.value.program, 'start', directory], {
        env: { ...env, ...found },
        cwd: directory,
        input: JSON.stringify(secrets),
        timeoutMs: START_TIME,
      });
      const answer = startAnswerSchema.safeParse(parseJson(executed.stdout));
      if (!answer.success && executed.exitCode === null && executed.startError === null) {
        const late = await lateAgent(id);
        return late === null ? fail(nobodySaw(id)) : ok(late);
      }
      if (!answer.success) return fail(agentFailed('start the run', executed));
      const said: StartAnswer = answer.data;
      if (!said.started) return fail(said.problem);
      if (said.inboxKey !== undefined) asked.announced?.(said.inboxKey);
      return ok(said.agent);
    },
    async listRuns() {
      const names = await reading(paths.runs, () => readdir(paths.runs));
      if (!names.ok) return names;
      return ok((names.value ?? []).filter((name) => jobIdSchema.safeParse(name).success).sort());
    },
    statFile: (id, name) => {
      const path = fileOf(id, name);
      return reading(path, async () => {
        const { size, mtimeMs } = await stat(path);
        return { size, changedAt: Math.trunc(mtimeMs) };
      });
    },
    readFile: (id, name, offset, maxBytes) => {
      const path = fileOf(id, name);
      return reading(path, async () => {
        const file = await open(path, 'r');
        try {
          const { size } = await file.stat();
          const bytes = Buffer.alloc(Math.max(0, Math.min(maxBytes, size - offset)));
          let length = 0;
          while (length < bytes.length) {
            const { bytesRead } = await file.read(
              bytes,
              length,
              bytes.length - length,
              offset + length,
            );
            if (bytesRead === 0) break;
            length += bytesRead;
          }
          return { bytes: bytes.subarray(0, length), size };
        } finally {
          await file.close();
        }
      });
    },
    listFolder: (id, name, limit) => {
      const path = fileOf(id, name);
      return reading(path, () => listFolder(fileOf(id, '.'), path, limit));
    },
    writeFile: (id, name, content) => {
      const path = fileOf(id, name);
      return writing(path, () => writeFileAtomically(path, content));
    },
    async agent(id) {
      const lock = await reading(fileOf(id, RUN.lock), () => aliveAt(id, RUN.lock));
      return lock;
    },
    requestStop: (id, requestedAt) => {
      const path = fileOf(id, RUN.stopRequest);
      return writing(path, async () => {
        makeFolders(fileOf(id, RUN.control));
        writeFileAtomically(path, JSON.stringify({ format: 1, requestedAt }));
      });
    },
    async deliverTokens(id, inbox) {
      const name = `${RUN.inbox}/${randomBytes(8).toString('hex')}.json`;
      const path = fileOf(id, name);
      // Its folder is not made here: a run that is over has none, and must get no token.
      const written = await writing(path, () => writeFileAtomically(path, JSON.stringify(inbox)));
      return written.ok ? ok(name) : written;
    },
    removeFile: (id, name) => {
      const path = fileOf(id, name);
      return writing(path, () => rm(path, { force: true }));
    },
    watchRun(id, changed) {
      const watchers = ['.', RUN.logs].map((name) => watchFolder(fileOf(id, name), changed));
      return () => {
        for (const watcher of watchers) watcher?.close();
      };
    },
  };

  function watchFolder(folder: string, changed: () => void): FSWatcher | null {
    try {
      const watcher = watch(folder, { persistent: false }, changed);
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      // Not there yet, or no watches are left: polling tells, too.
      return null;
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const notSupported: Problem = problem({
  code: 'host.not-supported',
  op: 'use this machine',
  subject: 'local',
  message: 'Jobs cannot run on Windows itself.',
  hint: 'Use WSL 2, or a Linux host.',
});

function refused(verb: 'read' | 'write', path: string, error: unknown): Problem {
  return problem({
    code: 'host.file',
    op: `${verb} a file of the run`,
    subject: path,
    message: `${path} cannot be ${verb === 'read' ? 'read' : 'written'}: ${reasonOf(error)}.`,
    hint: 'See that the folder is yours and that the disk has room.',
    retryable: true,
  });
}

function nobodySaw(id: string): Problem {
  return problem({
    code: 'host.start-cut-off',
    op: 'start the run',
    subject: id,
    message: 'The program that starts the agent was ended from outside before it could answer.',
    hint: `See whether the job runs: trainyard job ${id}. If it does not: trainyard retry ${id}.`,
    retryable: true,
  });
}

function agentFailed(op: string, executed: Awaited<ReturnType<typeof execute>>): Problem {
  const said =
    executed.startError ??
    (executed.timedOut
      ? 'it did not answer in time'
      : (executed.stderr.trim().split('\n').at(-1) ?? '') ||
        `it ended with ${executed.exitCode ?? 'a signal'}`);
  return problem({
    code: 'host.agent-failed',
    op,
    subject: 'local',
    message: `The agent program failed: ${said}.`,
    hint: 'Try again. If it stays so, install Trainyard again (in a checkout: npm run setup).',
    retryable: true,
  });
}
