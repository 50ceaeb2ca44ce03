import { beforeAll, describe, expect, test } from 'vitest';
import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { localHost } from '../../../src/main/hosts/local/host.ts';
import type { Host } from '../../../src/main/hosts/types.ts';
import { openLog } from '../../../src/main/platform/log.ts';
import { homePaths } from '../../../src/main/platform/paths.ts';
import { AGENT_FOLDER } from '../../support/programs.ts';
import { RUN } from '../../../src/shared/run-directory.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';
import { hostSuite, planOf } from './conformance.ts';

const NO_SECRETS = { format: 1 as const, tokens: [], keys: [] };

/** Kills the program that starts an agent when the agent is under way and has answered it: it dies with that answer unsaid. */
const DIES_BEFORE_ITS_ANSWER = `process.stdout.write = () => process.kill(process.pid, 'SIGKILL');`;

/** Kills it when it has begun the agent's process and not yet handed over the secrets. */
const DIES_BEFORE_THE_SECRETS = `import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
const { spawn } = childProcess;
childProcess.spawn = (...args) => {
  spawn(...args);
  process.kill(process.pid, 'SIGKILL');
};
syncBuiltinESMExports();`;

/** A host of its own home, on which the program that starts an agent loads a module first; the agent itself does not. */
function hostThatLoads(module: string): Host {
  const folder = temporaryFolder();
  const runtime = join(folder, 'node');
  const preload = join(folder, 'preload.mjs');
  writeFileSync(preload, module);
  writeFileSync(
    runtime,
    `#!/bin/sh\nif [ "$2" = start ]; then exec '${process.execPath}' --import '${preload}' "$@"; fi\nexec '${process.execPath}' "$@"\n`,
    { mode: 0o755 },
  );
  return localHost({
    paths: valueOf(homePaths({ TRAINYARD_HOME: join(folder, 'home') })),
    agentFolder: AGENT_FOLDER,
    nodeRuntime: runtime,
    env: process.env,
    log: openLog(join(folder, 'log')),
  });
}

async function goneFrom(host: Host, id: string): Promise<void> {
  for (const end = Date.now() + 30_000; valueOf(await host.agent(id)) !== null;) {
    if (Date.now() > end) throw new Error('the agent is still there');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('the local host', () => {
  const folder = temporaryFolder();
  const cutOff = hostThatLoads(DIES_BEFORE_THE_SECRETS);
  const cutOffPlan = planOf(folder, ['true']);
  /** Begun before the other tests: the host looks for its agent for ten seconds. */
  let cutOffStart: ReturnType<Host['start']>;
  let paths: ReturnType<typeof homePaths>;
  const open = (platform?: NodeJS.Platform): Host =>
    localHost({
      paths: valueOf(paths),
      agentFolder: AGENT_FOLDER,
      nodeRuntime: process.execPath,
      env: process.env,
      log: openLog(join(folder, 'log')),
      ...(platform === undefined ? {} : { platform }),
    });
  beforeAll(async () => {
    paths = homePaths({ TRAINYARD_HOME: join(folder, 'home') });
    valueOf(await cutOff.createRun(cutOffPlan));
    cutOffStart = cutOff.start(cutOffPlan.id, NO_SECRETS);
  });

  hostSuite('local', () => open());

  test('a start whose program is killed once the agent is under way is no failure', async () => {
    const host = hostThatLoads(DIES_BEFORE_ITS_ANSWER);
    const plan = planOf(folder, ['sleep 30']);
    valueOf(await host.createRun(plan));
    const agent = valueOf(await host.start(plan.id, NO_SECRETS));
    expect(valueOf(await host.agent(plan.id))).toEqual(agent);
    valueOf(await host.requestStop(plan.id, new Date().toISOString()));
    await goneFrom(host, plan.id);
    const events = readFileSync(join(host.runDirectory(plan.id), RUN.events), 'utf8');
    expect(events).toContain('"state":"stopped"');
  });

  test('a start whose program is killed before the agent has its secrets says what to do, and nothing runs', async () => {
    const { id } = cutOffPlan;
    expect(problemOf(await cutOffStart)).toMatchObject({
      code: 'host.start-cut-off',
      hint: expect.stringContaining(`trainyard retry ${id}`) as string,
      retryable: true,
    });
    expect(valueOf(await cutOff.agent(id))).toBeNull();
    expect(valueOf(await cutOff.statFile(id, RUN.events))).toBeNull();
    // The process of the agent had begun.
    const log = readFileSync(join(cutOff.runDirectory(id), RUN.agentLog), 'utf8');
    expect(log).toContain('cannot begin');
  });

  test('what a killed program left unfinished is removed when it is old', async () => {
    const host = open();
    const { runs } = valueOf(paths);
    mkdirSync(join(runs, '.new-old/control'), { recursive: true });
    mkdirSync(join(runs, '.new-young'), { recursive: true });
    utimesSync(join(runs, '.new-old'), 1_000_000_000, 1_000_000_000);
    valueOf(await host.createRun(planOf(folder, ['true'])));
    expect(existsSync(join(runs, '.new-old'))).toBe(false);
    expect(existsSync(join(runs, '.new-young'))).toBe(true);
  });

  test('Windows is told in words', async () => {
    const host = open('win32');
    for (const result of [await host.probe(), await host.createRun(planOf(folder, ['x']))]) {
      const problem = problemOf(result);
      expect(problem.code).toBe('host.not-supported');
      expect(problem.hint).toContain('WSL 2');
    }
  });
});
