import { beforeAll, describe, expect, test } from 'vitest';
import { existsSync, mkdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { localHost } from '../../../src/main/hosts/local/host.ts';
import type { Host } from '../../../src/main/hosts/types.ts';
import { openLog } from '../../../src/main/platform/log.ts';
import { homePaths } from '../../../src/main/platform/paths.ts';
import { buildAgentFolder } from '../agent-folder.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';
import { argumentsOf, childrenOf } from '../../soak/processes.ts';
import { hostSuite, planOf } from './conformance.ts';

describe('the local host', () => {
  const folder = temporaryFolder();
  let paths: ReturnType<typeof homePaths>;
  const open = (platform?: NodeJS.Platform): Host =>
    localHost({
      paths: valueOf(paths),
      agentFolder: join(folder, 'agent'),
      nodeRuntime: process.execPath,
      env: process.env,
      log: openLog(join(folder, 'log')),
      ...(platform === undefined ? {} : { platform }),
    });
  beforeAll(async () => {
    paths = homePaths({ TRAINYARD_HOME: join(folder, 'home') });
    await buildAgentFolder(join(folder, 'agent'));
  });

  hostSuite('local', () => open());

  test('a start whose program is killed once the agent is under way is no failure', async () => {
    const host = open();
    const plan = planOf(folder, ['sleep 30']);
    valueOf(await host.createRun(plan));
    const starting = host.start(plan.id, { format: 1, tokens: [], keys: [] });
    let launcher = 0;
    for (const end = Date.now() + 30_000; launcher === 0 && Date.now() < end;) {
      const children = childrenOf(process.pid).filter((pid) =>
        argumentsOf(pid).includes(host.runDirectory(plan.id)),
      );
      launcher =
        children.find((pid) => childrenOf(pid).some((one) => argumentsOf(one).includes('carry'))) ??
        0;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    process.kill(launcher, 'SIGKILL');
    // The secrets had come whole, or not: then there is no agent, and the sentence says what to do.
    const agent = await starting;
    if (agent.ok) {
      expect(valueOf(await host.agent(plan.id))).toEqual(agent.value);
      valueOf(await host.requestStop(plan.id, new Date().toISOString()));
    } else {
      expect(agent.problem).toMatchObject({ code: 'host.start-cut-off' });
      expect(valueOf(await host.agent(plan.id))).toBeNull();
    }
    for (const end = Date.now() + 30_000; Date.now() < end;) {
      if (valueOf(await host.agent(plan.id)) === null) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(valueOf(await host.agent(plan.id))).toBeNull();
  }, 90_000);

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
