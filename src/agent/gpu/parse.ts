import type { Gpu, GpuProbe } from '../../shared/gpu.ts';
import type { Card } from '../../shared/nvidia-smi.ts';

export {
  brokenMessage,
  GPU_QUERY,
  GPU_QUERY_OLD,
  parseCards,
  type Card,
} from '../../shared/nvidia-smi.ts';

export const PROCESS_QUERY = 'gpu_uuid,pid';

/** A MIG instance in the answer to `nvidia-smi -L`. */
export interface MigInstance {
  readonly card: string;
  readonly uuid: string;
  /** `1g.5gb` */
  readonly profile: string;
}

export function parseMigInstances(output: string): MigInstance[] {
  const instances: MigInstance[] = [];
  let card: string | null = null;
  for (const line of output.split('\n')) {
    const uuid = /\(UUID: ([^)\s]+)\)/.exec(line)?.[1];
    if (uuid === undefined) continue;
    const profile = /^\s+MIG (\S+)/.exec(line)?.[1];
    if (profile === undefined) card = uuid;
    else if (card !== null) instances.push({ card, uuid, profile });
  }
  return instances;
}

/** The answer to `--query-compute-apps=gpu_uuid,pid`: pids by card. */
export function parseProcesses(output: string): ReadonlyMap<string, readonly number[]> {
  const processes = new Map<string, number[]>();
  for (const line of output.split('\n')) {
    const [uuid, pid] = line.split(',').map((field) => field.trim());
    if (uuid === undefined || pid === undefined || !/^\d+$/.test(pid)) continue;
    processes.set(uuid, [...(processes.get(uuid) ?? []), Number(pid)]);
  }
  return processes;
}

/** MiB of a MIG profile such as `3g.20gb` or `1g.10gb+me`. */
function memoryOfProfile(profile: string): number | null {
  const gigabytes = /\.(\d+)gb/.exec(profile)?.[1];
  return gigabytes === undefined ? null : Number(gigabytes) * 1024;
}

/**
 * The cards that can be granted. A card with MIG on cannot be used whole: its instances stand in its place, each with the card's processes, for
 * nvidia-smi does not tell of which instance a process is.
 */
export function combine(
  cards: readonly Card[],
  instances: readonly MigInstance[],
  processes: ReadonlyMap<string, readonly number[]>,
): GpuProbe {
  const gpus = cards.flatMap(({ gpu, mig }): Gpu[] => {
    const own = instances.filter((instance) => instance.card === gpu.uuid);
    const running = [...(processes.get(gpu.uuid) ?? [])];
    if (!mig && own.length === 0) return [{ ...gpu, processes: running }];
    return own.map((instance) => ({
      ...gpu,
      uuid: instance.uuid,
      name: `${gpu.name} MIG ${instance.profile}`,
      memoryTotal: memoryOfProfile(instance.profile),
      memoryUsed: null,
      utilization: null,
      processes: [...new Set([...running, ...(processes.get(instance.uuid) ?? [])])],
    }));
  });
  return { kind: 'gpus', driver: cards.find((card) => card.driver !== null)?.driver ?? null, gpus };
}
