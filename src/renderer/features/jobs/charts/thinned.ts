/**
 * Series of numbers over the same times, thinned as they grow: some hundreds of buckets hold the lowest and the highest value of each series,
 * however long a job runs. When there are too many buckets, each two become one. Adding a sample costs the same whether it is the tenth or the
 * hundred thousandth.
 */
export interface Thinned {
  /** `values`: by series; one that is not in it has no value at this time. Times rise. */
  readonly add: (time: number, values: ReadonlyMap<string, number | null>) => void;
  readonly clear: () => void;
  /** Where the points lie: of each bucket where it begins and, with more than one sample in it, where it ends. */
  readonly times: () => readonly number[];
  /** One value for each of the times. `both`: the lowest and the highest of each bucket, in the order in which they came. */
  readonly values: (series: string, side: Side) => readonly (number | null)[];
  /** Whether there ever was a value. */
  readonly has: (series: string) => boolean;
  /** The value of the last sample. */
  readonly latest: (series: string) => number | null;
}

export type Side = 'both' | 'low' | 'high';

interface Column {
  readonly low: (number | null)[];
  readonly high: (number | null)[];
  /** The lowest came before the highest. */
  readonly lowFirst: boolean[];
  latest: number | null;
}

interface Bucket {
  readonly begin: number;
  end: number;
  samples: number;
}

/** `most`: the most buckets, even; there are at least half as many once there were so many samples. */
export function thinned(most: number): Thinned {
  let step = 1;
  let buckets: Bucket[] = [];
  let columns = new Map<string, Column>();

  const columnOf = (series: string): Column => {
    const known = columns.get(series);
    if (known !== undefined) return known;
    const made: Column = { low: [], high: [], lowFirst: [], latest: null };
    columns.set(series, made);
    return made;
  };

  const halve = () => {
    step *= 2;
    buckets = pairs(buckets, (a, b) =>
      b === undefined ? a : { begin: a.begin, end: b.end, samples: a.samples + b.samples },
    );
    for (const column of columns.values()) halveColumn(column, buckets.length);
  };

  const add: Thinned['add'] = (time, values) => {
    let last = buckets.at(-1);
    if (last === undefined || last.samples >= step) {
      if (buckets.length >= most) halve();
      last = { begin: time, end: time, samples: 0 };
      buckets.push(last);
    }
    last.end = time;
    last.samples += 1;
    for (const column of columns.values()) column.latest = null;
    const at = buckets.length - 1;
    for (const [series, value] of values) {
      if (value === null) continue;
      const column = columnOf(series);
      column.latest = value;
      take(column, at, value);
    }
  };

  return {
    add,
    clear() {
      step = 1;
      buckets = [];
      columns = new Map();
    },
    times: () =>
      buckets.flatMap(({ begin, end, samples }) => (samples === 1 ? [begin] : [begin, end])),
    values(series, side) {
      const column = columns.get(series);
      return buckets.flatMap(({ samples }, at) => {
        const low = column?.low[at] ?? null;
        const high = column?.high[at] ?? null;
        const [first, second] =
          side === 'low'
            ? [low, low]
            : side === 'high'
              ? [high, high]
              : column?.lowFirst[at] === true
                ? [low, high]
                : [high, low];
        return samples === 1 ? [first] : [first, second];
      });
    },
    has: (series) => columns.has(series),
    latest: (series) => columns.get(series)?.latest ?? null,
  };
}

function take({ low, high, lowFirst }: Column, at: number, value: number): void {
  const lowest = low[at] ?? null;
  const highest = high[at] ?? null;
  if (lowest === null || value < lowest) {
    low[at] = value;
    lowFirst[at] = lowest === null;
  }
  if (highest === null || value > highest) {
    high[at] = value;
    lowFirst[at] = true;
  }
}

/** Each two of a list made one. */
function pairs<T>(list: readonly T[], join: (a: T, b: T | undefined) => T): T[] {
  const joined: T[] = [];
  for (let index = 0; index < list.length; index += 2) {
    const first = list[index];
    if (first !== undefined) joined.push(join(first, list[index + 1]));
  }
  return joined;
}

function halveColumn({ low, high, lowFirst }: Column, length: number): void {
  for (let at = 0; at < length; at += 1) {
    const [a, b] = [2 * at, 2 * at + 1];
    const [lowA, lowB] = [low[a] ?? null, low[b] ?? null];
    const [highA, highB] = [high[a] ?? null, high[b] ?? null];
    const lowIsFirst = lowB === null || (lowA !== null && lowA <= lowB);
    const highIsFirst = highB === null || (highA !== null && highA >= highB);
    low[at] = lowIsFirst ? lowA : lowB;
    high[at] = highIsFirst ? highA : highB;
    lowFirst[at] = lowIsFirst === highIsFirst ? lowFirst[lowIsFirst ? a : b] === true : lowIsFirst;
  }
  low.length = length;
  high.length = length;
  lowFirst.length = length;
}
