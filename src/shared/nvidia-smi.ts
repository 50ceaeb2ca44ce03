import type { Gpu } from './gpu.ts';

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

/** The answer to {@link GPU_QUERY} or {@link GPU_QUERY_OLD} with `--format=csv,noheader,nounits`. Lines that are no card are skipped. */
export function parseCards(output: string, withMig: boolean): Card[] {
  const before = withMig ? 9 : 8;
  return output.split('\n').flatMap((line) => {
    const fields = line.split(',').map((field) => field.trim());
    const [index, uuid, total, used, utilization, temperature, power, driver, mig] = fields;
    if (number(index) === null || uuid === undefined || !/^GPU-/.test(uuid)) return [];
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
          ...(fields.includes('[GPU requires reset]') ? { needsReset: true } : {}),
        },
        mig: withMig && mig === 'Enabled',
        driver: driver === undefined || driver.startsWith('[') ? null : driver,
      },
    ];
  });
}

/** What nvidia-smi said when it could not work, in one line. */
export function brokenMessage(output: string): string {
  const line = output
    .split('\n')
    .map((each) => each.trim())
    .find((each) => each !== '');
  return line ?? 'nvidia-smi ended with an error and said nothing.';
}
