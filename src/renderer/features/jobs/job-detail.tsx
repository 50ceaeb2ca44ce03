import { Tabs } from '@mantine/core';
import { Suspense } from 'react';
import type { LogSource } from '../../../shared/ipc.ts';
import { gpusAwaitedText } from '../../../shared/gpus-awaited.ts';
import { goesOn } from '../../../shared/job-status.ts';
import { leftOutText } from '../../../shared/left-out.ts';
import type { JobView } from '../../../shared/views.ts';
import { problemOf } from '../../client.ts';
import { lazily } from '../../common/lazily.ts';
import { JobPower } from '../access/power.tsx';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { StateLabel } from '../../common/state-label.tsx';
import { useNotebook } from '../notebooks/notebook-actions.tsx';
import { JobActions } from './job-actions.tsx';
import { JobFacts } from './job-facts.tsx';
import { defaultSource, stateLabelOf, TABS, tabsOf, type Tab } from './job-view-model.ts';
import { StageStepper } from './stage-stepper.tsx';
import { useJobActions } from './use-job-actions.ts';
import { useView } from './view-store.ts';
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
  /** Shows the job in the list, whose filter or search leaves it out; null: it is there. */
  readonly onReveal: (() => void) | null;
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
export function JobDetail({ job, now, onReveal }: JobDetailProps) {
  const chosen = useView((view) => view.source);
  const chooseSource = useView((view) => view.chooseSource);
  const source: LogSource = chosen ?? defaultSource(job);
  const actions = useJobActions(job);
  const notebook = useNotebook(job.id);
  const failure = actions.error ?? notebook.error;
  const tabs = tabsOf(job);
  const wanted = useView((view) => view.tab);
  const tab = tabs.includes(wanted) ? wanted : 'logs';
  const chooseTab = useView((view) => view.chooseTab);
  const { state, color } = stateLabelOf(job);
  const isStopping = job.kind !== 'transfer' && job.status.stopRequested && goesOn(job);
  const { problem, accessAwaited, gpusAwaited, leftOut, warnings } = job.status;

  return (
    <article className="detail" aria-label={`Job ${job.name}`}>
      <header className="detail-head">
        <h1 title={job.name}>{job.name}</h1>
        <StateLabel state={isStopping ? `${state}, stopping` : state} color={color} />
        {onReveal !== null && (
          <span className="dimmed hidden-mark">
            hidden by the filter:{' '}
            <button type="button" className="address" onClick={onReveal}>
              show
            </button>
          </span>
        )}
        <JobActions job={job} actions={actions} notebook={notebook} />
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
          {gpusAwaited !== null && <ProblemAlert color="blue" {...gpusAwaitedText(gpusAwaited)} />}
          {leftOut.map((one) => (
            <ProblemAlert
              key={one.what}
              color="yellow"
              {...leftOutText(one, LEFT_OUT_NAMED, job.kind === 'transfer')}
            />
          ))}
          {warnings.map((warning) => (
            <ProblemAlert key={`${warning.message}${warning.hint}`} color="yellow" {...warning} />
          ))}
          <StageStepper
            kind={job.kind}
            stages={job.unreadable === true ? [] : job.status.stages}
            goesOn={goesOn(job)}
            now={now}
          />
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
            {tabs.map((name) => (
              <Tabs.Tab key={name} value={name}>
                {name === 'spec' && job.kind === 'transfer' ? 'Request' : TAB_NAMES[name]}
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
