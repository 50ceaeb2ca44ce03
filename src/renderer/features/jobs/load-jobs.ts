import type { QueryClient } from '@tanstack/react-query';
import { create } from 'zustand';
import type { JobView } from '../../../shared/views.ts';
import { ask } from '../../client.ts';
import { withOlder } from './job-view-model.ts';

/** The first page is what a tall window shows a few times over: it comes at once, however many there are. */
const FIRST_PAGE = 200;
const PAGE = 500;

/** How many older jobs are still to come. */
export const useJobsToCome = create<{ readonly count: number }>(() => ({ count: 0 }));

let load = 0;

/** The newest jobs; older ones are added to what the client knows under the key, page by page. A list that stands is replaced as a whole. */
export async function loadJobs(
  client: QueryClient,
  key: readonly string[],
): Promise<readonly JobView[]> {
  const mine = (load += 1);
  const isFirst = client.getQueryData(key) === undefined;
  const { jobs, total, more } = await ask('jobs-page', { before: null, limit: FIRST_PAGE });
  const older = loadOlder(jobs, more, () => load === mine);
  if (isFirst && more) {
    useJobsToCome.setState({ count: total - jobs.length });
    void (async () => {
      let read = jobs.length;
      for await (const page of older) {
        read += page.length;
        client.setQueryData<readonly JobView[]>(key, (known) => withOlder(known ?? [], page));
        useJobsToCome.setState({ count: Math.max(0, total - read) });
      }
      if (load === mine) useJobsToCome.setState({ count: 0 });
    })();
    return jobs;
  }
  let all: readonly JobView[] = jobs;
  for await (const page of older) all = withOlder(all, page);
  return all;
}

/** Pages of jobs older than these, until there are no more or somebody else loads. */
async function* loadOlder(
  jobs: readonly JobView[],
  more: boolean,
  goesOn: () => boolean,
): AsyncGenerator<readonly JobView[], void, undefined> {
  let before = jobs.at(-1)?.id ?? null;
  for (let isMore = more; isMore && goesOn();) {
    const page = await ask('jobs-page', { before, limit: PAGE });
    if (!goesOn()) return;
    before = page.jobs.at(-1)?.id ?? null;
    isMore = page.more && before !== null;
    yield page.jobs;
  }
}
