import { describe, expect, it, test } from 'vitest';
import {
  chartsOf,
  chosenAfter,
  MEAN,
} from '../../src/renderer/features/jobs/charts/chart-model.ts';
import { LINE_STYLES } from '../../src/renderer/features/jobs/charts/line-styles.ts';
import { ownCards, sampleTable } from '../../src/renderer/features/jobs/charts/sample-table.ts';
import { thinned } from '../../src/renderer/features/jobs/charts/thinned.ts';
import { sampleSchema, type Sample } from '../../src/shared/gpu.ts';

const one = (value: number | null) => new Map([['a', value]]);

describe('a thinned series', () => {
  it('is what was added while there are few', () => {
    const series = thinned(4);
    for (const [time, value] of [
      [1, 5],
      [2, null],
      [3, 7],
    ] as const)
      series.add(time, one(value));
    expect(series.times()).toEqual([1, 2, 3]);
    expect(series.values('a', 'both')).toEqual([5, null, 7]);
    expect(series.values('never', 'both')).toEqual([null, null, null]);
    expect(series.latest('a')).toBe(7);
    series.add(4, one(null));
    expect(series.latest('a')).toBeNull();
    expect([series.has('a'), series.has('never')]).toEqual([true, false]);
  });

  it('keeps the lowest and the highest of each stretch, in their order', () => {
    const series = thinned(4);
    for (const [index, value] of [3, 9, 1, 4, 8, 2, 5].entries()) series.add(index, one(value));
    // Each two are one: 3 9, 1 4, 8 2, 5.
    expect(series.times()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(series.values('a', 'both')).toEqual([3, 9, 1, 4, 8, 2, 5]);
    for (const [index, value] of [6, 0].entries()) series.add(7 + index, one(value));
    // Each four are one: 3 9 1 4, 8 2 5 6, 0.
    expect(series.times()).toEqual([0, 3, 4, 7, 8]);
    expect(series.values('a', 'both')).toEqual([9, 1, 8, 2, 0]);
    expect(series.values('a', 'low')).toEqual([1, 1, 2, 2, 0]);
    expect(series.values('a', 'high')).toEqual([9, 9, 8, 8, 0]);
    series.clear();
    expect([series.times(), series.has('a')]).toEqual([[], false]);
  });

  it('never loses a peak, and never has more points than it may, whatever comes', () => {
    const series = thinned(64);
    let highest = -Infinity;
    for (let index = 0; index < 10_000; index += 1) {
      const value = index === 4_321 ? 1_000 : Math.sin(index) * 10;
      highest = Math.max(highest, value);
      series.add(index, index % 7 === 0 ? new Map() : one(value));
      if (index % 997 !== 0) continue;
      const times = series.times();
      expect(times.length).toBeLessThanOrEqual(128);
      expect(times.toSorted((a, b) => a - b)).toEqual(times);
      expect(times.at(-1)).toBe(index);
      expect(series.values('a', 'both')).toHaveLength(times.length);
    }
    expect(Math.max(...series.values('a', 'both').map((value) => value ?? 0))).toBe(highest);
  });
});

const sample = (index: number, cards: number): Sample => ({
  time: new Date(Date.UTC(2026, 10, 21) + index * 2_000).toISOString(),
  gpus: Array.from({ length: cards }, (_, card) => ({
    uuid: `GPU-${card}`,
    memoryUsed: 1024 * card,
    utilization: 10 * card,
    temperature: 60,
    power: null,
  })),
  cpu: 5,
  memoryUsed: 1024,
  memoryTotal: 2048,
  disk: null,
  network: null,
});
const workers = Array.from({ length: 8 }, (_, index) => ({
  index,
  gpus: [{ uuid: `GPU-${index}`, index, name: 'H100' }],
}));

describe('charts', () => {
  test('disk and network are there where they are told; samples of earlier versions show without', () => {
    const old = sampleSchema.parse({
      time: '2026-11-21T09:00:00.000Z',
      gpus: [],
      cpu: 5,
      memoryUsed: 1024,
      memoryTotal: 2048,
    });
    const table = sampleTable([]);
    table.append([old, { ...old, time: 'no time' }]);
    expect(chartsOf(table).charts.map(({ title }) => title)).toEqual(['Processors', 'Memory']);
    const later = { ...old, time: '2026-11-21T09:00:02.000Z' };
    table.append([
      { ...later, disk: { in: 1024 ** 2, out: 0 }, network: { in: 0, out: 2 * 1024 ** 2 } },
    ]);
    expect(chartsOf(table).charts.slice(2)).toMatchObject([
      {
        title: 'Disk',
        series: [
          { name: 'read', values: [null, 1] },
          { name: 'written', values: [null, 0] },
        ],
      },
      { title: 'Network', series: [{ values: [null, 0] }, { name: 'sent', values: [null, 2] }] },
    ]);
  });

  test('few cards have a line each', () => {
    const table = sampleTable(ownCards(workers.slice(0, 2)));
    table.append([sample(0, 8)]);
    const { charts, cards } = chartsOf(table);
    expect(cards).toEqual([]);
    expect(charts.map(({ title }) => title)).toEqual([
      'GPU use',
      'GPU memory',
      'GPU temperature',
      'Processors',
      'Memory',
    ]);
    expect(charts[0]).toMatchObject({
      band: null,
      series: [
        { name: 'GPU 0', about: 'worker 0', values: [0], latest: 0 },
        { name: 'GPU 1', about: 'worker 1', values: [10], latest: 10 },
      ],
    });
  });

  test('many cards are their mean and their range, and the lines of those that are chosen', () => {
    const table = sampleTable(ownCards(workers));
    table.append([sample(0, 8), sample(1, 8)]);
    const { charts, cards } = chartsOf(table, ['GPU-3']);
    expect(cards).toHaveLength(8);
    expect(charts[0]).toMatchObject({
      title: 'GPU use',
      band: { low: [0, 0], high: [70, 70] },
      series: [
        { name: 'mean', style: MEAN, values: [35, 35] },
        { name: 'GPU 3', style: 3, values: [30, 30] },
      ],
    });
    // No more than a head has room for.
    const chosen = ['a', 'b', 'c', 'd', 'e'].reduce<readonly string[]>(chosenAfter, []);
    expect(chosen).toEqual(['b', 'c', 'd', 'e']);
    expect(chosenAfter(chosen, 'c')).toEqual(['b', 'd', 'e']);
  });

  test('every one of eight lines is like no other, in hue and in dashes', () => {
    const looks = LINE_STYLES.map(({ light, dark, dash }) => [light, dark, dash.join()]);
    for (const part of [0, 1, 2]) expect(new Set(looks.map((look) => look[part])).size).toBe(8);
  });

  test('cards are named once, with their workers, and parts of one card apart', () => {
    const part = (uuid: string) => [{ uuid, index: 0, name: 'H100 1g' }];
    expect(
      ownCards([
        { index: 0, gpus: part('MIG-a') },
        { index: 1, gpus: part('MIG-b') },
        { index: 2, gpus: part('MIG-b') },
      ]),
    ).toEqual([
      { uuid: 'MIG-a', name: 'GPU 0.0', about: 'worker 0' },
      { uuid: 'MIG-b', name: 'GPU 0.1', about: 'workers 1, 2' },
    ]);
  });

  test('a day of eight cards is added to at the cost of what is new', () => {
    const table = sampleTable(ownCards(workers));
    let looked = 0;
    const seen = (index: number): Sample => {
      const { gpus, ...rest } = sample(index, 8);
      return {
        ...rest,
        get gpus() {
          looked += 1;
          return gpus;
        },
      };
    };
    table.append(Array.from({ length: 43_200 }, (_, index) => seen(index)));
    for (let look = 0; look < 20; look += 1) {
      looked = 0;
      table.append([seen(43_200 + look)]);
      const { times, charts } = chartsOf(table);
      expect(times.length).toBeLessThanOrEqual(1_024);
      expect(charts[0]?.series[0]?.values).toHaveLength(times.length);
      // None of those before is looked at again.
      expect(looked).toBeLessThanOrEqual(2);
    }
  });
});
