import { beforeAll, describe, expect, test } from 'vitest';
import { join } from 'node:path';
import { localHost } from '../../../src/main/hosts/local/host.ts';
import type { Host } from '../../../src/main/hosts/types.ts';
import { openLog } from '../../../src/main/platform/log.ts';
import { homePaths } from '../../../src/main/platform/paths.ts';
import { buildAgentFolder } from '../agent-folder.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';
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

  test('Windows is told in words', async () => {
    const host = open('win32');
    for (const result of [await host.probe(), await host.createRun(planOf(folder, ['x']))]) {
      const problem = problemOf(result);
      expect(problem.code).toBe('host.not-supported');
      expect(problem.hint).toContain('WSL 2');
    }
  });
});
