import { useCallback, useEffect, useMemo, useState } from 'react';
import type { Problem } from '../../../../shared/problem.ts';
import { hasEnded } from '../../../../shared/job-status.ts';
import type { JobView } from '../../../../shared/views.ts';
import { ask } from '../../../client.ts';
import { followLines } from '../use-lines.ts';
import { ownCards, sampleTable, type SampleTable } from './sample-table.ts';

export interface Samples {
  /** Null before the first answer; another one whenever something was added. */
  readonly seen: { readonly table: SampleTable } | null;
  readonly problem: Problem | null;
}

/** The samples of a job, and those added while it is shown: each is looked at once, when it comes. */
export function useSamples(job: JobView): Samples {
  const { id } = job;
  const live = !hasEnded(job.state);
  // Workers are new at every change of the job; their cards seldom are.
  const cards = JSON.stringify(ownCards(job.workers));
  const own = useMemo(() => JSON.parse(cards) as ReturnType<typeof ownCards>, [cards]);
  const read = useCallback(
    async (offset: number) => {
      const { samples, ...rest } = await ask('jobs-samples', { id, offset });
      return { lines: samples, ...rest };
    },
    [id],
  );
  const [found, setFound] = useState<Samples>({ seen: null, problem: null });
  useEffect(() => {
    const table = sampleTable(own);
    let isNew = true;
    return followLines(read, live, {
      take: (samples, restart) => {
        if (restart) table.clear();
        table.append(samples);
        isNew = true;
      },
      done: (problem) => {
        if (isNew) setFound({ seen: { table }, problem });
        else setFound((known) => (known.problem === problem ? known : { ...known, problem }));
        isNew = false;
      },
    });
  }, [read, live, own]);
  return found;
}
