import { Button, Group, Modal, Text } from '@mantine/core';
import { useState } from 'react';
import type { LogSource } from '../../../shared/ipc.ts';
import { hasEnded } from '../../../shared/job-status.ts';
import type { JobView } from '../../../shared/views.ts';
import { problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { StateLabel } from '../../common/state-label.tsx';
import { LogPanel } from './logs/log-panel.tsx';
import { useView } from './view-store.ts';
import { JobFacts } from './job-facts.tsx';
import { canRetry, canStop, defaultSource, STATE_COLORS } from './job-view-model.ts';
import { StageStepper } from './stage-stepper.tsx';
import { useRetry, useStop } from './use-jobs.ts';
import { WorkerTable } from './worker-table.tsx';

interface JobDetailProps {
  readonly job: JobView;
  readonly now: number;
}

/** One job: what it does on the left, its log on the right. Mounted anew for each job. */
export function JobDetail({ job, now }: JobDetailProps) {
  const chosen = useView((view) => view.source);
  const chooseSource = useView((view) => view.chooseSource);
  const source: LogSource = chosen ?? defaultSource(job);
  const goesOn = !hasEnded(job.state) && job.state !== 'interrupted';
  const stop = useStop(job.id);
  const retry = useRetry(job.id);
  const failure = stop.error ?? retry.error;
  const { problem, accessAwaited, warnings } = job.status;

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
          {canStop(job) && (
            <StopButton name={job.name} busy={stop.isPending} onStop={() => stop.mutate()} />
          )}
        </Group>
      </header>
      <div className="detail-body">
        <div className="detail-left">
          {failure !== null && <ProblemAlert {...problemOf(failure)} />}
          {problem !== null && <ProblemAlert message={problem.message} hint={problem.hint} />}
          {accessAwaited !== null && (
            <ProblemAlert
              color="yellow"
              message={accessAwaited.message}
              hint={accessAwaited.hint}
            />
          )}
          {warnings.map((warning) => (
            <ProblemAlert key={`${warning.message}${warning.hint}`} color="yellow" {...warning} />
          ))}
          <StageStepper stages={job.status.stages} goesOn={goesOn} now={now} />
          <WorkerTable job={job} source={source} onSource={chooseSource} now={now} />
          <JobFacts job={job} now={now} />
        </div>
        <LogPanel job={job} source={source} onSource={chooseSource} />
      </div>
    </article>
  );
}

interface StopButtonProps {
  readonly name: string;
  readonly busy: boolean;
  readonly onStop: () => void;
}

function StopButton({ name, busy, onStop }: StopButtonProps) {
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
        Stop
      </Button>
      <Modal
        opened={asks}
        onClose={() => setAsks(false)}
        title={`Stop ${name}?`}
        closeButtonProps={{ 'aria-label': 'Close' }}
        centered
      >
        <Text size="md" mb="md">
          Its workers are asked to end, and ended after a grace time. What they produced is kept,
          and uploaded where the job has an output.
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
            Stop the job
          </Button>
        </Group>
      </Modal>
    </>
  );
}
