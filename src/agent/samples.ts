import {
  appendFileSync,
  readFileSync,
  renameSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { cpus, freemem, totalmem } from 'node:os';
import type { Sample } from '../shared/gpu.ts';
import { RUN } from '../shared/run-directory.ts';
import { errorMessage, isNoRoom, sleep } from './files.ts';
import { sampleGpus } from './gpu/nvidia-smi.ts';
import { note, type JobRun } from './run.ts';

const EVERY = 2_000;
/** At this size every other sample is dropped, and the pace halved: a long run keeps an even picture. Bytes. */
const SIZE_LIMIT = 8 * 1024 * 1024;
const MIB = 1024 * 1024;
/** Below these the user is told that the disk fills up. Bytes, and files. */
const LOW_ROOM = 16 * MIB;
const LOW_FILES = 100;

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

/** Memory that programs cannot have, MiB: on Linux what `MemAvailable` leaves. */
function memoryUsed(): number {
  try {
    const available = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
    if (available !== undefined) return Math.round(totalmem() / MIB - Number(available) / 1024);
  } catch {
    // Not Linux.
  }
  return Math.round((totalmem() - freemem()) / MIB);
}

/** Appends a {@link Sample} to `logs/samples.jsonl` every two seconds while workers run, and tells when the disk fills up. */
export function startSampling(run: JobRun): { stop(): Promise<void> } {
  const file = run.at(RUN.samples);
  const end = new AbortController();
  const loop = async (): Promise<void> => {
    let before = processorTimes();
    let every = EVERY;
    while (!end.signal.aborted) {
      const gpus = run.plan.gpusPerWorker === 0 ? [] : await sampleGpus();
      const now = processorTimes();
      const passed = now.total - before.total;
      const sample: Sample = {
        time: new Date().toISOString(),
        gpus: gpus.map(({ uuid, memoryUsed, utilization, temperature, power }) => ({
          uuid,
          memoryUsed,
          utilization,
          temperature,
          power,
        })),
        cpu: passed > 0 ? Math.round((1_000 * (now.busy - before.busy)) / passed) / 10 : null,
        memoryUsed: memoryUsed(),
        memoryTotal: Math.round(totalmem() / MIB),
      };
      before = now;
      try {
        appendFileSync(file, `${JSON.stringify(sample)}\n`, { mode: 0o600 });
        if (statSync(file).size > SIZE_LIMIT) {
          thin(file);
          every *= 2;
        }
      } catch (error) {
        if (!isNoRoom(error)) throw error;
      }
      tellRoom();
      await sleep(every, end.signal);
    }
  };
  let toldRoom = false;
  const tellRoom = (): void => {
    const { bavail, bsize, files, ffree } = statfsSync(run.directory);
    const free = bavail * bsize;
    const low = free < LOW_ROOM || (files > 0 && ffree < LOW_FILES);
    if (low && !toldRoom)
      run.events.append({
        kind: 'warning',
        message: `The disk of ${run.directory} is nearly full: ${Math.floor(free / MIB)} MiB${files > 0 ? ` and ${ffree} files` : ''} are left. What workers write, and their logs, may be lost.`,
        hint: 'Make room on that disk now; the run goes on.',
      });
    toldRoom = low;
  };
  const running = loop().catch((error: unknown) => note(`no more samples: ${errorMessage(error)}`));
  return {
    async stop() {
      end.abort();
      await running;
    },
  };
}

/** Keeps every other line. */
export function thin(file: string): void {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  const kept = lines.filter((_, index) => index % 2 === 0);
  writeFileSync(`${file}.new`, kept.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
