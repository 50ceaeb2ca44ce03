import { useEffect, useState } from 'react';
import type { Problem } from '../../../shared/problem.ts';
import { problemOf } from '../../client.ts';

/** Milliseconds between looks at a file that may grow, at one of a job that is over, and at one that nobody sees. */
const PAUSE = { live: 2_000, over: 10_000, hidden: 10_000 } as const;

export interface LinesAnswer<T> {
  readonly lines: readonly T[];
  readonly next: number;
  readonly restart: boolean;
  readonly more: boolean;
}

export interface Lines<T> {
  /** Null before the first answer. */
  readonly lines: readonly T[] | null;
  readonly problem: Problem | null;
}

/** All lines of a file of a run, and those added while it is shown. `read` must stay the same while the file does. */
export function useLines<T>(
  read: (offset: number) => Promise<LinesAnswer<T>>,
  live: boolean,
): Lines<T> {
  const [found, setFound] = useState<Lines<T>>({ lines: null, problem: null });
  useEffect(() => {
    let ended = false;
    let timer = 0;
    let offset = 0;
    let all: T[] = [];
    const look = async (): Promise<void> => {
      const before = all.length;
      for (let more = true; more && !ended;) {
        const answer = await read(offset);
        if (answer.restart) all = [];
        // A new list each time: what is shown is never changed under the reader.
        if (answer.lines.length > 0) all = [...all, ...answer.lines];
        ({ next: offset, more } = answer);
      }
      if (!ended)
        setFound((known) =>
          known.lines === null || all.length !== before || known.problem !== null
            ? { lines: all, problem: null }
            : known,
        );
    };
    const again = () => {
      look()
        .catch((error: unknown) => {
          if (!ended) setFound({ lines: all, problem: problemOf(error) });
        })
        .finally(() => {
          const pause = document.hidden ? PAUSE.hidden : live ? PAUSE.live : PAUSE.over;
          if (!ended) timer = globalThis.setTimeout(again, pause);
        });
    };
    again();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [read, live]);
  return found;
}
