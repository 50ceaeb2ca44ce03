import type { Gpu, GpuBlock } from './gpu.ts';

/** How nvidia-smi is asked for the cards of a machine, and what it answers. Pure. */

/**
 * What is asked of nvidia-smi, in this order; the name stands last, for it may hold commas.
 * `mig.mode.current` is unknown to old drivers: see {@link GPU_FIELDS_OLD}.
 */
export const GPU_FIELDS_OLD =
  'index,uuid,memory.total,memory.used,utilization.gpu,temperature.gpu,power.draw,driver_version';
export const GPU_QUERY = `${GPU_FIELDS_OLD},mig.mode.current,name`;
export const GPU_QUERY_OLD = `${GPU_FIELDS_OLD},name`;

/** The exit status of an nvidia-smi that has answered and warns that a card's infoROM is corrupted; such a card computes. */
export const ANSWERED_WITH_WARNING = 14;

/** Where drivers put nvidia-smi when no PATH leads there: WSL, Jetson, containers of clusters, NixOS, older installers. */
export const NVIDIA_SMI_FOLDERS: readonly string[] = [
  '/usr/bin',
  '/usr/local/bin',
  '/usr/lib/wsl/lib',
  '/usr/sbin',
  '/usr/local/nvidia/bin',
  '/opt/nvidia/bin',
  '/usr/lib/nvidia/bin',
  '/run/current-system/sw/bin',
  '/run/opengl-driver/bin',
];

/** The card, whether MIG is on, and the driver's version. */
export interface Card {
  readonly gpu: Gpu;
  readonly mig: boolean;
  readonly driver: string | null;
}

/** `[N/A]`, `[Not Supported]`, `[Unknown Error]` and the like are null. */
function number(text: string | undefined): number | null {
  return text !== undefined && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : null;
}

/** A card's UUID; of a Jetson it has no `GPU-` before it. */
const CARD_UUID = /^(GPU-|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$)/i;

/** A value in the place of which the driver reports an error: not one that the card lacks, such as `[N/A]`. */
const ERROR_WORD = /^\[?(unknown error|err!?|error|gpu is lost.*|timeout.*)\]?$/i;
const LOST_WORD = /^\[?gpu is lost.*\]?$/i;
const RESET_WORD = /^\[?(gpu requires reset|reset required)\]?$/i;

/** What stands in the way of a card whose values are errors. A sensor alone may fail: its card computes. */
function blockOf(memory: readonly (string | undefined)[], all: readonly string[]): GpuBlock | null {
  const isError = (text: string | undefined): boolean =>
    text !== undefined && ERROR_WORD.test(text);
  if (all.some((text) => LOST_WORD.test(text)))
    return {
      reason: 'does not answer: GPU is lost',
      advice: 'A lost card comes back with a restart of the machine, if at all.',
      final: true,
    };
  return memory.some(isError) || all.filter(isError).length >= 3
    ? {
        reason: 'the driver reports errors instead of its values',
        advice:
          'Look at what `nvidia-smi -q` and the kernel log (`dmesg | grep Xid`) say of it; a restart of the machine helps where anything does.',
        final: true,
      }
    : null;
}

/** The answer to {@link GPU_QUERY} or {@link GPU_QUERY_OLD} with `--format=csv,noheader,nounits`. Lines that are no card are skipped. */
export function parseCards(output: string, withMig: boolean): Card[] {
  const before = withMig ? 9 : 8;
  return output.split('\n').flatMap((line) => {
    const fields = line.split(',').map((field) => field.trim());
    const [index, uuid, total, used, utilization, temperature, power, driver, mig] = fields;
    if (number(index) === null || uuid === undefined || !CARD_UUID.test(uuid)) return [];
    const blocked = blockOf([total, used], fields);
    return [
      {
        gpu: {
          uuid,
          index: Number(index),
          name: fields.slice(before).join(', '),
          memoryTotal: number(total),
          memoryUsed: number(used),
          utilization: number(utilization),
          temperature: number(temperature),
          power: number(power),
          processes: [],
          ...(fields.some((field) => RESET_WORD.test(field)) ? { needsReset: true } : {}),
          ...(blocked === null ? {} : { blocked }),
        },
        mig: withMig && mig === 'Enabled',
        driver: driver === undefined || driver.startsWith('[') ? null : driver,
      },
    ];
  });
}

/** What stands for a card in a row without a UUID, or in a line of its own. */
const LOST_CARD =
  /unable to determine the device handle|gpu is lost|unable to communicate with gpu|fallen off the bus/i;

/** What an answer says of cards that do not answer, a sentence each. */
export function parseLostCards(output: string): string[] {
  const told = output.split('\n').flatMap((line) => {
    const text = line.trim().replaceAll(/\s+/g, ' ');
    const [index, uuid] = text.split(',').map((field) => field.trim());
    if (LOST_CARD.test(text) && number(index) === null) return [text];
    return number(index) !== null && uuid !== undefined && !CARD_UUID.test(uuid)
      ? [`GPU ${index}: ${uuid.replaceAll(/[[\]]/g, '')}`]
      : [];
  });
  return [...new Set(told)];
}

/** What nvidia-smi said when it could not work, in one line. */
export function brokenMessage(output: string): string {
  const line = output
    .split('\n')
    .map((each) => each.trim())
    .find((each) => each !== '');
  return line ?? 'nvidia-smi ended with an error and said nothing.';
}
