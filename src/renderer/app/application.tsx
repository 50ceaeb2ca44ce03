import { Button, Code, Loader, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { About } from '../../shared/ipc.ts';
import { hasEnded } from '../../shared/job-status.ts';
import { ask, problemOf } from '../client.ts';
import { ProblemAlert } from '../common/problem-alert.tsx';
import { useNow } from '../common/use-now.ts';
import { JobDetail } from '../jobs/job-detail.tsx';
import { JobTable } from '../jobs/job-table.tsx';
import { useJobs } from '../jobs/use-jobs.ts';
import { useView } from '../view-store.ts';

/** The window: a banner where the endpoints are emulated, the jobs, and below them the one chosen. */
export function Application() {
  const about = useQuery({
    queryKey: ['about'],
    queryFn: () => ask('about', {}),
    staleTime: Infinity,
  });
  return (
    <div className="application">
      {about.data?.emulated === true && <EmulatorBanner storage={about.data.storage} />}
      <main>
        <Jobs about={about.data ?? null} />
      </main>
    </div>
  );
}

function EmulatorBanner({ storage }: { readonly storage: string }) {
  return (
    <div className="banner" role="status">
      <strong>Emulated Google Cloud.</strong> Storage is at {storage}: nothing comes from or goes to
      the real service.
    </div>
  );
}

function Jobs({ about }: { readonly about: About | null }) {
  const jobs = useJobs();
  const selected = useView((view) => view.selected);
  const select = useView((view) => view.select);
  const now = useNow(jobs.data?.some((job) => !hasEnded(job.state)) ?? false);

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
  const job = jobs.data.find(({ id }) => id === selected) ?? jobs.data[0];
  if (job === undefined) return <NoJobs home={about?.home ?? null} />;
  return (
    <div className="panes">
      <JobTable jobs={jobs.data} selected={job.id} onSelect={select} now={now} />
      <JobDetail key={job.id} job={job} now={now} />
    </div>
  );
}

function NoJobs({ home }: { readonly home: string | null }) {
  return (
    <div className="centre">
      <div className="centre-box">
        <h1>No jobs yet</h1>
        <Text size="md">Start one in a terminal; it appears here at once:</Text>
        <Code block my="xs">
          trainyard run job.yaml
        </Code>
        {home !== null && (
          <Text size="sm" c="dimmed" className="wrap">
            This window and the command line share {home}
          </Text>
        )}
      </div>
    </div>
  );
}
