import { Button, Progress } from '@mantine/core';
import { goesOn } from '../../../shared/job-status.ts';
import { leftOutText } from '../../../shared/left-out.ts';
import type { JobView } from '../../../shared/views.ts';
import { problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { StateLabel } from '../../common/state-label.tsx';
import { wordsOf } from './transfer-words.ts';
import { useTransferActions, useTransfers } from './use-transfers.ts';

/** So many are shown, the newest. */
const SHOWN = 100;

interface TransfersProps {
  readonly isOpen: boolean;
  readonly onToggle: () => void;
}

/** Downloads and uploads that were asked for here: each is a run, and goes on when the window is closed. */
export function Transfers({ isOpen, onToggle }: TransfersProps) {
  const transfers = useTransfers();
  const list = transfers.data ?? [];
  const running = list.filter(goesOn).length;
  if (list.length === 0 && !transfers.isError) return null;
  return (
    <section className="transfers" aria-label="Transfers">
      <button type="button" className="transfers-head" aria-expanded={isOpen} onClick={onToggle}>
        <span aria-hidden>{isOpen ? '▾' : '▸'}</span>
        <strong>Transfers</strong>
        <span className="dimmed">
          {running === 0 ? `${list.length}, none under way` : `${running} under way`}
        </span>
      </button>
      {isOpen && (
        <div className="transfers-list">
          {transfers.isError && <ProblemAlert {...problemOf(transfers.error)} />}
          <ul aria-label="Transfers">
            {list.slice(0, SHOWN).map((job) => (
              <TransferRow key={job.id} job={job} />
            ))}
          </ul>
          {list.length > SHOWN && (
            <p className="dimmed">{list.length - SHOWN} older ones are not shown.</p>
          )}
        </div>
      )}
    </section>
  );
}

function TransferRow({ job }: { readonly job: JobView }) {
  const words = wordsOf(job);
  const { pause, goOn } = useTransferActions();
  const failed = [pause, goOn].find(({ isError }) => isError);
  const told = job.status.problem !== null && words.state !== 'paused' ? job.status.problem : null;
  return (
    <li className="transfer" data-transfer={job.id}>
      <div className="transfer-line">
        <StateLabel state={words.state} color={words.color} />
        <TransferPlaces job={job} />
        <span className="transfer-amount">{words.amount}</span>
        <span className="transfer-actions">
          {words.canPause && (
            <Button
              size="compact-xs"
              variant="default"
              loading={pause.isPending}
              aria-label={`Pause ${job.name}`}
              onClick={() => pause.mutate(job.id)}
            >
              Pause
            </Button>
          )}
          {words.goOn !== null && (
            <Button
              size="compact-xs"
              variant="default"
              loading={goOn.isPending}
              aria-label={`${words.goOn} ${job.name}`}
              onClick={() => goOn.mutate(job.id)}
            >
              {words.goOn}
            </Button>
          )}
        </span>
      </div>
      {words.percent !== null && words.state !== 'done' && (
        <Progress
          size={3}
          value={words.percent}
          color={words.color}
          aria-label={`Progress of ${job.name}`}
          transitionDuration={0}
        />
      )}
      {job.status.accessAwaited !== null && (
        <ProblemAlert {...job.status.accessAwaited} color="yellow" />
      )}
      {told !== null && <ProblemAlert message={told.message} hint={told.hint} />}
      {job.status.leftOut
        // A single file that failed is told by the problem.
        .filter(({ refused, failed: count }) => told === null || refused > 0 || count > 1)
        .map((one) => (
          <ProblemAlert key={one.what} {...leftOutText(one, 5, true)} color="yellow" />
        ))}
      {job.status.warnings.map(({ message, hint }, index) => (
        <ProblemAlert key={index} message={message} hint={hint} color="yellow" />
      ))}
      {failed !== undefined && <ProblemAlert {...problemOf(failed.error)} />}
    </li>
  );
}

function TransferPlaces({ job }: { readonly job: JobView }) {
  if (job.transfer === undefined) return <span className="transfer-places">{job.name}</span>;
  const { direction, address, local } = job.transfer;
  const [from, to] = direction === 'download' ? [address, local] : [local, address];
  const word = direction === 'download' ? 'Download' : 'Upload';
  return (
    <span className="transfer-places" title={`${from} to ${to}`}>
      {word} <span className="code">{from}</span> to <span className="code">{to}</span>
    </span>
  );
}
