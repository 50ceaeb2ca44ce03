import { Progress } from '@mantine/core';
import type { StageStatus } from '../../../shared/job-status.ts';
import type { JobView } from '../../../shared/views.ts';
import { formatDuration } from '../../common/format.ts';
import { amountOf, durationOf, paceOf, percentOf, stageName, stageWord } from './job-view-model.ts';

interface StageStepperProps {
  readonly kind: JobView['kind'];
  readonly stages: readonly StageStatus[];
  /** The job goes on: an active stage's clock runs. */
  readonly goesOn: boolean;
  readonly now: number;
}

const MARKS: Readonly<Record<StageStatus['state'], string>> = {
  pending: '',
  active: '',
  done: '✓',
  failed: '✕',
  stopped: '■',
  interrupted: '!',
};

/** The stages of a run from top to bottom, each with how far it is. */
export function StageStepper({ kind, stages, goesOn, now }: StageStepperProps) {
  return (
    <ol className="stages" aria-label="Stages">
      {stages.map((stage) => (
        <Stage
          key={stage.stage}
          name={stageName(kind, stage.stage)}
          word={
            ['failed', 'stopped', 'interrupted'].includes(stage.state)
              ? stageWord(kind, stage.state)
              : ''
          }
          stage={stage}
          goesOn={goesOn}
          now={now}
        />
      ))}
    </ol>
  );
}

interface StageProps {
  readonly name: string;
  /** What the mark alone would not say. */
  readonly word: string;
  readonly stage: StageStatus;
  readonly goesOn: boolean;
  readonly now: number;
}

function Stage({ name, word, stage, goesOn, now }: StageProps) {
  const took = durationOf(stage, now, goesOn && stage.state === 'active');
  const { progress } = stage;
  const told = [word, took === null ? '' : formatDuration(took)];
  return (
    <li data-state={stage.state} aria-current={stage.state === 'active' ? 'step' : undefined}>
      <span className="stage-mark" aria-hidden>
        {MARKS[stage.state]}
      </span>
      <div className="stage-body">
        <div className="stage-title">
          <span>{name}</span>
          <span className="dimmed">{told.filter((word) => word !== '').join(', ')}</span>
        </div>
        {progress !== null && stage.state !== 'pending' && (
          <>
            {stage.state === 'active' && (
              <Progress size={4} my={3} value={percentOf(progress)} aria-label={name} />
            )}
            <div className="stage-amount dimmed">
              <span>{amountOf(progress)}</span>
              <span>{paceOf(stage)}</span>
            </div>
          </>
        )}
      </div>
    </li>
  );
}
