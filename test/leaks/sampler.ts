import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';

/** What was seen of the processes of this machine. */
export interface Sampled {
  /** Arguments, a line end, environment; each that was seen, once. */
  readonly samples: readonly string[];
  /** How often all were looked at. */
  readonly looks: number;
}

/**
 * Reads the arguments and the environment of every process of this machine that it may read, in a thread of its own, every few milliseconds while
 * they are young, and four times a second after. A process that lives for less than that can be missed.
 */
export function startSampler(): { readonly stop: () => Promise<Sampled> } {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const looks = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Worker(path.join(import.meta.dirname, 'sampler-thread.ts'), {
    workerData: { stop, looks },
    execArgv: [],
  });
  const told = once(thread, 'message') as Promise<[readonly string[]]>;
  const end = async (): Promise<Sampled> => {
    Atomics.store(stop, 0, 1);
    Atomics.notify(stop, 0);
    const [samples] = await told;
    await thread.terminate();
    return { samples, looks: Atomics.load(looks, 0) };
  };
  let ended: Promise<Sampled> | null = null;
  // May be called twice.
  return { stop: () => (ended ??= end()) };
}
