import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { isAlive } from '../../src/agent/identity.ts';
import { parseEventLine, type RunEvent } from '../../src/shared/events.ts';
import { deriveJobStatus, type JobStatus } from '../../src/shared/job-status.ts';
import { identityIn } from './processes.ts';
import { WORKERS, type World } from './world.ts';

/** A run as its directory tells it. */
export interface SeenRun {
  readonly directory: string;
  readonly events: readonly RunEvent[];
  /** Lines of `events.jsonl` that are no event. */
  readonly torn: readonly string[];
  readonly agentAlive: boolean;
  readonly status: JobStatus;
}

export const runDirectory = (world: World, id: string): string => path.join(world.home, 'runs', id);

export function readEvents(directory: string): Pick<SeenRun, 'events' | 'torn'> {
  const file = path.join(directory, 'events.jsonl');
  const events: RunEvent[] = [];
  const torn: string[] = [];
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [''];
  // What follows the last line's end is nothing, or is being written.
  for (const line of lines.slice(0, -1)) {
    const parsed = parseEventLine(line);
    if ('event' in parsed) events.push(parsed.event);
    else torn.push(line);
  }
  return { events, torn };
}

export function look(world: World, id: string): SeenRun {
  const directory = runDirectory(world, id);
  const agent = identityIn(path.join(directory, 'lock'));
  const agentAlive = agent !== null && isAlive(agent);
  const { events, torn } = readEvents(directory);
  const status = deriveJobStatus(events, {
    workers: WORKERS,
    agentAlive,
    createdAt: new Date(0).toISOString(),
    now: Date.now(),
  });
  return { directory, events, torn, agentAlive, status };
}

/** What was last seen of where the workers' key file lies: outside the run directory, on a memory file system. */
export function keyFolder(directory: string): string | null {
  try {
    const file = path.join(directory, 'private/key-folder.json');
    return (JSON.parse(readFileSync(file, 'utf8')) as { readonly folder: string }).folder;
  } catch {
    return null;
  }
}

/** All files below a folder, relative, with `/`; links are not followed. */
export function filesBelow(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .map((name) => name.split(path.sep).join('/'))
    .sort();
}
