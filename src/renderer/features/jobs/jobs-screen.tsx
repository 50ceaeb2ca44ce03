import { Button, Code, Loader, Text } from '@mantine/core';
import { hasEnded } from '../../../shared/job-status.ts';
import { problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useAbout } from '../../common/use-about.ts';
import { useNow } from '../../common/use-now.ts';
import { JobDetail } from './job-detail.tsx';
import { JobTable } from './job-table.tsx';
import { useJobs } from './use-jobs.ts';
import { useView } from './view-store.ts';

/** The jobs, and below them the one chosen. */
export function JobsScreen() {
  const about = useAbout().data ?? null;
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
