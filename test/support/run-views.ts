import path from 'node:path';
import { localHost } from '../../src/main/hosts/local/host.ts';
import { runReader, type RunReader } from '../../src/main/jobs/run-reader.ts';
import { systemClock } from '../../src/main/platform/clock.ts';
import { openLog } from '../../src/main/platform/log.ts';
import type { JobView } from '../../src/shared/views.ts';

/**
 * Reads the runs of a home in this process, for tests that wait: asking the command line each time would start a program ten times a second.
 * `folder` takes what the readers log.
 */
export function runViews(home: string, folder: string): (id: string) => Promise<JobView> {
  const paths = { home, runs: path.join(home, 'runs'), agents: path.join(home, 'agents') };
  const log = openLog(path.join(folder, 'run-views.log'));
  const host = localHost({ paths, agentFolder: '', nodeRuntime: null, env: {}, log });
  const readers = new Map<string, RunReader>();
  return (id) => {
    const reader = readers.get(id) ?? runReader(host, id, systemClock);
    readers.set(id, reader);
    return reader.view();
  };
}
