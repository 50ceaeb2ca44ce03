import { setImmediate } from 'node:timers/promises';
import { jobIdSchema } from '../../shared/plan.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import type { JobView } from '../../shared/views.ts';
import type { Hosts } from '../hosts/hosts.ts';
import type { FileStatus, Host } from '../hosts/types.ts';
import type { Clock } from '../platform/clock.ts';
import { runReader, type RunReader } from './run-reader.ts';
import { isSettled, type Dated, type ViewIndex } from './view-index.ts';

/** How many runs are read at the same time. */
const AT_ONCE = 16;
/** After so many runs others get their turn. */
const SLICE = 100;
/** Of the runs that ended, {@link Runs.current} looks at so many of the newest, and at so many of the others in turn. */
const NEWEST = 100;
const IN_TURN = 200;

/** A run, where it lies and who reads it. */
export interface KnownRun {
  readonly id: string;
  readonly host: Host;
  readonly reader: RunReader;
}

export interface PageRequest {
  /** Only runs older than this one; null begins with the newest. */
  readonly before: string | null;
  readonly limit: number;
}

export interface RunsPage {
  readonly jobs: readonly JobView[];
  /** How many runs there are. */
  readonly total: number;
  /** There are older ones. */
  readonly more: boolean;
}

/** All runs of all hosts. Their directories are the truth; a host that cannot be asked is left out. */
export interface Runs {
  /** Newest first, each looked at. */
  list(): Promise<readonly JobView[]>;
  /**
   * Newest first, cheap enough to be asked every second: looked at are those that are not over, the newest, and some of the others in turn. An
   * old run that somebody retries elsewhere is seen some rounds later.
   */
  current(): Promise<readonly JobView[]>;
  /** Newest first, at once: what the index knows of runs that ended is taken as it is. */
  page(request: PageRequest): Promise<RunsPage>;
  /** What {@link page} last said of a run. */
  given(id: string): JobView | undefined;
  /** A run that ended is about to go on: what the index knows of it is forgotten, for every process. */
  touch(id: string): void;
  /** Errors: `input.job-unknown`. */
  find(id: string): Promise<Result<KnownRun>>;
}

interface Place {
  readonly id: string;
  readonly host: Host;
}

export function runs(hosts: Hosts, index: ViewIndex, clock: Clock): Runs {
  const readers = new Map<string, RunReader>();
  /** Runs that ended, as they were when their events had this size and date. */
  const settled = new Map<string, Dated>();
  /** What the index knew of these was taken from it, or is out of date. */
  const recalled = new Set<string>();
  const looking = new Map<string, Promise<Dated>>();
  const givenOut = new Map<string, JobView>();
  let turn = NEWEST;

  const readerOf = (host: Host, id: string): RunReader => {
    const known = readers.get(id);
    if (known !== undefined) return known;
    const reader = runReader(host, id, clock);
    readers.set(id, reader);
    return reader;
  };

  const look = async ({ host, id }: Place): Promise<Dated> => {
    const found = await host.statFile(id, RUN.events);
    const events = found.ok ? found.value : null;
    const before = settled.get(id);
    if (before !== undefined && sameFile(before.events, events)) {
      // A plan stands before its first event: where it is younger, somebody put another in its place.
      const plan = await host.statFile(id, RUN.plan);
      const written = plan.ok ? plan.value?.changedAt : undefined;
      if (written !== undefined && written <= (events?.changedAt ?? 0)) return before;
    }
    const dated = { view: await readerOf(host, id).view(), events, isKept: false };
    if (isSettled(dated.view)) {
      settled.set(id, dated);
      readers.delete(id);
    } else settled.delete(id);
    return dated;
  };

  /** {@link look}, together with whoever looks already. */
  const join = (place: Place): Promise<Dated> => {
    const under = looking.get(place.id);
    if (under !== undefined) return under;
    const begun = look(place).finally(() => looking.delete(place.id));
    looking.set(place.id, begun);
    return begun;
  };

  const recall = (places: readonly Place[]): void => {
    const unknown = places.filter(({ id }) => !settled.has(id) && !recalled.has(id));
    for (const [host, group] of byHost(unknown)) {
      const ids = group.map(({ id }) => id);
      for (const id of ids) recalled.add(id);
      for (const dated of index.recall(host, ids)) settled.set(dated.view.id, dated);
    }
  };

  const keep = (places: readonly Place[], views: readonly Dated[]): void => {
    const fresh = views.flatMap((dated, at) => {
      const host = places[at]?.host;
      return host === undefined || dated.isKept || !isSettled(dated.view) ? [] : [{ host, dated }];
    });
    for (const [host, group] of byHost(fresh)) {
      const all = group.map(({ dated }) => dated);
      if (!index.keep(host, all)) continue;
      for (const dated of all)
        if (settled.get(dated.view.id) === dated)
          settled.set(dated.view.id, { ...dated, isKept: true });
    }
  };

  /** Every run there is, newest first; what is known of others is forgotten. */
  const places = async (options: { readonly prune: boolean }): Promise<readonly Place[]> => {
    const all: Place[] = [];
    for (const host of hosts.list()) {
      const ids = await host.listRuns();
      if (!ids.ok) continue;
      if (options.prune) index.prune(host, new Set(ids.value));
      for (const id of ids.value) all.push({ id, host });
    }
    const there = new Set(all.map(({ id }) => id));
    for (const known of [readers, settled, recalled, givenOut])
      for (const id of known.keys()) if (!there.has(id)) known.delete(id);
    return all.sort((a, b) => (a.id < b.id ? 1 : -1));
  };

  /** In slices, so that a click or a page in between is answered at once. */
  const views = async (
    all: readonly Place[],
    viewOf: (place: Place, position: number) => Promise<Dated>,
  ): Promise<readonly JobView[]> => {
    const found: JobView[] = [];
    for (let begin = 0; begin < all.length; begin += SLICE) {
      const slice = all.slice(begin, begin + SLICE);
      const isNew = slice.some(({ id }) => !settled.has(id));
      recall(slice);
      const dated: Dated[] = [];
      for (let at = 0; at < slice.length; at += AT_ONCE) {
        const group = slice.slice(at, at + AT_ONCE);
        dated.push(...(await Promise.all(group.map((place, k) => viewOf(place, begin + at + k)))));
      }
      keep(slice, dated);
      for (const { view } of dated) found.push(view);
      if (isNew) await setImmediate();
    }
    return found;
  };

  let isPruned = false;
  return {
    async list() {
      return views(await places({ prune: true }), look);
    },
    async current() {
      const all = await places({ prune: !isPruned });
      isPruned = true;
      const from = turn < all.length ? turn : NEWEST;
      turn = from + IN_TURN;
      return views(all, async (place, position) => {
        const known = settled.get(place.id);
        const isDue = position < NEWEST || (position >= from && position < from + IN_TURN);
        return known === undefined || isDue ? await join(place) : known;
      });
    },
    async page({ before, limit }) {
      const all = await places({ prune: false });
      const first = before === null ? 0 : all.findIndex(({ id }) => id < before);
      const chosen = first < 0 ? [] : all.slice(first, first + limit);
      const jobs = await views(chosen, async (place) => {
        const dated = settled.get(place.id) ?? (await join(place));
        // At once: a watch that begins meanwhile tells of what comes after.
        givenOut.set(place.id, dated.view);
        return dated;
      });
      return { jobs, total: all.length, more: first >= 0 && first + limit < all.length };
    },
    given: (id) => givenOut.get(id),
    touch(id) {
      settled.delete(id);
      recalled.add(id);
      index.forget([id]);
    },
    async find(id) {
      if (jobIdSchema.safeParse(id).success)
        for (const host of hosts.list()) {
          const found = await host.statFile(id, '.');
          if (!found.ok) return found;
          if (found.value !== null) return ok({ id, host, reader: readerOf(host, id) });
        }
      return fail(unknownJob(id));
    },
  };
}

function byHost<T extends { readonly host: Host }>(
  items: readonly T[],
): ReadonlyMap<Host, readonly T[]> {
  const groups = new Map<Host, T[]>();
  for (const item of items) {
    const group = groups.get(item.host);
    if (group === undefined) groups.set(item.host, [item]);
    else group.push(item);
  }
  return groups;
}

function sameFile(a: FileStatus | null, b: FileStatus | null): boolean {
  return a !== null && b !== null && a.size === b.size && a.changedAt === b.changedAt;
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
