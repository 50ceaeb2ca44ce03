import { watch, type FSWatcher } from 'node:fs';
import path from 'node:path';
import { stopRequestSchema } from '../shared/agent-protocol.ts';
import { RUN } from '../shared/run-directory.ts';
import { readJson } from './files.ts';

/** Requests to stop the run: `control/stop.json`. */
export interface StopWatch {
  /** Aborted by the first request. */
  readonly asked: AbortSignal;
  /** Aborted by a second one: also the upload that follows a stop is given up. */
  readonly askedAgain: AbortSignal;
  close(): void;
}

/** Looks at `control/stop.json` whenever its folder changes, and every second. */
export function watchStop(directory: string): StopWatch {
  const first = new AbortController();
  const second = new AbortController();
  let seen: string | null = null;
  const look = (): void => {
    const request = readJson(path.join(directory, RUN.stopRequest), stopRequestSchema);
    if (request === null || request.requestedAt === seen) return;
    (seen === null ? first : second).abort('the stop was asked for');
    seen = request.requestedAt;
  };
  look();
  const timer = setInterval(look, 1_000);
  const watcher = watchFolder(path.join(directory, RUN.control), look);
  return {
    asked: first.signal,
    askedAgain: second.signal,
    close() {
      clearInterval(timer);
      watcher?.close();
    },
  };
}

/** Calls back when a folder changes; null where the system cannot watch it (the caller polls too). */
export function watchFolder(folder: string, changed: () => void): FSWatcher | null {
  try {
    const watcher = watch(folder, { persistent: false }, changed);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
}
