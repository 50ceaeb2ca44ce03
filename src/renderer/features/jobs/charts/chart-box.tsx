import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import { formatValue, type Band, type Chart } from './chart-model.ts';
import { dashOf, strokeOf } from './line-styles.ts';

const HEIGHT = 118;

/** A piece of a line, as it is drawn. */
export function LineSign({ style }: { readonly style: number }) {
  const dark = useComputedColorScheme('light') === 'dark';
  return (
    <svg width="20" height="8" aria-hidden className="line-sign">
      <path
        d="M0 4h20"
        stroke={strokeOf(style, dark)}
        strokeWidth="2"
        strokeDasharray={dashOf(style).join(' ')}
      />
    </svg>
  );
}

interface ChartBoxProps {
  readonly chart: Chart;
  readonly times: readonly number[];
}

const plotData = (times: readonly number[], chart: Chart): uPlot.AlignedData => [
  [...times],
  ...(chart.band === null ? [] : [[...chart.band.high], [...chart.band.low]]),
  ...chart.series.map(({ values }) => [...values]),
];

/** One chart, with the values under the pointer, or the last ones, at its head. */
export function ChartBox({ chart, times }: ChartBoxProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const dark = useComputedColorScheme('light') === 'dark';
  const [pointed, setPointed] = useState<number | null>(null);
  const { title, unit, top } = chart;
  const hasBand = chart.band !== null;
  // What the plot is made of: another one is made where this changes.
  const lines = JSON.stringify(chart.series.map(({ name, style }) => ({ name, style })));
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
    const edge = { stroke: dark ? '#4dabf766' : '#1864ab55', width: 1, points: { show: false } };
    const made = new uPlot(
      {
        width: Math.max(80, element.clientWidth),
        height: HEIGHT,
        padding: [6, 16, 0, 0],
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
          ...(hasBand ? [edge, edge] : []),
          ...(JSON.parse(lines) as { name: string; style: number }[]).map(({ name, style }) => ({
            label: name,
            stroke: strokeOf(style, dark),
            dash: [...dashOf(style)],
            width: style < 0 ? 2 : 1.5,
            points: { show: false },
          })),
        ],
        bands: hasBand ? [{ series: [1, 2], fill: dark ? '#4dabf733' : '#1864ab26' }] : [],
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
  }, [dark, lines, hasBand, title, top]);

  const at = pointed;
  const valueOf = ({ values, latest }: Chart['series'][number]): string =>
    formatValue(at === null ? latest : values[at], unit);
  const last = chart.series
    .map(({ name, latest }) => `${name} ${formatValue(latest, unit)}`)
    .join(', ');
  return (
    <figure className="chart" aria-label={`${title}: ${last}`} role="img">
      <figcaption>
        <strong>{title}</strong>
        {chart.series.map((series) => (
          <span key={series.name} title={series.about === '' ? undefined : series.about}>
            <LineSign style={series.style} />
            {chart.series.length > 1 || hasBand ? `${series.name} ` : ''}
            {valueOf(series)}
            {series.style < 0 && chart.band !== null && `, ${rangeOf(chart.band, at, unit)}`}
          </span>
        ))}
      </figcaption>
      <div ref={box} />
    </figure>
  );
}

/** `61 to 94 %`, of the lowest and the highest card. */
function rangeOf({ low, high, latest }: Band, at: number | null, unit: string): string {
  const [lowest, highest] = at === null ? latest : [low[at], high[at]];
  const [amount = '–'] = formatValue(lowest, unit).split(' ');
  return `${amount} to ${formatValue(highest, unit)}`;
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
