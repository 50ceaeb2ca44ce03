import { readdirSync, readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/** Looks at every process of the machine again and again: see sampler.ts. */
const { stop, looks } = workerData as { stop: Int32Array; looks: Int32Array };

/** Milliseconds: at a young process every look, at an older one now and then. */
const YOUNG = 400;
const SELDOM = 250;
const PAUSE = 4;

/** When each process was first seen. */
const since = new Map<string, number>();
const young = new Set<string>();
const samples = new Set<string>();
let newest = '';
let nextOfAll = 0;

const read = (file: string): string => {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
};

/** The process that began last: while it is the same, nobody new is there, and the whole list need not be read. */
const newestProcess = (): string => read('/proc/loadavg').split(' ')[4] ?? '';

while (Atomics.load(stop, 0) === 0) {
  const now = performance.now();
  const isTimeForAll = now >= nextOfAll;
  const last = newestProcess();
  if (isTimeForAll || last !== newest) {
    newest = last;
    const there = new Set(readdirSync('/proc').filter((name) => /^\d+$/.test(name)));
    for (const pid of there) {
      if (since.has(pid)) continue;
      since.set(pid, now);
      young.add(pid);
    }
    for (const pid of since.keys()) if (!there.has(pid)) since.delete(pid);
  }
  if (isTimeForAll) nextOfAll = now + SELDOM;
  for (const pid of isTimeForAll ? since.keys() : young) {
    const sample = `${read(`/proc/${pid}/cmdline`)}\n${read(`/proc/${pid}/environ`)}`;
    if (sample.length > 1) samples.add(sample);
  }
  for (const pid of young) if (now - (since.get(pid) ?? 0) > YOUNG) young.delete(pid);
  Atomics.add(looks, 0, 1);
  Atomics.wait(stop, 0, 0, PAUSE);
}
parentPort?.postMessage([...samples]);
