import { isDiskTold } from '../../../shared/disk-room.ts';
import { Button, Loader, Progress } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { HostProbe } from '../../../shared/agent-protocol.ts';
import type { Gpu } from '../../../shared/gpu.ts';
import type { HostView } from '../../../shared/ipc/hosts.ts';
import type { JobView } from '../../../shared/views.ts';
import { useNavigation } from '../../app/navigation.ts';
import { ask, problemOf } from '../../client.ts';
import { formatBytes, formatPart, plural } from '../../common/format.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useJobs } from '../jobs/use-jobs.ts';
import { usersOf } from './card-users.ts';
import './hosts.css';

/** The machines that carry jobs: in this version, this one. */
export function HostsScreen() {
  const hosts = useQuery({
    queryKey: ['hosts'],
    queryFn: () => ask('hosts-probe', {}),
    refetchInterval: 30_000,
  });
  const jobs = useJobs();
  return (
    <div className="hosts">
      <header>
        <h1>Hosts</h1>
        <Button
          size="compact-sm"
          variant="default"
          loading={hosts.isFetching}
          onClick={() => void hosts.refetch()}
        >
          Refresh
        </Button>
      </header>
      {hosts.isPending && (
        <p className="dimmed">
          <Loader size={12} aria-hidden /> This machine is being asked what it has.
        </p>
      )}
      {hosts.isError && <ProblemAlert {...problemOf(hosts.error)} />}
      {hosts.data?.map((host) => (
        <Host key={host.name} host={host} jobs={jobs.data ?? []} />
      ))}
    </div>
  );
}

function Host({ host, jobs }: { readonly host: HostView; readonly jobs: readonly JobView[] }) {
  const { name, probe, problem } = host;
  return (
    <section aria-label={name} className="host">
      <h2>
        {name}
        {probe !== null && <span className="dimmed"> {probe.hostname}, this machine</span>}
      </h2>
      {problem !== null && <ProblemAlert {...problem} />}
      {probe !== null && (
        <>
          <Cards probe={probe} jobs={jobs} processes={host.processes} />
          <Facts probe={probe} />
        </>
      )}
    </section>
  );
}

function Facts({ probe }: { readonly probe: HostProbe }) {
  const used = probe.disk.total - probe.disk.free;
  return (
    <dl className="facts host-facts">
      <dt>System</dt>
      <dd>
        {probe.platform} {probe.arch}, {probe.processors} processors, {formatBytes(probe.memory)} of
        memory
      </dd>
      <dt>Disk of the runs</dt>
      <dd>
        {isDiskTold(probe.disk)
          ? `${formatBytes(probe.disk.free)} free of ${formatBytes(probe.disk.total)}`
          : 'it does not tell how much is free'}{' '}
        <span className="dimmed">{probe.disk.path}</span>
        <Progress
          size={4}
          mt={3}
          maw={320}
          value={(100 * used) / Math.max(1, probe.disk.total)}
          aria-label="Disk in use"
        />
      </dd>
      <dt>Agent</dt>
      <dd>
        {probe.agentVersion}, Node.js {probe.nodeVersion}
      </dd>
      <dt>Environment</dt>
      <dd>
        {probe.loginShell === null
          ? 'The login shell could not be asked: jobs get the environment of this application.'
          : `That of the login shell, ${probe.loginShell.path}: ${plural(probe.loginShell.variables.length, 'variable')} more than this application has.`}
      </dd>
      <dt>After a logout</dt>
      <dd>
        {probe.survivesLogout === true
          ? 'Jobs go on'
          : probe.survivesLogout === false
            ? 'Jobs end'
            : 'Not known'}
        : {probe.survivesLogoutReason}
      </dd>
    </dl>
  );
}

interface CardsProps {
  readonly probe: HostProbe;
  readonly jobs: readonly JobView[];
  readonly processes: HostView['processes'];
}

function Cards({ probe, jobs, processes }: CardsProps) {
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
  return (
    <table className="cards" aria-label="GPUs">
      <thead>
        <tr>
          {['GPU', 'Use', 'Memory', 'Power', 'Temperature', 'Used by'].map((head) => (
            <th key={head}>{head}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {probe.gpus.gpus.map((gpu) => (
          <tr key={gpu.uuid}>
            <td title={gpu.uuid}>
              {gpu.index}: {gpu.name}
            </td>
            <td>{gpu.utilization === null ? '–' : `${gpu.utilization} %`}</td>
            <td>{memoryOf(gpu)}</td>
            <td>{gpu.power === null ? '–' : `${gpu.power.toFixed(0)} W`}</td>
            <td>{gpu.temperature === null ? '–' : `${gpu.temperature} °C`}</td>
            <td>
              <Users gpu={gpu} jobs={jobs} processes={processes} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
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
      {users.jobs.length + users.others.length === 0 && gpu.needsReset !== true && 'free'}
    </>
  );
}
