import { findProcesses, type Search } from './end.ts';
import { isSame, type KnownProcess } from './belongs.ts';
import { environmentOf } from './table.ts';

/** What descends from a worker's command, remembered while it can be told: once its parents are gone, and its environment cleared, nothing else names it. */
export interface Tracker {
  known(): readonly KnownProcess[];
  /** Looks now. */
  look(): void;
  end(): void;
}

/** Often at first, then at this pace, and slower where looking takes long. Milliseconds. */
const PACE = { first: 50, last: 2_000, step: 2 };
/** At most this part of the time goes into looking. */
const SHARE = 0.01;

/** `record` is called with those that do not name the run themselves, whenever these change. */
export function trackProcesses(
  search: Search,
  /** How many workers are tracked on this machine at the same time, about. */
  workers: number,
  record: (unnamed: readonly KnownProcess[]) => void,
): Tracker {
  let known: readonly KnownProcess[] = search.known;
  let recorded: readonly KnownProcess[] = search.known;
  let pace = PACE.first;
  let timer: NodeJS.Timeout | null = null;
  const look = (): void => {
    known = findProcesses({ ...search, known }, false).map(({ pid, startTime }) => ({
      pid,
      startTime,
    }));
    const unnamed = known.filter(
      ({ pid }) => environmentOf(pid)?.get('TRAINYARD_JOB_ID') !== search.runId,
    );
    const isNew =
      unnamed.length !== recorded.length ||
      unnamed.some((one) => !recorded.some((other) => isSame(one, other)));
    if (isNew) record((recorded = unnamed));
  };
  const next = (): void => {
    const began = performance.now();
    look();
    const took = performance.now() - began;
    pace = Math.min(PACE.last, pace * PACE.step);
    timer = setTimeout(next, Math.max(pace, (took / SHARE) * Math.max(1, workers / 8)));
  };
  if (process.platform === 'linux') timer = setTimeout(next, pace);
  return {
    known: () => known,
    look,
    end() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}
