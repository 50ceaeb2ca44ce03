/** How busy a machine is, told from what its system counts: `os.cpus()`, and on Linux files of `/proc`. Pure. */

export interface ProcessorTimes {
  readonly busy: number;
  readonly total: number;
}

interface Processor {
  readonly times: {
    readonly user: number;
    readonly nice: number;
    readonly sys: number;
    readonly idle: number;
    readonly irq: number;
  };
}

/** Busy and total time of all processors since the boot. */
export function processorTimes(processors: readonly Processor[]): ProcessorTimes {
  let idle = 0;
  let total = 0;
  for (const { times } of processors) {
    idle += times.idle;
    total += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { busy: total - idle, total };
}

/** Percent of all processors between two looks; null where no time passed. */
export function busyPercent(before: ProcessorTimes, now: ProcessorTimes): number | null {
  const passed = now.total - before.total;
  return passed > 0 ? (100 * (now.busy - before.busy)) / passed : null;
}

/** Bytes that programs may still have, of `/proc/meminfo`: what can be freed counts, too. Null where it does not say. */
export function availableMemory(meminfo: string): number | null {
  const kibibytes = /^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}

/** Bytes since the boot: into the machine (read, received) and out of it (written, sent). */
export interface Traffic {
  readonly in: number;
  readonly out: number;
}

/** Bytes a second between two looks; null where a counter is missing, began anew, or no time passed. */
export function trafficRate(
  before: Traffic | null,
  now: Traffic | null,
  milliseconds: number,
): Traffic | null {
  if (before === null || now === null || milliseconds <= 0) return null;
  if (now.in < before.in || now.out < before.out) return null;
  const rate = (from: number, to: number): number =>
    Math.round((1_000 * (to - from)) / milliseconds);
  return { in: rate(before.in, now.in), out: rate(before.out, now.out) };
}

/** Interfaces that carry what another one carries as well, or that leads nowhere. */
const DOUBLE = /^(lo|docker\d|veth|br-|virbr|bond|team|ifb|dummy|tun|tap|cni|flannel|cali)/;

/** What all interfaces carried, of `/proc/net/dev`, without loopback and those that stand for others. */
export function networkTraffic(netDev: string): Traffic | null {
  let found = false;
  let received = 0;
  let sent = 0;
  for (const line of netDev.split('\n')) {
    const [, name, numbers] = /^\s*([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || numbers === undefined || DOUBLE.test(name)) continue;
    const fields = numbers.trim().split(/\s+/).map(Number);
    const [into, out] = [fields[0] ?? Number.NaN, fields[8] ?? Number.NaN];
    if (Number.isNaN(into) || Number.isNaN(out)) continue;
    found = true;
    received += into;
    sent += out;
  }
  return found ? { in: received, out: sent } : null;
}

export interface Mount {
  /** `8:1` */
  readonly device: string;
  /** `/dev/sda1`, `server:/export`, `tmpfs` */
  readonly source: string;
}

/** The mount that holds a path, of `/proc/self/mountinfo`; null where none does. */
export function mountOf(mountinfo: string, path: string): Mount | null {
  let best: { readonly length: number; readonly mount: Mount } | null = null;
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ');
    const [, , device, , place] = left?.split(' ') ?? [];
    const source = right?.split(' ')[1];
    if (device === undefined || place === undefined || source === undefined) continue;
    const folder = plainPath(place);
    const holds = folder === '/' || path === folder || path.startsWith(`${folder}/`);
    // The last mount on a folder hides those before it.
    if (holds && folder.length >= (best?.length ?? 0))
      best = { length: folder.length, mount: { device, source: plainPath(source) } };
  }
  return best?.mount ?? null;
}

/** Spaces and the like are octal in mountinfo. */
const plainPath = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );

/** The unit of `/proc/diskstats`, whatever the disk's own. Bytes. */
const SECTOR = 512;

/** What a block device read and wrote, of `/proc/diskstats`, by its number (`8:1`) or its name (`sda1`); null where it is no block device. */
export function diskTraffic(diskstats: string, device: string, name: string): Traffic | null {
  for (const line of diskstats.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (`${fields[0] ?? ''}:${fields[1] ?? ''}` !== device && fields[2] !== name) continue;
    const [read, written] = [Number(fields[5]), Number(fields[9])];
    return Number.isNaN(read) || Number.isNaN(written)
      ? null
      : { in: read * SECTOR, out: written * SECTOR };
  }
  return null;
}
