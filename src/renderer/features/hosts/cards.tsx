import { Checkbox } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { HostProbe } from '../../../shared/agent-protocol.ts';
import type { Gpu } from '../../../shared/gpu.ts';
import type { HostView } from '../../../shared/ipc/hosts.ts';
import type { JobView } from '../../../shared/views.ts';
import { useNavigation } from '../../app/navigation.ts';
import { ask, problemOf } from '../../client.ts';
import { formatPart } from '../../common/format.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { isForJobs, usersOf, withCard } from './card-users.ts';

interface CardsProps {
  readonly probe: HostProbe;
  readonly jobs: readonly JobView[];
  readonly host: Pick<HostView, 'processes' | 'onlyGpus'>;
}

/** The cards of a machine, who uses them, and which of them jobs may be given. */
export function Cards({ probe, jobs, host }: CardsProps) {
  const client = useQueryClient();
  const keep = useMutation({
    mutationFn: (uuids: readonly string[] | null) =>
      ask('hosts-keep-gpus', { uuids: uuids === null ? null : [...uuids] }),
    onSettled: () => client.invalidateQueries({ queryKey: ['hosts'] }),
  });
  if (probe.gpus.kind === 'no-tool')
    return <p className="dimmed">No GPUs: nvidia-smi is not there. Jobs without GPUs run.</p>;
  if (probe.gpus.kind === 'broken')
    return (
      <ProblemAlert
        color="yellow"
        message="The GPUs cannot be used: nvidia-smi does not work."
        hint={probe.gpus.message}
      />
    );
  const { gpus, lost = [] } = probe.gpus;
  return (
    <>
      {lost.length > 0 && (
        <ProblemAlert
          color="yellow"
          message="A GPU does not answer. The others are used."
          hint={lost.join(' ')}
        />
      )}
      {keep.isError && <ProblemAlert {...problemOf(keep.error)} />}
      <table className="cards" aria-label="GPUs">
        <thead>
          <tr>
            {['GPU', 'Use', 'Memory', 'Power', 'Temperature', 'Used by', 'For jobs'].map((head) => (
              <th key={head}>{head}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {gpus.map((gpu) => (
            <tr key={gpu.uuid}>
              <td title={gpu.uuid}>
                {gpu.index}: {gpu.name}
              </td>
              <td>{gpu.utilization === null ? '–' : `${gpu.utilization} %`}</td>
              <td>{memoryOf(gpu)}</td>
              <td>{gpu.power === null ? '–' : `${gpu.power.toFixed(0)} W`}</td>
              <td>{gpu.temperature === null ? '–' : `${gpu.temperature} °C`}</td>
              <td>
                <Users gpu={gpu} jobs={jobs} processes={host.processes} />
              </td>
              <td>
                <Checkbox
                  size="xs"
                  aria-label={`Jobs may use GPU ${gpu.index}, ${gpu.name}`}
                  checked={isForJobs(gpu, host.onlyGpus)}
                  disabled={keep.isPending}
                  onChange={(event) =>
                    keep.mutate(withCard(gpus, host.onlyGpus, gpu, event.currentTarget.checked))
                  }
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

const MIB = 1_048_576;
const memoryOf = ({ memoryUsed, memoryTotal }: Gpu): string =>
  memoryUsed === null || memoryTotal === null
    ? '–'
    : formatPart(memoryUsed * MIB, memoryTotal * MIB);

interface UsersProps {
  readonly gpu: Gpu;
  readonly jobs: readonly JobView[];
  readonly processes: HostView['processes'];
}

/** So many processes of others are named. */
const NAMED = 8;

/** Jobs of ours that hold the card, and processes of others. */
function Users({ gpu, jobs, processes }: UsersProps) {
  const go = useNavigation((navigation) => navigation.go);
  const users = usersOf(gpu, jobs, processes);
  const more = users.others.length - NAMED;
  return (
    <>
      {gpu.needsReset === true && <div>needs a reset: nvidia-smi --gpu-reset</div>}
      {gpu.blocked !== undefined && <div>{gpu.blocked.reason}</div>}
      {(gpu.remarks ?? []).map((remark) => (
        <div key={remark}>{remark}</div>
      ))}
      {users.jobs.map((job) => (
        <div key={job.id}>
          <button
            type="button"
            className="address"
            onClick={() => go({ screen: 'jobs', job: job.id })}
          >
            {job.name}
          </button>
        </div>
      ))}
      {users.others.slice(0, NAMED).map((words) => (
        <div key={words}>{words}</div>
      ))}
      {more > 0 && <div className="dimmed">and {more} more</div>}
      {users.jobs.length + users.others.length === 0 &&
        gpu.needsReset !== true &&
        gpu.blocked === undefined &&
        'free'}
    </>
  );
}
