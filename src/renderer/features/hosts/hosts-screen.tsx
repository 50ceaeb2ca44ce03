import { Button, Loader, Progress } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { HostProbe } from '../../../shared/agent-protocol.ts';
import type { HostView } from '../../../shared/ipc/hosts.ts';
import type { JobView } from '../../../shared/views.ts';
import { ask, problemOf } from '../../client.ts';
import { formatBytes, plural } from '../../common/format.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useJobs } from '../jobs/use-jobs.ts';
import { Cards } from './cards.tsx';
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
          <Cards probe={probe} jobs={jobs} host={host} />
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
        {formatBytes(probe.disk.free)} free of {formatBytes(probe.disk.total)}{' '}
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
