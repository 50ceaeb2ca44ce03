import { Button, Group, Modal, Tabs, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Suspense, useState } from 'react';
import type { LogSource } from '../../../shared/ipc.ts';
import { hasEnded } from '../../../shared/job-status.ts';
import { leftOutText } from '../../../shared/left-out.ts';
import type { JobView } from '../../../shared/views.ts';
import { useNavigation } from '../../app/navigation.ts';
import { ask, problemOf } from '../../client.ts';
import { lazily } from '../../common/lazily.ts';
import { JobPower } from '../access/power.tsx';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { StateLabel } from '../../common/state-label.tsx';
import { NotebookActions, useNotebook } from '../notebooks/notebook-actions.tsx';
import { JobFacts } from './job-facts.tsx';
import {
  canRetry,
  canStop,
  canUploadAgain,
  defaultSource,
  STATE_COLORS,
} from './job-view-model.ts';
import { StageStepper } from './stage-stepper.tsx';
import { useRetry, useStop, useUploadAgain } from './use-jobs.ts';
import { TABS, useView, type Tab } from './view-store.ts';
import { WorkerTable } from './worker-table.tsx';

// A terminal and a chart are more code than the list of jobs: they come after it.
const ChartsPanel = lazily(async () => (await import('./charts/charts-panel.tsx')).ChartsPanel);
const FilesPanel = lazily(async () => (await import('./files/files-panel.tsx')).FilesPanel);
const LogPanel = lazily(async () => (await import('./logs/log-panel.tsx')).LogPanel);
const SpecPanel = lazily(async () => (await import('./spec/spec-panel.tsx')).SpecPanel);
const TimelinePanel = lazily(
  async () => (await import('./timeline/timeline-panel.tsx')).TimelinePanel,
);

/** How many of what was left out are named. */
const LEFT_OUT_NAMED = 5;

interface JobDetailProps {
  readonly job: JobView;
  readonly now: number;
}

const TAB_NAMES: Readonly<Record<Tab, string>> = {
  logs: 'Logs',
  charts: 'Charts',
  timeline: 'Timeline',
  files: 'Files',
  spec: 'Job file',
};

const isTab = (value: string | null): value is Tab => TABS.some((tab) => tab === value);

/** One job: what it does on the left; its logs, charts, events, files and job file on the right. Mounted anew for each job. */
export function JobDetail({ job, now }: JobDetailProps) {
  const chosen = useView((view) => view.source);
  const chooseSource = useView((view) => view.chooseSource);
  const source: LogSource = chosen ?? defaultSource(job);
  const goesOn = !hasEnded(job.state) && job.state !== 'interrupted';
  const stop = useStop(job.id);
  const retry = useRetry(job.id);
  const upload = useUploadAgain(job.id);
  const again = useRunAgain(job.id);
  const notebook = useNotebook(job.id);
  const failure = stop.error ?? retry.error ?? upload.error ?? again.error ?? notebook.error;
  const tab = useView((view) => view.tab);
  const chooseTab = useView((view) => view.chooseTab);
  const canRunAgain =
    useNavigation((navigation) => navigation.screens.has('new-job')) && job.kind === 'training';
  const { problem, accessAwaited, leftOut, warnings } = job.status;

  return (
    <article className="detail" aria-label={`Job ${job.name}`}>
      <header className="detail-head">
        <h1 title={job.name}>{job.name}</h1>
        <StateLabel
          state={job.status.stopRequested && goesOn ? `${job.state}, stopping` : job.state}
          color={STATE_COLORS[job.state]}
        />
        <Group gap="xs" className="detail-actions">
          {canRetry(job) && (
            <Button size="compact-sm" loading={retry.isPending} onClick={() => retry.mutate()}>
              Retry
            </Button>
          )}
          {canUploadAgain(job) && (
            <Button
              size="compact-sm"
              variant="default"
              title="Uploads what the bucket lacks of the output. No worker runs"
              loading={upload.isPending}
              onClick={() => upload.mutate()}
            >
              Upload again
            </Button>
          )}
          {canRunAgain && (
            <Button
              size="compact-sm"
              variant="default"
              loading={again.isPending}
              onClick={() => again.mutate()}
            >
              Run again
            </Button>
          )}
          <NotebookActions job={job} notebook={notebook} />
          {canStop(job) && (
            <StopButton job={job} busy={stop.isPending} onStop={() => stop.mutate()} />
          )}
        </Group>
      </header>
      <div className="detail-body">
        <div className="detail-left">
          {failure !== null && <ProblemAlert {...problemOf(failure)} />}
          <JobPower job={job.id} />
          {problem !== null && <ProblemAlert message={problem.message} hint={problem.hint} />}
          {accessAwaited !== null && (
            <ProblemAlert
              color="yellow"
              message={accessAwaited.message}
              hint={accessAwaited.hint}
            />
          )}
          {leftOut.map((one) => (
            <ProblemAlert key={one.what} color="yellow" {...leftOutText(one, LEFT_OUT_NAMED)} />
          ))}
          {warnings.map((warning) => (
            <ProblemAlert key={`${warning.message}${warning.hint}`} color="yellow" {...warning} />
          ))}
          <StageStepper stages={job.status.stages} goesOn={goesOn} now={now} />
          <WorkerTable job={job} source={source} onSource={chooseSource} now={now} />
          <JobFacts job={job} now={now} />
        </div>
        <Tabs
          className="job-tabs"
          value={tab}
          onChange={(value) => {
            if (isTab(value)) chooseTab(value);
          }}
          keepMounted={false}
        >
          <Tabs.List aria-label={`About ${job.name}`}>
            {TABS.map((name) => (
              <Tabs.Tab key={name} value={name}>
                {TAB_NAMES[name]}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Suspense fallback={null}>
            <Tabs.Panel value="logs">
              <LogPanel job={job} source={source} onSource={chooseSource} />
            </Tabs.Panel>
            <Tabs.Panel value="charts">
              <ChartsPanel job={job} />
            </Tabs.Panel>
            <Tabs.Panel value="timeline">
              <TimelinePanel job={job} />
            </Tabs.Panel>
            <Tabs.Panel value="files">
              <FilesPanel job={job} now={now} />
            </Tabs.Panel>
            <Tabs.Panel value="spec">
              <SpecPanel job={job} />
            </Tabs.Panel>
          </Suspense>
        </Tabs>
      </div>
    </article>
  );
}

/** Opens the form of a new job as this one was filled. */
function useRunAgain(id: string) {
  const go = useNavigation((navigation) => navigation.go);
  return useMutation({
    mutationFn: () => ask('jobs-spec', { id }),
    onSuccess: (specYaml) => go({ screen: 'new-job', specYaml }),
  });
}

interface StopButtonProps {
  readonly job: JobView;
  readonly busy: boolean;
  readonly onStop: () => void;
}

function StopButton({ job, busy, onStop }: StopButtonProps) {
  const isNotebook = job.kind === 'notebook';
  const [asks, setAsks] = useState(false);
  return (
    <>
      <Button
        size="compact-sm"
        color="red"
        variant="outline"
        loading={busy}
        onClick={() => setAsks(true)}
      >
        {isNotebook && job.output !== null ? 'Stop and upload' : 'Stop'}
      </Button>
      <Modal
        opened={asks}
        onClose={() => setAsks(false)}
        title={`Stop ${job.name}?`}
        closeButtonProps={{ 'aria-label': 'Close' }}
        centered
      >
        <Text size="md" mb="md">
          {isNotebook
            ? 'Save what is open in it first: Jupyter and all its kernels end. Its files are kept, and its output is uploaded where it has an address.'
            : 'Its workers are asked to end, and ended after a grace time. What they produced is kept, and uploaded where the job has an output.'}
        </Text>
        <Group justify="flex-end" gap="xs">
          <Button size="xs" variant="default" onClick={() => setAsks(false)}>
            Let it run
          </Button>
          <Button
            size="xs"
            color="red"
            onClick={() => {
              setAsks(false);
              onStop();
            }}
          >
            {isNotebook ? 'Stop the notebook' : 'Stop the job'}
          </Button>
        </Group>
      </Modal>
    </>
  );
}
