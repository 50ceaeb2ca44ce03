import type { Gpu, GpuBlock, GpuProbe } from '../../shared/gpu.ts';
import type { Card } from '../../shared/nvidia-smi.ts';
import type { CardReport, ReportedProcess } from './report.ts';

export {
  brokenMessage,
  GPU_QUERY,
  GPU_QUERY_OLD,
  parseCards,
  parseLostCards,
  type Card,
} from '../../shared/nvidia-smi.ts';

export const PROCESS_QUERY = 'gpu_uuid,pid';

/** A MIG instance in the answer to `nvidia-smi -L`. */
export interface MigInstance {
  readonly card: string;
  readonly uuid: string;
  /** `1g.5gb` */
  readonly profile: string;
  /** Its number among those of its card. */
  readonly device: string;
}

export function parseMigInstances(output: string): MigInstance[] {
  const instances: MigInstance[] = [];
  let card: string | null = null;
  for (const line of output.split('\n')) {
    const uuid = /\(UUID: ([^)\s]+)\)/.exec(line)?.[1];
    if (uuid === undefined) continue;
    const [, profile, device = ''] = /^\s+MIG (\S+)\s+(?:Device\s+(\d+))?/.exec(line) ?? [];
    if (profile === undefined) card = uuid;
    else if (card !== null) instances.push({ card, uuid, profile, device });
  }
  return instances;
}

/** The answer to `--query-compute-apps=gpu_uuid,pid`: pids by card. */
export function parseProcesses(output: string): ReadonlyMap<string, readonly number[]> {
  const processes = new Map<string, number[]>();
  for (const [uuid = '', pid = ''] of rowsOf(output))
    if (/^\d+$/.test(pid)) processes.set(uuid, [...(processes.get(uuid) ?? []), Number(pid)]);
  return processes;
}

/** The cards on which that answer has a process whose number is not told. */
export function parseHidden(output: string): ReadonlySet<string> {
  return new Set(
    rowsOf(output).flatMap(([uuid = '', pid]) =>
      pid !== undefined &&
      /^\[?(N\/A|Not Found|Insufficient Permissions|Unknown Error)\]?$/i.test(pid)
        ? [uuid]
        : [],
    ),
  );
}

/** Whether that answer is a whole list of processes: nothing in it is the driver's word that it could not tell them. */
export function isProcessList(output: string): boolean {
  return rowsOf(output).every(
    ([first = '', pid]) =>
      pid !== undefined || /^(warning|no running)/i.test(first) || first === 'gpu_uuid',
  );
}

const rowsOf = (output: string): readonly string[][] =>
  output
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.split(',').map((field) => field.trim()));

/** MiB of a MIG profile such as `3g.20gb` or `1g.10gb+me`. */
function memoryOfProfile(profile: string): number | null {
  const gigabytes = /\.(\d+)gb/.exec(profile)?.[1];
  return gigabytes === undefined ? null : Number(gigabytes) * 1024;
}

/** What else nvidia-smi tells, of whatever part it was asked. */
export interface Told {
  readonly reports: readonly CardReport[];
  /** Whether the list of processes holds those of a card. */
  readonly isListed: (card: string) => boolean;
  /** Cards with a process whose number is not told. */
  readonly hidden: ReadonlySet<string>;
  readonly lost: readonly string[];
}

const NOTHING_MORE: Told = {
  reports: [],
  isListed: () => true,
  hidden: new Set(),
  lost: [],
};

/** MiB that a card holds although no process is on it, and the part of its memory: more is somebody's whom the driver does not name. */
const OWN_MEMORY = 1_024;
const OWN_PART = 0.1;
/** A program that computes holds so much at the least, MiB. */
const LEAST_CONTEXT = 256;

const UNSEEN: GpuBlock = {
  reason:
    'its memory is in use, and the driver names no process: another container, or what a program left behind',
  advice: 'Look for it with `nvidia-smi` outside this container, or as root.',
  final: false,
};
const UNTOLD: GpuBlock = {
  reason: 'the driver does not tell which processes are on it',
  advice: 'See what it says with: nvidia-smi --query-compute-apps=gpu_uuid,pid --format=csv',
  final: false,
};
const HIDDEN: GpuBlock = {
  reason: 'a process that this user may not see is on it',
  advice: 'Root sees it with `nvidia-smi`.',
  final: false,
};

/**
 * The cards that can be granted. A card with MIG on cannot be used whole: its instances stand in its place, each with the processes that are on
 * it, or, where nvidia-smi does not tell of which instance they are, with the card's. A card is free only where it is shown to be: one whose
 * processes are not told carries why it is not (`blocked`).
 */
export function combine(
  cards: readonly Card[],
  instances: readonly MigInstance[],
  processes: ReadonlyMap<string, readonly number[]>,
  told: Told = NOTHING_MORE,
): GpuProbe {
  const gpus = cards.flatMap(({ gpu, mig }): Gpu[] => {
    const own = instances.filter((instance) => instance.card === gpu.uuid);
    const report = told.reports.find(({ uuid }) => uuid === gpu.uuid);
    const judged = judge(gpu, report, told);
    const listed = processes.get(gpu.uuid) ?? [];
    if (!mig && own.length === 0)
      return [withUnseen({ ...judged, ...sortProcesses(listed, report?.processes ?? []) }, report)];
    return own.map((instance) => {
      const id = report?.migDevices.get(instance.device) ?? instanceInUuid(instance.uuid);
      const here = (report?.processes ?? []).filter(
        (process) => id === null || process.instance === null || process.instance === id,
      );
      const elsewhere = new Set(
        (report?.processes ?? []).filter((each) => !here.includes(each)).map(({ pid }) => pid),
      );
      const pids = [
        ...listed.filter((pid) => !elsewhere.has(pid)),
        ...(processes.get(instance.uuid) ?? []),
      ];
      return {
        ...judged,
        uuid: instance.uuid,
        card: gpu.uuid,
        name: `${gpu.name} MIG ${instance.profile}`,
        memoryTotal: memoryOfProfile(instance.profile),
        memoryUsed: null,
        utilization: null,
        ...sortProcesses(pids, here),
      };
    });
  });
  return {
    kind: 'gpus',
    driver: cards.find((card) => card.driver !== null)?.driver ?? null,
    gpus,
    ...(told.lost.length === 0 ? {} : { lost: [...told.lost] }),
  };
}

/** The GPU instance in a UUID of old drivers: `MIG-GPU-.../1/0`. */
const instanceInUuid = (uuid: string): string | null => /\/(\d+)\/\d+$/.exec(uuid)?.[1] ?? null;

/** A Jetson's, which has one list of processes for all: its driver keeps none for the card. */
const isIntegrated = ({ uuid }: Gpu): boolean => !uuid.startsWith('GPU-');

function judge(gpu: Gpu, report: CardReport | undefined, told: Told): Gpu {
  const isTold =
    told.isListed(gpu.uuid) || (report?.processes ?? null) !== null || isIntegrated(gpu);
  const isHidden = told.hidden.has(gpu.uuid) || report?.hidden === true;
  const blocked =
    gpu.blocked ??
    report?.blocked ??
    (isTold ? (isHidden && !isIntegrated(gpu) ? HIDDEN : null) : UNTOLD);
  return {
    ...gpu,
    ...(report?.needsReset === true ? { needsReset: true as const } : {}),
    ...(report?.exclusive === true ? { exclusive: true as const } : {}),
    ...(report === undefined || report.remarks.length === 0
      ? {}
      : { remarks: [...report.remarks] }),
    ...(blocked === null ? {} : { blocked }),
  };
}

/** Who computes on a card, who only draws, and their programs. A process of the list of those that compute is one unless its type says that it draws. */
function sortProcesses(
  listed: readonly number[],
  reported: readonly ReportedProcess[],
): Pick<Gpu, 'processes' | 'desktop' | 'programs'> {
  const desktop = [
    ...new Set(reported.filter(({ type }) => type.includes('G')).map(({ pid }) => pid)),
  ];
  const computing = [...listed, ...reported.map(({ pid }) => pid)];
  const programs = reported.filter(
    ({ name }) => name !== '' && !/^\[?(N\/A|Not Found)\]?$/i.test(name),
  );
  return {
    processes: [...new Set(computing)].filter((pid) => !desktop.includes(pid)),
    ...(desktop.length === 0 ? {} : { desktop }),
    ...(programs.length === 0
      ? {}
      : { programs: Object.fromEntries(programs.map(({ pid, name }) => [String(pid), name])) }),
  };
}

/** In a container the driver names no process of others; what they hold of the card's memory it tells. */
function withUnseen(gpu: Gpu, report: CardReport | undefined): Gpu {
  const { memoryUsed: used, memoryTotal: total, utilization, processes, desktop } = gpu;
  if (processes.length > 0 || desktop !== undefined || gpu.blocked !== undefined) return gpu;
  if (report?.display === true || used === null) return gpu;
  const isHeld = used > Math.max(OWN_MEMORY, (total ?? 0) * OWN_PART);
  const isBusy = used >= LEAST_CONTEXT && (utilization ?? 0) >= 25;
  return isHeld || isBusy ? { ...gpu, blocked: UNSEEN } : gpu;
}
