import { hasEnded } from '../../shared/job-status.ts';
import { jobIdSchema } from '../../shared/plan.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import type { JobView } from '../../shared/views.ts';
import type { Hosts } from '../hosts/hosts.ts';
import type { FileStatus, Host } from '../hosts/types.ts';
import type { Clock } from '../platform/clock.ts';
import { runReader, type RunReader } from './run-reader.ts';
import type { Dated, ViewIndex } from './view-index.ts';

/** How many runs are read at the same time. */
const AT_ONCE = 8;

/** A run, where it lies and who reads it. */
export interface KnownRun {
  readonly id: string;
  readonly host: Host;
  readonly reader: RunReader;
}

/** All runs of all hosts, read from their directories. */
export interface Runs {
  /** Newest first. A host that cannot be asked is left out. */
  list(): Promise<readonly JobView[]>;
  /** Errors: `input.job-unknown`. */
  find(id: string): Promise<Result<KnownRun>>;
}

export function runs(hosts: Hosts, index: ViewIndex, clock: Clock): Runs {
  const readers = new Map<string, RunReader>();
  /** Runs that ended, as they were when their events had this size and date. */
  const settled = new Map<string, Dated>();
  const readerOf = (host: Host, id: string): RunReader => {
    const known = readers.get(id);
    if (known !== undefined) return known;
    const reader = runReader(host, id, clock);
    readers.set(id, reader);
    return reader;
  };

  const look = async (host: Host, id: string): Promise<Dated> => {
    const found = await host.statFile(id, RUN.events);
    const events = found.ok ? found.value : null;
    const before = settled.get(id);
    if (before !== undefined && sameFile(before.events, events)) return before;
    const kept = index.find(host, id, events);
    const dated = { view: kept ?? (await readerOf(host, id).view()), events };
    if (hasEnded(dated.view.state) && dated.view.agent === null) settled.set(id, dated);
    else settled.delete(id);
    return dated;
  };

  return {
    async list() {
      const all: JobView[] = [];
      for (const host of hosts.list()) {
        const ids = await host.listRuns();
        if (!ids.ok) continue;
        const there = new Set(ids.value);
        for (const id of readers.keys()) if (!there.has(id)) readers.delete(id);
        for (const id of settled.keys()) if (!there.has(id)) settled.delete(id);
        const dated = await inGroups(ids.value, AT_ONCE, (id) => look(host, id));
        index.keep(host, dated);
        all.push(...dated.map(({ view }) => view));
      }
      return all.toSorted((a, b) => (a.id < b.id ? 1 : -1));
    },
    async find(id) {
      if (jobIdSchema.safeParse(id).success)
        for (const host of hosts.list()) {
          const listed = await host.listRuns();
          if (!listed.ok) return listed;
          if (listed.value.includes(id)) return ok({ id, host, reader: readerOf(host, id) });
        }
      return fail(unknownJob(id));
    },
  };
}

function sameFile(a: FileStatus | null, b: FileStatus | null): boolean {
  return a !== null && b !== null && a.size === b.size && a.changedAt === b.changedAt;
}

async function inGroups<T, R>(
  items: readonly T[],
  size: number,
  body: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  for (let begin = 0; begin < items.length; begin += size)
    results.push(...(await Promise.all(items.slice(begin, begin + size).map(body))));
  return results;
}

function unknownJob(id: string): Problem {
  return problem({
    code: 'input.job-unknown',
    op: 'find the job',
    subject: id,
    message: `There is no job ${id}.`,
    hint: 'trainyard jobs lists all.',
  });
}
