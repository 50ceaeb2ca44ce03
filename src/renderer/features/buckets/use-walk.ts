import { useCallback, useEffect, useRef, useState } from 'react';
import type { CallArguments, CallValue } from '../../../shared/ipc.ts';
import type { ObjectInfo } from '../../../shared/object-info.ts';
import type { Problem } from '../../../shared/problem.ts';
import { ask, problemOf } from '../../client.ts';

/** How far a count or a search is. */
export interface Walk {
  readonly state: 'running' | 'done' | 'stopped' | 'failed';
  readonly objects: number;
  readonly bytes: number;
  /** Of how many objects the size is not told. */
  readonly untold: number;
  readonly matches: readonly ObjectInfo[];
  /** A search that found as much as it may: there can be more. */
  readonly more: boolean;
  readonly problem: Problem | null;
}

const BEGUN: Walk = {
  state: 'running',
  objects: 0,
  bytes: 0,
  untold: 0,
  matches: [],
  more: false,
  problem: null,
};

type WalkCall = 'buckets-measure' | 'buckets-search';

/** Starts, follows and stops one count or search; null before the first. It stops when the component goes. */
export function useWalk<Name extends WalkCall>(name: Name) {
  const [walk, setWalk] = useState<Walk | null>(null);
  const current = useRef<string | null>(null);

  const stop = useCallback(() => {
    const id = current.current;
    current.current = null;
    if (id === null) return;
    void ask('buckets-stop-walk', { walk: id });
    setWalk((before) => (before?.state === 'running' ? { ...before, state: 'stopped' } : before));
  }, []);

  const clear = useCallback(() => {
    stop();
    setWalk(null);
  }, [stop]);

  const start = useCallback(
    (args: Omit<CallArguments<Name>, 'walk'>) => {
      stop();
      const id = crypto.randomUUID();
      current.current = id;
      setWalk(BEGUN);
      ask(name, { ...args, walk: id } as CallArguments<Name>).then(
        (value: CallValue<WalkCall>) => {
          if (current.current !== id) return;
          current.current = null;
          setWalk({ ...BEGUN, ...value, state: 'done' });
        },
        (error: unknown) => {
          if (current.current !== id) return;
          current.current = null;
          setWalk((before) => ({
            ...(before ?? BEGUN),
            state: 'failed',
            problem: problemOf(error),
          }));
        },
      );
    },
    [name, stop],
  );

  useEffect(() => {
    const end = window.trainyard.subscribe('buckets-walked', (news) => {
      if (news.walk !== current.current) return;
      setWalk((before) => ({
        ...(before ?? BEGUN),
        objects: news.objects,
        bytes: news.bytes,
        untold: news.untold ?? 0,
        matches: [...(before?.matches ?? []), ...news.matches],
      }));
    });
    return () => {
      end();
      const id = current.current;
      current.current = null;
      if (id !== null) void ask('buckets-stop-walk', { walk: id });
    };
  }, []);

  return { walk, start, stop, clear };
}
