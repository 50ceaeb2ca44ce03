import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { cpus, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { availableMemory, busyPercent, processorTimes } from '../../shared/machine.ts';
import {
  GPU_QUERY,
  GPU_QUERY_OLD,
  NVIDIA_SMI_FOLDERS,
  parseCards,
} from '../../shared/nvidia-smi.ts';
import type { Meter } from '../../shared/ipc/hosts.ts';
import type { Clock } from './clock.ts';

/** How long nvidia-smi may take; on a machine of many cards whose driver begins anew it takes seconds. Milliseconds. */
const TIME_LIMIT = 10_000;
/** After it was not there, or could not work, it is left alone for this long. Milliseconds. */
const REST = 60_000;

export interface MachineMeter {
  /** How busy this machine is. Calls at the same time share one look: there is one nvidia-smi at the most. */
  look(): Promise<Meter>;
}

/** Looks only when asked: what nobody sees costs nothing. `env`: where nvidia-smi is found. */
export function machineMeter(
  env: Readonly<Record<string, string | undefined>>,
  clock: Clock,
): MachineMeter {
  let before: ReturnType<typeof processorTimes> | null = null;
  let restsUntil = 0;
  // Old drivers do not know that field.
  let withMig = true;
  let running: Promise<Meter> | null = null;

  const cards = async (): Promise<Meter['gpus']> => {
    if (clock.now() < restsUntil) return [];
    let found = parseCards((await ask(env, withMig)) ?? '', withMig);
    if (found.length === 0 && withMig) {
      withMig = false;
      found = parseCards((await ask(env, withMig)) ?? '', withMig);
    }
    if (found.length === 0) {
      restsUntil = clock.now() + REST;
      withMig = true;
    }
    return found.map(
      ({ gpu: { uuid, index, name, utilization, memoryUsed, memoryTotal, temperature } }) => ({
        uuid,
        index,
        name,
        utilization,
        memoryUsed,
        memoryTotal,
        temperature,
      }),
    );
  };

  const look = async (): Promise<Meter> => {
    const gpus = await cards();
    const now = processorTimes(cpus());
    const cpu = before === null ? null : busyPercent(before, now);
    before = now;
    const meminfo = await readFile('/proc/meminfo', 'utf8').catch(() => '');
    const memoryTotal = totalmem();
    const memoryUsed = memoryTotal - (availableMemory(meminfo) ?? freemem());
    return { cpu, memoryUsed, memoryTotal, gpus };
  };

  return {
    look() {
      running ??= look().finally(() => {
        running = null;
      });
      return running;
    },
  };
}

/** What nvidia-smi says of the cards, also where it ends with an error over one of them; null where it is not there or does not work. */
async function ask(
  env: Readonly<Record<string, string | undefined>>,
  withMig: boolean,
): Promise<string | null> {
  for (const folder of ['', ...NVIDIA_SMI_FOLDERS]) {
    const output = await askProgram(join(folder, 'nvidia-smi'), env, withMig);
    if (output !== undefined) return output;
  }
  return null;
}

/** Undefined: there is no such program. */
function askProgram(
  program: string,
  env: Readonly<Record<string, string | undefined>>,
  withMig: boolean,
): Promise<string | null | undefined> {
  return new Promise((resolve) => {
    execFile(
      program,
      [`--query-gpu=${withMig ? GPU_QUERY : GPU_QUERY_OLD}`, '--format=csv,noheader,nounits'],
      { timeout: TIME_LIMIT, killSignal: 'SIGKILL', env: { ...env, LC_ALL: 'C' } },
      (error, output) =>
        resolve(
          error?.code === 'ENOENT'
            ? undefined
            : error === null || (typeof error.code === 'number' && error.killed !== true)
              ? output
              : null,
        ),
    );
  });
}
