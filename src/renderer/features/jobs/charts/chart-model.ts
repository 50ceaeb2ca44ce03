import {
  MEASURES,
  seriesOf,
  togetherOf,
  type Card,
  type Measure,
  type SampleTable,
} from './sample-table.ts';

/** What the charts of a job show, told from its samples. Pure. */

export interface Chart {
  readonly title: string;
  readonly unit: string;
  /** The top of the scale; null: what the values need. */
  readonly top: number | null;
  readonly series: readonly Series[];
  /** From the lowest to the highest of many cards; null where each has its line. */
  readonly band: Band | null;
}

export interface Series {
  readonly name: string;
  /** What the name leaves out; empty where it says all. */
  readonly about: string;
  /** Which of the lines it is drawn as. */
  readonly style: number;
  readonly values: readonly (number | null)[];
  readonly latest: number | null;
}

export interface Band {
  readonly low: readonly (number | null)[];
  readonly high: readonly (number | null)[];
  /** The lowest and the highest of the last sample. */
  readonly latest: readonly [low: number | null, high: number | null];
}

export interface Charts {
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly charts: readonly Chart[];
  /** To choose from, where not every card has its line; none otherwise. */
  readonly cards: readonly Card[];
}

/** More cards than these are drawn as their mean and their range, and those that are chosen. */
export const MOST_LINES = 4;

const CARD_CHARTS: Readonly<Record<Measure, Pick<Chart, 'title' | 'unit' | 'top'>>> = {
  use: { title: 'GPU use', unit: '%', top: 100 },
  memory: { title: 'GPU memory', unit: 'GiB', top: null },
  power: { title: 'GPU power', unit: 'W', top: null },
  temperature: { title: 'GPU temperature', unit: '°C', top: null },
};

/** `chosen`: UUIDs of cards that are to have a line of their own. */
export function chartsOf(table: SampleTable, chosen: readonly string[] = []): Charts {
  const cards = table.cards();
  const isMany = cards.length > MOST_LINES;
  const series = (name: string, key: string, style: number, about = ''): Series => ({
    name,
    about,
    style,
    values: table.values(key),
    latest: table.latest(key),
  });
  const ofCards = (measure: Measure): Chart => ({
    ...CARD_CHARTS[measure],
    series: [
      ...(isMany ? [series('mean', togetherOf(measure, 'mean'), MEAN)] : []),
      ...cards.flatMap(({ uuid, name, about }, index) =>
        isMany && !chosen.includes(uuid)
          ? []
          : [series(name, seriesOf(measure, uuid), index, about)],
      ),
    ],
    band: isMany
      ? {
          low: table.values(togetherOf(measure, 'lowest'), 'low'),
          high: table.values(togetherOf(measure, 'highest'), 'high'),
          latest: [
            table.latest(togetherOf(measure, 'lowest')),
            table.latest(togetherOf(measure, 'highest')),
          ],
        }
      : null,
  });
  const ofMachine = (
    title: string,
    unit: string,
    top: number | null,
    keys: readonly (readonly [string, string])[],
  ): Chart => ({
    title,
    unit,
    top,
    series: keys.map(([name, key], index) => series(name, key, index)),
    band: null,
  });
  // What the machine does not tell is no chart.
  const told = (keys: readonly string[]): boolean => keys.some((key) => table.has(key));
  return {
    times: table.times(),
    cards: isMany ? cards : [],
    charts: [
      ...MEASURES.filter((measure) => told([togetherOf(measure, 'mean')])).map(ofCards),
      ...(told(['cpu']) ? [ofMachine('Processors', '%', 100, [['all', 'cpu']])] : []),
      ...(told(['ram'])
        ? [ofMachine('Memory', 'GiB', table.memoryTotal(), [['used', 'ram']])]
        : []),
      ...(told(['read', 'written'])
        ? [
            ofMachine('Disk', 'MiB/s', null, [
              ['read', 'read'],
              ['written', 'written'],
            ]),
          ]
        : []),
      ...(told(['received', 'sent'])
        ? [
            ofMachine('Network', 'MiB/s', null, [
              ['received', 'received'],
              ['sent', 'sent'],
            ]),
          ]
        : []),
    ],
  };
}

/** The style of a mean: none of the cards'. */
export const MEAN = -1;

/** The chosen cards after a press on one: it joins them, or leaves them. No more than have room: the one chosen first goes. */
export function chosenAfter(chosen: readonly string[], uuid: string): readonly string[] {
  if (chosen.includes(uuid)) return chosen.filter((one) => one !== uuid);
  return [...chosen, uuid].slice(-MOST_LINES);
}

/** `87 %`, `9.4 GiB`; a dash for what is not known. */
export function formatValue(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return '–';
  return `${value.toFixed(unit.endsWith('iB') || unit.endsWith('iB/s') ? (value < 100 ? 1 : 0) : 0)} ${unit}`;
}
