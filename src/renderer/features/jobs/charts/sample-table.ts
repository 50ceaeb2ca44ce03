import type { Sample } from '../../../../shared/gpu.ts';
import type { WorkerStatus } from '../../../../shared/job-status.ts';
import { thinned, type Side } from './thinned.ts';

/** Twice as many points as a wide chart has pixels would say no more. */
const MOST_BUCKETS = 512;
const GIB = 1024;
const MIB = 1024 * 1024;

export interface Card {
  readonly uuid: string;
  /** `GPU 3`; with a second number where several have this one. */
  readonly name: string;
  /** Whose it is, in words; empty where that is not known. */
  readonly about: string;
}

/** What is measured of a card, and then of all cards together. */
export const MEASURES = ['use', 'memory', 'power', 'temperature'] as const;
export type Measure = (typeof MEASURES)[number];
export type Together = 'mean' | 'lowest' | 'highest';
export const MACHINE = ['cpu', 'ram', 'read', 'written', 'received', 'sent'] as const;

export const seriesOf = (measure: Measure, card: string): string => `${measure}/${card}`;
/** Cards are called by their UUIDs, which have no `*`. */
export const togetherOf = (measure: Measure, which: Together): string => `${measure}/*${which}`;

/** The samples of a job, as columns that grow. What it answers is a new list each time. */
export interface SampleTable {
  readonly append: (samples: readonly Sample[]) => void;
  readonly clear: () => void;
  /** The job's own; all that were sampled where it has none. */
  readonly cards: () => readonly Card[];
  readonly times: () => readonly number[];
  readonly values: (series: string, side?: Side) => readonly (number | null)[];
  readonly has: (series: string) => boolean;
  readonly latest: (series: string) => number | null;
  /** Of the machine, GiB. */
  readonly memoryTotal: () => number;
}

/** `own`: the cards of the job, of which alone the cards together are told; empty: of all. */
export function sampleTable(own: readonly Card[]): SampleTable {
  const table = thinned(MOST_BUCKETS);
  const ownIds = new Set(own.map(({ uuid }) => uuid));
  let found = new Set<string>();
  let memoryTotal = 0;
  const isMeant = (uuid: string): boolean => ownIds.size === 0 || ownIds.has(uuid);

  return {
    append(samples) {
      for (const sample of samples) {
        const time = Date.parse(sample.time) / 1000;
        if (Number.isNaN(time)) continue;
        memoryTotal = sample.memoryTotal / GIB;
        const cards = sample.gpus.filter(({ uuid }) => isMeant(uuid));
        for (const { uuid } of cards) found.add(uuid);
        table.add(time, columnsOf(sample, cards));
      }
    },
    clear() {
      table.clear();
      found = new Set();
    },
    cards: () =>
      own.length > 0
        ? own
        : [...found].map((uuid, index) => ({ uuid, name: `GPU ${index}`, about: '' })),
    times: table.times,
    values: (series, side = 'both') => table.values(series, side),
    has: table.has,
    latest: table.latest,
    memoryTotal: () => memoryTotal,
  };
}

function columnsOf(
  { cpu, memoryUsed, disk, network }: Sample,
  cards: Sample['gpus'],
): ReadonlyMap<string, number | null> {
  const columns = new Map<string, number | null>([
    ['cpu', cpu],
    ['ram', memoryUsed / GIB],
    ['read', rateOf(disk?.in)],
    ['written', rateOf(disk?.out)],
    ['received', rateOf(network?.in)],
    ['sent', rateOf(network?.out)],
  ]);
  for (const measure of MEASURES) {
    let [sum, count, lowest, highest] = [0, 0, Infinity, -Infinity];
    for (const card of cards) {
      const value = measured(measure, card);
      if (value === null) continue;
      columns.set(seriesOf(measure, card.uuid), value);
      sum += value;
      count += 1;
      lowest = Math.min(lowest, value);
      highest = Math.max(highest, value);
    }
    if (count === 0) continue;
    columns.set(togetherOf(measure, 'mean'), sum / count);
    columns.set(togetherOf(measure, 'lowest'), lowest);
    columns.set(togetherOf(measure, 'highest'), highest);
  }
  return columns;
}

function measured(measure: Measure, card: Sample['gpus'][number]): number | null {
  switch (measure) {
    case 'use':
      return card.utilization;
    case 'memory':
      return card.memoryUsed === null ? null : card.memoryUsed / GIB;
    case 'power':
      return card.power;
    case 'temperature':
      return card.temperature;
  }
}

const rateOf = (bytes: number | undefined): number | null =>
  bytes === undefined ? null : bytes / MIB;

/** The cards of a job's workers, each once. Pure. */
export function ownCards(
  workers: readonly Pick<WorkerStatus, 'index' | 'gpus'>[],
): readonly Card[] {
  const cards = new Map<string, { readonly index: number; readonly workers: number[] }>();
  for (const worker of workers)
    for (const { uuid, index } of worker.gpus) {
      const known = cards.get(uuid);
      if (known === undefined) cards.set(uuid, { index, workers: [worker.index] });
      else known.workers.push(worker.index);
    }
  const list = [...cards].map(([uuid, card]) => ({ uuid, ...card }));
  return list.map(({ uuid, index, workers: users }) => {
    const same = list.filter((one) => one.index === index);
    const part = same.length > 1 ? `.${same.findIndex((one) => one.uuid === uuid)}` : '';
    return {
      uuid,
      name: `GPU ${index}${part}`,
      about: `worker${users.length === 1 ? '' : 's'} ${users.join(', ')}`,
    };
  });
}
