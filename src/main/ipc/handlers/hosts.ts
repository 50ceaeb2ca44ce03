import { readFile } from 'node:fs/promises';
import { cpus, freemem, totalmem } from 'node:os';
import type { HandlersOf } from '../../../shared/ipc.ts';
import type { HOST_CALLS, HostView } from '../../../shared/ipc/hosts.ts';
import { ok } from '../../../shared/problem.ts';
import type { Services } from '../../services.ts';

export function hostHandlers({ hosts }: Pick<Services, 'hosts'>): HandlersOf<typeof HOST_CALLS> {
  let before: { readonly busy: number; readonly total: number } | null = null;
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
    'hosts-meter': async () => {
      const now = processorTimes();
      const passed = before === null ? 0 : now.total - before.total;
      const cpu = before === null || passed <= 0 ? null : (100 * (now.busy - before.busy)) / passed;
      before = now;
      return ok({ cpu, memoryUsed: totalmem() - (await memoryFree()), memoryTotal: totalmem() });
    },
  };
}

/** Busy and total time of all processors since the boot. */
function processorTimes(): { readonly busy: number; readonly total: number } {
  let idle = 0;
  let total = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    total += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { busy: total - idle, total };
}

/** Memory that programs may have, bytes: on Linux what can be freed counts, too. */
async function memoryFree(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1];
  return available === undefined ? freemem() : Number(available) * 1024;
}
