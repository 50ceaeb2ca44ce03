import { Button, Loader, Text } from '@mantine/core';
import { Suspense, useDeferredValue, useMemo, useRef } from 'react';
import { hasEnded } from '../../../shared/job-status.ts';
import type { JobView } from '../../../shared/views.ts';
import { useNavigation } from '../../app/navigation.ts';
import { problemOf } from '../../client.ts';
import { formatCount } from '../../common/format.ts';
import { lazily } from '../../common/lazily.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useAbout } from '../../common/use-about.ts';
import { useNow } from '../../common/use-now.ts';
import { JobDetail } from './job-detail.tsx';
import { JobMissing } from './job-missing.tsx';
import './jobs.css';
import { countByFilter, shownJobs } from './list/job-list-model.ts';
import { JobTable } from './list/job-table.tsx';
import { JobToolbar } from './list/job-toolbar.tsx';
import { useSearchKeys } from './list/use-search-keys.ts';
import { useJobsToCome } from './load-jobs.ts';
import { useAskedJob, useHiddenAskedJob } from './use-asked-job.ts';
import { useJobs } from './use-jobs.ts';
import { useView } from './view-store.ts';

const NewNotebook = lazily(async () => (await import('../notebooks/new-notebook.tsx')).NewNotebook);
const FirstStart = lazily(async () => (await import('../first-start/first-start.tsx')).FirstStart);

/** The jobs, and below them the one chosen. */
export function JobsScreen() {
  const about = useAbout().data ?? null;
  const jobs = useJobs();
  const now = useNow(jobs.data?.some((job) => !hasEnded(job.state)) ?? false);
  useAskedJob();
  const selected = useView((view) => view.selected);
  const select = useView((view) => view.select);

  if (jobs.isPending)
    return (
      <div className="centre">
        <Loader size="sm" aria-label="Jobs are being read" />
      </div>
    );
  if (jobs.isError)
    return (
      <div className="centre">
        <div className="centre-box">
          <ProblemAlert {...problemOf(jobs.error)} />
          {about !== null && (
            <Button size="xs" mt="sm" loading={jobs.isFetching} onClick={() => void jobs.refetch()}>
              Try again
            </Button>
          )}
        </div>
      </div>
    );
  if (jobs.data.length === 0 && selected !== null)
    return <JobMissing id={selected} leave="Show how to start" onLeave={() => select(null)} />;
  if (jobs.data.length === 0) return <FirstStart home={about?.home ?? null} />;
  return <Panes jobs={jobs.data} now={now} />;
}

function Panes({ jobs, now }: { readonly jobs: readonly JobView[]; readonly now: number }) {
  const {
    selected,
    select,
    filter,
    chooseFilter,
    search,
    searchFor,
    order,
    orderBy,
    hidden,
    toggleColumn,
  } = useView();
  const searchField = useRef<HTMLInputElement>(null);
  useSearchKeys(searchField);
  const wanted = useDeferredValue(search);
  const counts = useMemo(() => countByFilter(jobs), [jobs]);
  // The clock only orders what goes on, by time taken.
  const clock = order.column === 'took' ? now : 0;
  const shown = useMemo(
    () => shownJobs(jobs, { filter, search: wanted, order, now: clock }),
    [jobs, filter, wanted, order, clock],
  );
  const showAll = () => {
    chooseFilter('all');
    searchFor('');
  };
  useHiddenAskedJob(jobs, shown, showAll);
  const job = selected === null ? shown[0] : jobs.find(({ id }) => id === selected);
  const isHidden = job !== undefined && !shown.includes(job);

  return (
    <div className="job-panes">
      <JobToolbar
        counts={counts}
        filter={filter}
        onFilter={chooseFilter}
        search={search}
        onSearch={searchFor}
        searchField={searchField}
      >
        <StillToCome />
        <NewButtons />
      </JobToolbar>
      {shown.length === 0 ? (
        <div className="job-none">
          <Text size="md">No jobs match.</Text>
          <Button size="compact-sm" variant="default" onClick={showAll}>
            Show all
          </Button>
        </div>
      ) : (
        <JobTable
          jobs={shown}
          selected={job?.id ?? null}
          onSelect={select}
          order={order}
          onOrder={orderBy}
          hidden={hidden}
          onToggle={toggleColumn}
          now={now}
        />
      )}
      {job !== undefined && (
        <JobDetail key={job.id} job={job} now={now} onReveal={isHidden ? showAll : null} />
      )}
      {job === undefined && selected !== null && (
        <JobMissing id={selected} leave="Show the newest job" onLeave={() => select(null)} />
      )}
    </div>
  );
}

function NewButtons() {
  const canStart = useNavigation((navigation) => navigation.screens.has('new-job'));
  const go = useNavigation((navigation) => navigation.go);
  if (!canStart) return null;
  return (
    <>
      <Suspense fallback={null}>
        <NewNotebook />
      </Suspense>
      <Button size="compact-sm" onClick={() => go({ screen: 'new-job' })}>
        New job
      </Button>
    </>
  );
}

function StillToCome() {
  const count = useJobsToCome((store) => store.count);
  if (count === 0) return null;
  return (
    <span className="dimmed" role="status">
      {formatCount(count)} older {count === 1 ? 'job' : 'jobs'} still to come…
    </span>
  );
}
