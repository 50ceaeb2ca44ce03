import type { Gpu, GpuProbe } from './gpu.ts';

/** Which of a machine's cards a job may be given, and of which it chooses. Pure. */

export interface GpuChoice {
  /** Cards for each worker. */
  readonly each: number;
  /** UUIDs, the first ones first; null: all. */
  readonly only: readonly string[] | null;
}

export const isMigInstance = ({ uuid }: Pick<Gpu, 'uuid'>): boolean => uuid.startsWith('MIG-');

/**
 * The cards that a worker can have at all, in the order in which they are given. CUDA opens one MIG instance in a process, and no whole card
 * beside it: a worker with several cards gets whole ones.
 */
export function eligibleGpus<T extends Pick<Gpu, 'uuid'>>(
  gpus: readonly T[],
  { each, only }: GpuChoice,
): readonly T[] {
  const allowed =
    only === null ? gpus : only.flatMap((uuid) => gpus.filter((gpu) => gpu.uuid === uuid));
  return each > 1 ? allowed.filter((gpu) => !isMigInstance(gpu)) : allowed;
}

/** Why fewer cards than the machine has count for a job: sentences, each with a blank before it; empty where all do. */
export function whyFewer(probe: GpuProbe & { readonly kind: 'gpus' }, choice: GpuChoice): string {
  const allowed = eligibleGpus(probe.gpus, { ...choice, each: 1 });
  const counted = eligibleGpus(probe.gpus, choice);
  const said = [
    ...(probe.lost ?? []).map((text) => (/[.!?]$/.test(text) ? text : `${text}.`)),
    ...(allowed.length < probe.gpus.length
      ? [
          `Trainyard may use ${allowed.length === 0 ? 'none of its cards' : `only ${allowed.length} of its ${probe.gpus.length} cards`} for this job (CUDA_VISIBLE_DEVICES, or the setting of the machine).`,
        ]
      : []),
    ...(counted.length < allowed.length
      ? ['A MIG instance is not counted: a process can use one of them, and nothing beside it.']
      : []),
  ];
  return said.map((text) => ` ${text}`).join('');
}

type NamedGpu = Pick<Gpu, 'uuid' | 'index' | 'name' | 'card'>;

/** What `CUDA_VISIBLE_DEVICES` says. */
export interface VisibleGpus {
  /** UUIDs, in the order of the list. */
  readonly uuids: readonly string[];
  /** The first entry that names no card of this machine: it and what follows are hidden, as CUDA has it. Null: all are understood. */
  readonly endsAt: string | null;
  /** Numbers may mean other cards to CUDA, which without `CUDA_DEVICE_ORDER=PCI_BUS_ID` counts the fastest as 0. */
  readonly isOrderUnsure: boolean;
}

/**
 * Reads `CUDA_VISIBLE_DEVICES` as CUDA does: numbers, UUIDs of cards and MIG instances, or so much of one that it is one card's alone. Empty,
 * `-1` and whatever names no card hide what follows. `order`: `CUDA_DEVICE_ORDER`. Numbers are those of nvidia-smi.
 */
export function readVisibleGpus(
  value: string,
  order: string | undefined,
  gpus: readonly NamedGpu[],
): VisibleGpus {
  const uuids: string[] = [];
  let endsAt: string | null = null;
  let hasNumbers = false;
  for (const entry of value.split(',').map((text) => text.trim())) {
    const found = cardsOf(entry, gpus);
    if (found.length === 0) {
      endsAt = entry;
      break;
    }
    hasNumbers ||= /^\d+$/.test(entry);
    uuids.push(...found.map(({ uuid }) => uuid).filter((uuid) => !uuids.includes(uuid)));
  }
  const isMixed = new Set(gpus.map(({ name }) => name.replace(/ MIG .*$/, ''))).size > 1;
  return {
    uuids,
    endsAt,
    isOrderUnsure: hasNumbers && isMixed && order?.trim() !== 'PCI_BUS_ID',
  };
}

/** A card with MIG on stands for its instances. */
function cardsOf(entry: string, gpus: readonly NamedGpu[]): readonly NamedGpu[] {
  if (/^\d+$/.test(entry)) return gpus.filter(({ index }) => index === Number(entry));
  const text = entry.toLowerCase();
  if (!/^(gpu-|mig-|[0-9a-f]{8}-).*[0-9a-f]/.test(text)) return [];
  const begins = (uuid: string | undefined): boolean =>
    uuid?.toLowerCase().startsWith(text) === true;
  const instances = gpus.filter(({ uuid }) => begins(uuid));
  const exact = instances.filter(({ uuid }) => uuid.toLowerCase() === text);
  if (exact.length === 1) return exact;
  const ofCards = gpus.filter(({ card }) => begins(card));
  const cards = new Set([
    ...instances.map(({ uuid }) => uuid),
    ...ofCards.map(({ card }) => card ?? ''),
  ]);
  return cards.size === 1 ? [...instances, ...ofCards] : [];
}

/** What stands in `CUDA_VISIBLE_DEVICES` of a worker, and whether numbers do, which then count as nvidia-smi's. */
export function visibleTo(
  gpus: readonly Pick<Gpu, 'uuid' | 'index'>[],
  ids: 'uuid' | 'index',
): { readonly value: string; readonly isNumbered: boolean } {
  // CUDA knows the UUID of no card that has no `GPU-` before it: a Jetson's. An instance has no number.
  const isNumbered =
    gpus.length > 0 &&
    !gpus.some(isMigInstance) &&
    (ids === 'index' || gpus.some(({ uuid }) => !uuid.startsWith('GPU-')));
  return {
    value: gpus.map(({ uuid, index }) => (isNumbered ? String(index) : uuid)).join(','),
    isNumbered,
  };
}
