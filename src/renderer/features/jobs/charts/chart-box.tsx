import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import { formatValue, type Chart } from './chart-model.ts';

const HEIGHT = 118;
/** Told apart by their dashes, too. */
const LINES = [
  { light: '#1864ab', dark: '#4dabf7', dash: [] },
  { light: '#a34a00', dark: '#ffa94d', dash: [6, 3] },
  { light: '#2b7a3c', dark: '#69db7c', dash: [2, 2] },
  { light: '#862e9c', dark: '#da77f2', dash: [8, 3, 2, 3] },
] as const;

interface ChartBoxProps {
  readonly chart: Chart;
  readonly times: readonly number[];
}

const plotData = (times: readonly number[], chart: Chart): uPlot.AlignedData => [
  [...times],
  ...chart.series.map(({ values }) => [...values]),
];

/** One chart, with the values under the pointer, or the last ones, at its head. */
export function ChartBox({ chart, times }: ChartBoxProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const dark = useComputedColorScheme('light') === 'dark';
  const [pointed, setPointed] = useState<number | null>(null);
  const names = chart.series.map(({ name }) => name).join('\n');
  const { title, unit, top } = chart;
  const data = useRef<uPlot.AlignedData>([[]]);

  useEffect(() => {
    data.current = plotData(times, chart);
    plot.current?.setData(data.current);
  }, [times, chart]);

  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const ink = dark ? '#a9a9a9' : '#5c636a';
    const grid = { stroke: dark ? '#333' : '#e6e8ea', width: 1 };
    const axis = { stroke: ink, grid, ticks: { show: false }, font: '12px system-ui, sans-serif' };
    const made = new uPlot(
      {
        width: Math.max(80, element.clientWidth),
        height: HEIGHT,
        padding: [6, 8, 0, 0],
        legend: { show: false },
        cursor: { sync: { key: 'job' }, drag: { x: true, y: false }, points: { size: 5 } },
        scales: {
          y: { range: (_, low, high) => [Math.min(0, low), top ?? Math.max(1, high * 1.1)] },
        },
        axes: [
          { ...axis, size: 22, space: 70, values: (_, all) => clocksOf(all) },
          {
            ...axis,
            size: 46,
            space: 28,
            values: (_, all) => all.map((value) => formatTick(value)),
          },
        ],
        series: [
          {},
          ...names.split('\n').map((name, index) => {
            const line = LINES[index % LINES.length] ?? LINES[0];
            return {
              label: name,
              stroke: dark ? line.dark : line.light,
              dash: [...line.dash],
              width: 1.5,
              points: { show: false },
            };
          }),
        ],
        hooks: { setCursor: [(self) => setPointed(self.cursor.idx ?? null)] },
      },
      data.current,
      element,
    );
    plot.current = made;
    const watcher = new ResizeObserver(() =>
      made.setSize({ width: Math.max(80, element.clientWidth), height: HEIGHT }),
    );
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [dark, names, title, top]);

  const at = pointed ?? times.length - 1;
  const last = chart.series
    .map(({ name, values }) => `${name} ${formatValue(values.at(-1), unit)}`)
    .join(', ');
  return (
    <figure className="chart" aria-label={`${title}: ${last}`} role="img">
      <figcaption>
        <strong>{title}</strong>
        {chart.series.map(({ name, values }, index) => {
          const line = LINES[index % LINES.length] ?? LINES[0];
          return (
            <span key={name}>
              <svg width="18" height="8" aria-hidden>
                <path
                  d="M0 4h18"
                  stroke={dark ? line.dark : line.light}
                  strokeWidth="2"
                  strokeDasharray={line.dash.join(' ')}
                />
              </svg>
              {chart.series.length > 1 && `${name} `}
              {formatValue(values[at], unit)}
            </span>
          );
        })}
      </figcaption>
      <div ref={box} />
    </figure>
  );
}

const formatTick = (value: number): string =>
  Number.isInteger(value) ? String(value) : value.toFixed(1);

/** `14:05`, of seconds since 1970; `14:05:30` where two would be the same. */
function clocksOf(times: readonly number[]): string[] {
  const isClose = times.length > 1 && (times[1] ?? 0) - (times[0] ?? 0) < 60;
  return times.map((seconds) =>
    new Date(seconds * 1000).toLocaleTimeString('en-GB', {
      hour: '2-digit',
      minute: '2-digit',
      ...(isClose ? { second: '2-digit' } : {}),
    }),
  );
}
