import { hasEnded } from '../../shared/job-status.ts';
import { ok, type Result } from '../../shared/problem.ts';
import type { JobView } from '../../shared/views.ts';
import type { KnownRun, Runs } from './runs.ts';

/** How often a followed run is looked at where the system tells of no change. Milliseconds. */
const FOLLOW_EVERY = 500;
/** How often the list of all runs is compared. Milliseconds. */
const WATCH_EVERY = 1_000;

/** A wait that a change ends early. */
export function alarm(): { wait: (milliseconds: number) => Promise<void>; ring: () => void } {
  let ring: (() => void) | null = null;
  let rang = false;
  return {
    ring: () => {
      rang = true;
      ring?.();
    },
    wait: (milliseconds) =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          ring = null;
          rang = false;
          resolve();
        };
        const timer = setTimeout(done, milliseconds);
        ring = done;
        if (rang) done();
      }),
  };
}

/** Tells whether a screen would show something else. Pure. */
export function sameView(a: JobView, b: JobView): boolean {
  return (
    a.status.seq === b.status.seq &&
    a.state === b.state &&
    a.agent?.pid === b.agent?.pid &&
    a.status.problem?.code === b.status.problem?.code
  );
}

/** Whether nothing more will come from this run unless somebody retries it. Pure. */
export function isOver(view: JobView): boolean {
  return (
    view.unreadable === true ||
    (hasEnded(view.state) && view.agent === null) ||
    view.state === 'interrupted'
  );
}

/**
 * Calls back with every new state of a run until it is over (ended, interrupted or unreadable) or the signal is aborted; resolves with
 * the last view. What happened between two looks is in the view: nothing is missed.
 */
export async function followRun(
  run: KnownRun,
  onChange: (view: JobView) => void,
  signal: AbortSignal,
): Promise<Result<JobView>> {
  const { wait, ring } = alarm();
  const unwatch = run.host.watchRun(run.id, ring);
  signal.addEventListener('abort', ring, { once: true });
  try {
    let last: JobView | null = null;
    for (;;) {
      const view = await run.reader.view();
      if (last === null || !sameView(last, view)) onChange(view);
      last = view;
      if (isOver(view) || signal.aborted) return ok(view);
      await wait(FOLLOW_EVERY);
    }
  } finally {
    unwatch();
    signal.removeEventListener('abort', ring);
  }
}

/** A run that appeared, changed or went away. */
export interface RunChange {
  readonly id: string;
  /** What it was; undefined where it was not there. */
  readonly before: JobView | undefined;
}

/**
 * Calls back for each run that appeared, changed or went away since the watch began, or since it was given out by {@link Runs.page}. Returns the
 * disposer. Errors of the listener are given to `failed`.
 */
export function watchRuns(
  all: Pick<Runs, 'current' | 'given'>,
  listener: (change: RunChange) => void,
  failed: (error: unknown) => void,
): () => void {
  let known: ReadonlyMap<string, JobView> | null = null;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    const now = new Map((await all.current()).map((view) => [view.id, view]));
    if (closed) return;
    for (const [id, view] of now) {
      const before = known === null ? all.given(id) : known.get(id);
      if (before === undefined ? known !== null : before !== view && !sameView(before, view))
        listener({ id, before });
    }
    for (const [id, before] of known ?? []) if (!now.has(id)) listener({ id, before });
    known = now;
  };
  const again = (): void => {
    look()
      .catch(failed)
      .finally(() => {
        if (!closed) timer = setTimeout(again, WATCH_EVERY).unref();
      });
  };
  again();
  return () => {
    closed = true;
    clearTimeout(timer);
  };
}
