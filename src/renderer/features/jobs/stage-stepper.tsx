import { Progress } from '@mantine/core';
import type { StageStatus } from '../../../shared/job-status.ts';
import { formatDuration } from '../../common/format.ts';
import { amountOf, durationOf, paceOf, percentOf, STAGE_NAMES } from './job-view-model.ts';

interface StageStepperProps {
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
};

/** The stages of a run from top to bottom, each with how far it is. */
export function StageStepper({ stages, goesOn, now }: StageStepperProps) {
  return (
    <ol className="stages" aria-label="Stages">
      {stages.map((stage) => (
        <Stage key={stage.stage} stage={stage} goesOn={goesOn} now={now} />
      ))}
    </ol>
  );
}

function Stage({ stage, goesOn, now }: { stage: StageStatus; goesOn: boolean; now: number }) {
  const took = durationOf(stage, now, goesOn && stage.state === 'active');
  const { progress } = stage;
  return (
    <li data-state={stage.state} aria-current={stage.state === 'active' ? 'step' : undefined}>
      <span className="stage-mark" aria-hidden>
        {MARKS[stage.state]}
      </span>
      <div className="stage-body">
        <div className="stage-title">
          <span>{STAGE_NAMES[stage.stage]}</span>
          <span className="dimmed">{took === null ? '' : formatDuration(took)}</span>
        </div>
        {progress !== null && stage.state !== 'pending' && (
          <>
            {stage.state === 'active' && (
              <Progress
                size={4}
                my={3}
                value={percentOf(progress)}
                aria-label={STAGE_NAMES[stage.stage]}
              />
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
