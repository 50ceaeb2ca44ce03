import type { HandlersOf } from '../../../shared/ipc.ts';
import type { HOST_CALLS, HostView } from '../../../shared/ipc/hosts.ts';
import { ok } from '../../../shared/problem.ts';
import { systemClock } from '../../platform/clock.ts';
import { machineMeter } from '../../platform/machine-meter.ts';
import type { Services } from '../../services.ts';

export function hostHandlers({ hosts }: Pick<Services, 'hosts'>): HandlersOf<typeof HOST_CALLS> {
  const meter = machineMeter(process.env, systemClock);
  return {
    'hosts-probe': async () => {
      const views: Promise<HostView>[] = hosts.list().map(async (host) => {
        const probe = await host.probe();
        return probe.ok
          ? { name: host.name, probe: probe.value, problem: null }
          : { name: host.name, probe: null, problem: probe.problem };
      });
      return ok(await Promise.all(views));
    },
    'hosts-meter': async () => ok(await meter.look()),
  };
}
