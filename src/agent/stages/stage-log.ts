import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { RUN } from '../../shared/run-directory.ts';
import type { Run } from '../run.ts';

const NEWLINE = 10;

/**
 * A line of the agent's own in `logs/stage.log`, on a line of its own also where setup's output ends without one. Without a text it only
 * sees that the log is there. A disk that does not take it is no trouble: the events say the same.
 */
export function noteInStageLog(run: Run, text?: string): void {
  try {
    const log = openSync(run.at(RUN.stageLog), 'a+', 0o600);
    try {
      const { size } = fstatSync(log);
      const last = Buffer.alloc(1);
      const torn =
        size > 0 && readSync(log, last, 0, 1, size - 1) === 1 && last[0] !== NEWLINE ? '\n' : '';
      if (text !== undefined) writeSync(log, `${torn}${text}\n`);
    } finally {
      closeSync(log);
    }
  } catch {
    // Said above.
  }
}
