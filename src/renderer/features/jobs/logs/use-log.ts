import { useEffect, useRef, useState } from 'react';
import type { LogSource } from '../../../../shared/ipc.ts';
import type { Problem } from '../../../../shared/problem.ts';
import { ask, problemOf } from '../../../client.ts';
import { EMPTY_LOG, followLog, type LogView } from './follow-log.ts';

/** How often the end of a log is looked at, in milliseconds: while it may grow, after the job's end, and while nobody sees it. */
const PAUSE = { live: 500, over: 3_000, hidden: 5_000 } as const;

/** The log of a worker or of the stages, followed while it is shown. */
export function useLog(
  id: string,
  source: LogSource,
  live: boolean,
): { readonly log: LogView; readonly problem: Problem | null } {
  const [log, setLog] = useState<LogView>(EMPTY_LOG);
  const [problem, setProblem] = useState<Problem | null>(null);
  const isLive = useRef(live);
  useEffect(() => {
    isLive.current = live;
  }, [live]);

  useEffect(() => {
    const abort = new AbortController();
    void followLog({
      read: (offset, maxBytes) => ask('jobs-read-log', { id, source, offset, maxBytes }),
      pause: () => (document.hidden ? PAUSE.hidden : isLive.current ? PAUSE.live : PAUSE.over),
      onChange: (view) => {
        setLog(view);
        setProblem(null);
      },
      onError: (error) => setProblem(problemOf(error)),
      signal: abort.signal,
    });
    return () => abort.abort();
  }, [id, source]);

  return { log, problem };
}
