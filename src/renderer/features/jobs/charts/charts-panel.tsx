import 'uplot/dist/uPlot.min.css';
import { useCallback, useMemo } from 'react';
import { hasEnded } from '../../../../shared/job-status.ts';
import type { JobView } from '../../../../shared/views.ts';
import { ask } from '../../../client.ts';
import { ProblemAlert } from '../../../common/problem-alert.tsx';
import { useLines } from '../use-lines.ts';
import { ChartBox } from './chart-box.tsx';
import { chartsOf } from './chart-model.ts';

/** What the machine did while the workers ran, as it comes in. */
export function ChartsPanel({ job }: { readonly job: JobView }) {
  const { id } = job;
  const read = useCallback(
    async (offset: number) => {
      const { samples, ...rest } = await ask('jobs-samples', { id, offset });
      return { lines: samples, ...rest };
    },
    [id],
  );
  const { lines, problem } = useLines(read, !hasEnded(job.state));
  const { times, charts } = useMemo(() => chartsOf(lines ?? [], job.workers), [lines, job.workers]);
  return (
    <div className="charts">
      {problem !== null && <ProblemAlert {...problem} />}
      {lines !== null && charts.length === 0 && (
        <p className="tab-empty">
          {hasEnded(job.state)
            ? 'This job left no samples: they are taken while workers run.'
            : 'Samples are taken while workers run, every two seconds.'}
        </p>
      )}
      {charts.map((chart) => (
        <ChartBox key={chart.title} chart={chart} times={times} />
      ))}
    </div>
  );
}
