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

/** Reads from an offset. It must stay the same while the file does. */
export type ReadLines<T> = (offset: number) => Promise<LinesAnswer<T>>;

export interface LinesReader<T> {
  /** Some lines more. `restart`: what was read before is out of date. */
  readonly take: (lines: readonly T[], restart: boolean) => void;
  /** All that is there was read, or reading failed. */
  readonly done: (problem: Problem | null) => void;
}

/** Reads a file of a run to its end, and what is added to it. Answers with the disposer. */
export function followLines<T>(
  read: ReadLines<T>,
  live: boolean,
  { take, done }: LinesReader<T>,
): () => void {
  let ended = false;
  let timer = 0;
  let offset = 0;
  const isEnded = () => ended;
  const look = async (): Promise<void> => {
    for (let more = true; more && !isEnded();) {
      const answer = await read(offset);
      if (isEnded()) return;
      if (answer.restart || answer.lines.length > 0) take(answer.lines, answer.restart);
      ({ next: offset, more } = answer);
    }
  };
  const again = () => {
    look()
      .then(
        () => null,
        (error: unknown) => problemOf(error),
      )
      .then((problem) => {
        if (isEnded()) return;
        done(problem);
        const pause = document.hidden ? PAUSE.hidden : live ? PAUSE.live : PAUSE.over;
        timer = globalThis.setTimeout(again, pause);
      })
      .catch(() => undefined);
  };
  again();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

export interface Lines<T> {
  /** Null before the first answer. */
  readonly lines: readonly T[] | null;
  readonly problem: Problem | null;
}

/** All lines of a file of a run, and those added while it is shown. */
export function useLines<T>(read: ReadLines<T>, live: boolean): Lines<T> {
  const [found, setFound] = useState<Lines<T>>({ lines: null, problem: null });
  useEffect(() => {
    let all: readonly T[] = [];
    return followLines(read, live, {
      // A new list each time: what is shown is never changed under the reader.
      take: (lines, restart) => {
        all = restart ? lines : [...all, ...lines];
      },
      done: (problem) =>
        setFound((known) =>
          known.lines === all && known.problem === null && problem === null
            ? known
            : { lines: all, problem },
        ),
    });
  }, [read, live]);
  return found;
}
