import { bytesFree } from '../shared/disk-room.ts';
import {
  appendFileSync,
  readFileSync,
  realpathSync,
  renameSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { cpus, freemem, totalmem } from 'node:os';
import path from 'node:path';
import type { Sample } from '../shared/gpu.ts';
import {
  availableMemory,
  busyPercent,
  diskTraffic,
  mountOf,
  networkTraffic,
  processorTimes,
  trafficRate,
  type Traffic,
} from '../shared/machine.ts';
import { RUN } from '../shared/run-directory.ts';
import { errorMessage, isNoRoom, sleep } from './files.ts';
import { sampleGpus } from './gpu/nvidia-smi.ts';
import { note, type JobRun } from './run.ts';

const EVERY = 2_000;
/** Rates need two looks; a job of a second has a sample all the same. Milliseconds. */
const FIRST_AFTER = 250;
/** At this size every other sample is dropped, and the pace halved: a long run keeps an even picture. Bytes. */
const SIZE_LIMIT = 8 * 1024 * 1024;
const MIB = 1024 * 1024;
/** Below these the user is told that the disk fills up. Bytes, and files. */
const LOW_ROOM = 16 * MIB;
const LOW_FILES = 100;

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Not Linux.
    return '';
  }
}

/** Memory that programs cannot have, MiB: on Linux what `MemAvailable` leaves. */
function memoryUsed(): number {
  const available = availableMemory(readText('/proc/meminfo')) ?? freemem();
  return Math.round((totalmem() - available) / MIB);
}

/** What the disk of a folder read and wrote since the boot; null where the system does not tell: a network's, one in memory. */
function diskCounter(folder: string): () => Traffic | null {
  const mount = mountOf(readText('/proc/self/mountinfo'), realOf(folder));
  if (mount === null) return () => null;
  const name = path.basename(realOf(mount.source));
  return () => diskTraffic(readText('/proc/diskstats'), mount.device, name);
}

function realOf(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

/** Appends a {@link Sample} to `logs/samples.jsonl` every two seconds while workers run, and tells when the disk fills up. */
export function startSampling(run: JobRun): { stop(): Promise<void> } {
  const loginPath = async () => (await run.environment()).variables['PATH'];
  const file = run.at(RUN.samples);
  const disk = diskCounter(run.directory);
  const end = new AbortController();
  const loop = async (): Promise<void> => {
    const look = () => ({
      at: performance.now(),
      processors: processorTimes(cpus()),
      disk: disk(),
      network: networkTraffic(readText('/proc/net/dev')),
    });
    let before = look();
    let every = EVERY;
    await sleep(FIRST_AFTER, end.signal);
    do {
      const gpus = run.plan.gpusPerWorker === 0 ? [] : await sampleGpus(loginPath);
      const now = look();
      const passed = now.at - before.at;
      const cpu = busyPercent(before.processors, now.processors);
      const sample: Sample = {
        time: new Date().toISOString(),
        gpus: gpus.map(({ uuid, memoryUsed, utilization, temperature, power }) => ({
          uuid,
          memoryUsed,
          utilization,
          temperature,
          power,
        })),
        cpu: cpu === null ? null : Math.round(10 * cpu) / 10,
        memoryUsed: memoryUsed(),
        memoryTotal: Math.round(totalmem() / MIB),
        disk: trafficRate(before.disk, now.disk, passed),
        network: trafficRate(before.network, now.network, passed),
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
    } while (!end.signal.aborted);
  };
  let toldRoom = false;
  const tellRoom = (): void => {
    const disk = statfsSync(run.directory);
    const { files, ffree } = disk;
    const free = bytesFree(disk);
    const low = (free !== null && free < LOW_ROOM) || (files > 0 && ffree < LOW_FILES);
    if (low && !toldRoom)
      run.events.append({
        kind: 'warning',
        message: `The disk of ${run.directory} is nearly full: ${[...(free === null ? [] : [`${Math.floor(free / MIB)} MiB`]), ...(files > 0 ? [`${ffree} files`] : [])].join(' and ')} are left. What workers write, and their logs, may be lost.`,
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
