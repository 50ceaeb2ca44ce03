/** Counts and searches that are under way for the window: one of each kind, named by it. */
export interface Walks {
  /** Runs one; another one of its kind under way is stopped. */
  readonly run: <T>(
    kind: 'measure' | 'search',
    name: string,
    body: (signal: AbortSignal) => Promise<T>,
  ) => Promise<T>;
  readonly stop: (name: string) => void;
}

export function walks(): Walks {
  const running = new Map<string, { readonly name: string; readonly abort: AbortController }>();
  return {
    async run(kind, name, body) {
      running.get(kind)?.abort.abort();
      const mine = { name, abort: new AbortController() };
      running.set(kind, mine);
      try {
        return await body(mine.abort.signal);
      } finally {
        if (running.get(kind) === mine) running.delete(kind);
      }
    },
    stop(name) {
      for (const one of running.values()) if (one.name === name) one.abort.abort();
    },
  };
}

/** Gathers what comes often and hands it on at most once in `every` milliseconds; `end` hands on nothing more. */
export function throttled<T>(
  every: number,
  merge: (earlier: T, later: T) => T,
  tell: (news: T) => void,
): { readonly add: (news: T) => void; readonly end: () => void } {
  let held: T | null = null;
  let timer: NodeJS.Timeout | null = null;
  return {
    add(news) {
      held = held === null ? news : merge(held, news);
      timer ??= setTimeout(() => {
        timer = null;
        if (held !== null) tell(held);
        held = null;
      }, every);
    },
    end() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      held = null;
    },
  };
}
