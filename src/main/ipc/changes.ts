/** Gathers what changed and tells it in batches, so that a job that writes many events costs the window one update. */
export interface ChangeBatcher {
  readonly add: (id: string) => void;
  readonly close: () => void;
}

/** `delay` in milliseconds. One flush at a time: what comes meanwhile waits for the next. `onBug` is told when a flush throws. */
export function batchChanges(
  delay: number,
  flush: (ids: readonly string[]) => Promise<void>,
  onBug: (error: unknown) => void,
): ChangeBatcher {
  let waiting = new Set<string>();
  let timer: NodeJS.Timeout | null = null;
  let flushing = false;
  let closed = false;

  const schedule = () => {
    if (closed || timer !== null || flushing || waiting.size === 0) return;
    timer = setTimeout(() => void run(), delay);
  };
  const run = async () => {
    timer = null;
    flushing = true;
    const ids = [...waiting];
    waiting = new Set();
    try {
      await flush(ids);
    } catch (error) {
      onBug(error);
    } finally {
      flushing = false;
      schedule();
    }
  };
  return {
    add: (id) => {
      waiting.add(id);
      schedule();
    },
    close: () => {
      closed = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}
