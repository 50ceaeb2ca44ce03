import { Table } from '@mantine/core';
import type { LogSource } from '../../../shared/ipc.ts';
import { goesOn } from '../../../shared/job-status.ts';
import type { JobView } from '../../../shared/views.ts';
import { formatDuration } from '../../common/format.ts';
import { StateLabel } from '../../common/state-label.tsx';
import { durationOf, exitOf, workerLabelOf } from './job-view-model.ts';

interface WorkerTableProps {
  readonly job: JobView;
  /** Whose log is shown. */
  readonly source: LogSource;
  readonly onSource: (source: LogSource) => void;
  readonly now: number;
}

/** One row a worker; choosing one shows its log. */
export function WorkerTable({ job, source, onSource, now }: WorkerTableProps) {
  if (job.workers.length === 0) return null;
  const hasExits = job.workers.some((worker) => exitOf(worker) !== '–');
  const isLost = job.state === 'interrupted';
  // Of workers that nobody saw end there is no time to tell.
  const hasTimes = !isLost || job.workers.some(({ endedAt }) => endedAt !== null);
  const hasGpus = job.workers.some((worker) => worker.gpus.length > 0);
  return (
    <Table
      layout="fixed"
      highlightOnHover
      className={hasGpus ? 'workers with-gpus' : 'workers'}
      verticalSpacing={3}
      horizontalSpacing={6}
      aria-label="Workers"
    >
      <Table.Thead>
        <Table.Tr>
          <Table.Th w={60}>Worker</Table.Th>
          <Table.Th w={isLost ? 190 : 88}>State</Table.Th>
          {hasExits && <Table.Th className="worker-exit">Exit</Table.Th>}
          {hasGpus && <Table.Th>GPU</Table.Th>}
          {!hasGpus && <Table.Th className="worker-process">Process</Table.Th>}
          {hasTimes && <Table.Th className="worker-took">Took</Table.Th>}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {job.workers.map((worker) => {
          const took = durationOf(worker, now, worker.state === 'running' && goesOn(job));
          const label = workerLabelOf(job, worker);
          const gpus = worker.gpus.map((gpu) => `${gpu.index}: ${gpu.name}`).join(', ');
          return (
            <Table.Tr
              key={worker.index}
              aria-selected={worker.index === source}
              onClick={() => onSource(worker.index)}
            >
              <Table.Td title={worker.pid === null ? undefined : `process ${worker.pid}`}>
                {worker.index}
              </Table.Td>
              <Table.Td title={label.state}>
                <StateLabel {...label} />
              </Table.Td>
              {hasExits && <Table.Td title={exitOf(worker)}>{exitOf(worker)}</Table.Td>}
              {hasGpus && <Table.Td title={gpus}>{gpus}</Table.Td>}
              {!hasGpus && <Table.Td className="worker-process">{worker.pid ?? '–'}</Table.Td>}
              {hasTimes && <Table.Td>{took === null ? '–' : formatDuration(took)}</Table.Td>}
            </Table.Tr>
          );
        })}
      </Table.Tbody>
    </Table>
  );
}
