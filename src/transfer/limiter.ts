/** Lets no more than so much of something be in use at once, first come, first served. */
export interface Limiter {
  /** Runs `work` once `weight` (at most the limit) is free. */
  run<T>(weight: number, work: () => Promise<T>): Promise<T>;
}

interface Turn {
  readonly weight: number;
  readonly start: () => void;
}

export function limiter(limit: number): Limiter {
  let used = 0;
  const queue: Turn[] = [];
  const next = () => {
    for (let turn = queue[0]; turn !== undefined && used + turn.weight <= limit; turn = queue[0]) {
      queue.shift();
      used += turn.weight;
      turn.start();
    }
  };
  return {
    async run(asked, work) {
      const weight = Math.min(asked, limit);
      await new Promise<void>((start) => {
        queue.push({ weight, start });
        next();
      });
      try {
        return await work();
      } finally {
        used -= weight;
        next();
      }
    },
  };
}

/** Does `work` for each item, `width` at once. The first exception ends it, after those under way. */
export async function forEachOf<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let position = 0;
  let broken = false;
  const lane = async () => {
    while (!broken && position < items.length) {
      const item = items[position] as T;
      position += 1;
      try {
        await work(item);
      } catch (error) {
        broken = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(
    Array.from({ length: Math.min(width, items.length) }, lane),
  );
  for (const outcome of lanes) if (outcome.status === 'rejected') throw outcome.reason;
}
