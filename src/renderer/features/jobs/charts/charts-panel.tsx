import 'uplot/dist/uPlot.min.css';
import './charts.css';
import { useMemo, useState } from 'react';
import { hasEnded } from '../../../../shared/job-status.ts';
import type { JobView } from '../../../../shared/views.ts';
import { ProblemAlert } from '../../../common/problem-alert.tsx';
import { CardPicker } from './card-picker.tsx';
import { ChartBox } from './chart-box.tsx';
import { chartsOf, chosenAfter, type Charts } from './chart-model.ts';
import { useSamples } from './use-samples.ts';

const NO_CHARTS: Charts = { times: [], charts: [], cards: [] };

/** What the machine did while the workers ran, as it comes in. */
export function ChartsPanel({ job }: { readonly job: JobView }) {
  const { seen, problem } = useSamples(job);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const { times, charts, cards } = useMemo(
    () => (seen === null ? NO_CHARTS : chartsOf(seen.table, chosen)),
    [seen, chosen],
  );
  return (
    <div className="charts">
      {problem !== null && <ProblemAlert {...problem} />}
      {seen !== null && charts.length === 0 && (
        <p className="tab-empty">
          {hasEnded(job.state)
            ? 'This job left no samples: they are taken while workers run.'
            : 'Samples are taken while workers run, every two seconds.'}
        </p>
      )}
      {cards.length > 0 && (
        <CardPicker
          cards={cards}
          chosen={chosen}
          onPress={(uuid) => setChosen(chosenAfter(chosen, uuid))}
        />
      )}
      {charts.map((chart) => (
        <ChartBox key={chart.title} chart={chart} times={times} />
      ))}
    </div>
  );
}
