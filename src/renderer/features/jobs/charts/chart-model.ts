import type { Sample } from '../../../../shared/gpu.ts';
import type { WorkerStatus } from '../../../../shared/job-status.ts';

/** What the charts of a job show, told from its samples. Pure. */

export interface Chart {
  readonly title: string;
  readonly unit: string;
  /** The top of the scale; null: what the values need. */
  readonly top: number | null;
  readonly series: readonly Series[];
}

export interface Series {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

export interface Charts {
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly charts: readonly Chart[];
}

const GIB = 1024;
const MIB = 1024 * 1024;

export function chartsOf(samples: readonly Sample[], workers: readonly WorkerStatus[]): Charts {
  const kept = samples.filter(({ time }) => !Number.isNaN(Date.parse(time)));
  const times = kept.map(({ time }) => Date.parse(time) / 1000);
  const cards = cardsOf(kept, workers);
  const perCard = (value: (gpu: Sample['gpus'][number]) => number | null): readonly Series[] =>
    cards.map(({ uuid, name }) => ({
      name,
      values: kept.map(({ gpus }) => {
        const gpu = gpus.find((one) => one.uuid === uuid);
        return gpu === undefined ? null : value(gpu);
      }),
    }));
  const total = kept.at(-1)?.memoryTotal ?? 0;
  const all: readonly Chart[] = [
    { title: 'GPU use', unit: '%', top: 100, series: perCard((gpu) => gpu.utilization) },
    {
      title: 'GPU memory',
      unit: 'GiB',
      top: null,
      series: perCard((gpu) => (gpu.memoryUsed === null ? null : gpu.memoryUsed / GIB)),
    },
    { title: 'GPU power', unit: 'W', top: null, series: perCard((gpu) => gpu.power) },
    { title: 'GPU temperature', unit: '°C', top: null, series: perCard((gpu) => gpu.temperature) },
    {
      title: 'Processors',
      unit: '%',
      top: 100,
      series: [{ name: 'all', values: kept.map(({ cpu }) => cpu) }],
    },
    {
      title: 'Memory',
      unit: 'GiB',
      top: total / GIB,
      series: [{ name: 'used', values: kept.map(({ memoryUsed }) => memoryUsed / GIB) }],
    },
    {
      title: 'Disk',
      unit: 'MiB/s',
      top: null,
      series: [
        { name: 'read', values: kept.map(({ disk }) => rateOf(disk?.in)) },
        { name: 'written', values: kept.map(({ disk }) => rateOf(disk?.out)) },
      ],
    },
    {
      title: 'Network',
      unit: 'MiB/s',
      top: null,
      series: [
        { name: 'received', values: kept.map(({ network }) => rateOf(network?.in)) },
        { name: 'sent', values: kept.map(({ network }) => rateOf(network?.out)) },
      ],
    },
  ];
  // What the machine does not tell is no chart.
  const charts = all.filter(({ series }) =>
    series.some(({ values }) => values.some((value) => value !== null)),
  );
  return { times, charts };
}

const rateOf = (bytes: number | undefined): number | null =>
  bytes === undefined ? null : bytes / MIB;

/** The job's own cards; all that were sampled where it has none. */
function cardsOf(
  samples: readonly Sample[],
  workers: readonly WorkerStatus[],
): readonly { readonly uuid: string; readonly name: string }[] {
  const own = workers.flatMap(({ index, gpus }) =>
    gpus.map((gpu) => ({ uuid: gpu.uuid, name: `GPU ${gpu.index} (worker ${index})` })),
  );
  if (own.length > 0) return own;
  const uuids = new Set(samples.flatMap(({ gpus }) => gpus.map(({ uuid }) => uuid)));
  return [...uuids].map((uuid, index) => ({ uuid, name: `GPU ${index}` }));
}

/** `87 %`, `9.4 GiB`; a dash for what is not known. */
export function formatValue(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return '–';
  return `${value.toFixed(unit.endsWith('iB') || unit.endsWith('iB/s') ? (value < 100 ? 1 : 0) : 0)} ${unit}`;
}
