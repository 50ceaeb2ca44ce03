import { hostname } from 'node:os';
import type { HostProbe } from '../../../shared/agent-protocol.ts';
import type { HandlersOf } from '../../../shared/ipc.ts';
import type { HOST_CALLS, HostView } from '../../../shared/ipc/hosts.ts';
import { ok } from '../../../shared/problem.ts';
import { keepOnlyGpus, readOnlyGpus } from '../../jobs/choose-gpus.ts';
import { systemClock } from '../../platform/clock.ts';
import { machineMeter } from '../../platform/machine-meter.ts';
import { processOwners } from '../../platform/process-owners.ts';
import type { Services } from '../../services.ts';
import { withoutValue } from './without-value.ts';

export function hostHandlers({
  hosts,
  settings,
}: Pick<Services, 'hosts' | 'settings'>): HandlersOf<typeof HOST_CALLS> {
  const meter = machineMeter(process.env, systemClock);
  return {
    'hosts-probe': async () => {
      const only = readOnlyGpus(settings);
      const onlyGpus = only === null ? null : [...only];
      const views: Promise<HostView>[] = hosts.list().map(async (host) => {
        const probe = await host.probe();
        return probe.ok
          ? {
              name: host.name,
              probe: probe.value,
              problem: null,
              processes: await processesOf(probe.value),
              onlyGpus,
            }
          : { name: host.name, probe: null, problem: probe.problem, processes: [], onlyGpus };
      });
      return ok(await Promise.all(views));
    },
    'hosts-keep-gpus': async ({ uuids }) => withoutValue(keepOnlyGpus(settings, uuids)),
    'hosts-meter': async () => ok(await meter.look()),
  };
}

/** Pids mean something on their own machine alone. */
async function processesOf({ hostname: name, gpus }: HostProbe): Promise<HostView['processes']> {
  if (gpus.kind !== 'gpus' || name !== hostname()) return [];
  const pids = new Set(gpus.gpus.flatMap(({ processes }) => processes));
  const owners = await processOwners([...pids]);
  return owners.map(({ ancestors, ...owner }) => ({ ...owner, ancestors: [...ancestors] }));
}
