import type { Progress } from '../shared/events.ts';

/** How long the rate looks back, in milliseconds. */
const WINDOW = 10_000;
/** At most four reports a second. */
const INTERVAL = 250;

/** Counts what a transfer has done and reports it at a bearable pace. */
export interface ProgressMeter {
  /** Bytes that arrived, or (negative) have to be sent again. */
  bytes(count: number): void;
  /** Bytes that nobody had told of, found while they arrive. */
  found(count: number): void;
  /** An object that is complete. */
  object(): void;
  /** The last report, always given. */
  end(): void;
}

interface Sample {
  readonly time: number;
  readonly bytes: number;
}

/** Bytes per second between the oldest sample in the window and now; 0 while nothing can be told. */
export function rateOf(samples: readonly Sample[], now: Sample): number {
  const oldest = samples.find((sample) => now.time - sample.time <= WINDOW);
  if (oldest === undefined || now.time <= oldest.time) return 0;
  return Math.max(0, ((now.bytes - oldest.bytes) * 1000) / (now.time - oldest.time));
}

/**
 * @param totals what there is to do: bytes and objects, those done by earlier attempts left out
 * @param report called at most four times a second, and once at the end
 * @param clock milliseconds, monotonic
 */
export function progressMeter(
  totals: { readonly bytes: number; readonly objects: number },
  report: ((progress: Progress) => void) | undefined,
  clock: () => number = () => performance.now(),
): ProgressMeter {
  let bytes = 0;
  let objects = 0;
  let { bytes: bytesTotal } = totals;
  let reported = -Infinity;
  let samples: readonly Sample[] = [{ time: clock(), bytes: 0 }];

  const tell = (now: number) => {
    reported = now;
    const sample = { time: now, bytes };
    const bytesPerSecond = rateOf(samples, sample);
    samples = [...samples.filter(({ time }) => now - time <= WINDOW), sample];
    const left = Math.max(0, bytesTotal - bytes);
    const known = left === 0 || bytesPerSecond > 0;
    report?.({
      bytes,
      bytesTotal,
      objects,
      objectsTotal: totals.objects,
      bytesPerSecond,
      secondsLeft: !known ? null : left === 0 ? 0 : left / bytesPerSecond,
    });
  };
  const maybe = () => {
    const now = clock();
    if (report !== undefined && now - reported >= INTERVAL) tell(now);
  };
  return {
    bytes(count) {
      bytes += count;
      maybe();
    },
    found(count) {
      bytesTotal += count;
    },
    object() {
      objects += 1;
      maybe();
    },
    end() {
      if (report !== undefined) tell(clock());
    },
  };
}
