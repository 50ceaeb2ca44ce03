import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { parseEventLine, type RunEvent, type RunEventBody } from '../shared/events.ts';
import { RUN_FORMAT } from '../shared/plan.ts';
import { fail, ok, problem, type Result } from '../shared/problem.ts';
import { errorCode } from './files.ts';

/** The only writer of a run's `events.jsonl`: whoever holds the run's lock. */
export interface EventLog {
  /** What earlier attempts wrote. */
  readonly earlier: readonly RunEvent[];
  /** Appends one event; durable when it returns, but for progress. Nothing once it is closed. */
  append(event: RunEventBody): void;
  close(): void;
}

/**
 * Opens `events.jsonl` to append. Numbers go on from the highest one there. A last line without its end (the writer died inside it)
 * is closed, so that the next event begins a line of its own; readers skip the torn one.
 * Errors: `input.run-format` where a later version wrote events.
 */
export function openEventLog(file: string): Result<EventLog> {
  const text = readIfThere(file);
  const earlier: RunEvent[] = [];
  let last = 0;
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const parsed = parseEventLine(line);
    if ('event' in parsed) {
      earlier.push(parsed.event);
      last = Math.max(last, parsed.event.seq);
    } else if ('unknown' in parsed) {
      last = Math.max(last, sequenceOf(line));
    } else if (parsed.refused.includes('update it')) {
      return fail(
        problem({
          code: 'input.run-format',
          op: 'read the events of the run',
          subject: file,
          message: `The run holds ${parsed.refused.replace(/; .*/, '')}: a later version of Trainyard made it.`,
          hint: 'Update Trainyard on this machine, then try again.',
        }),
      );
    }
  }
  const fd = openSync(file, 'a', 0o600);
  if (text !== '' && !text.endsWith('\n')) writeSync(fd, '\n');
  let open = true;
  return ok({
    earlier,
    append(event) {
      if (!open) return;
      last += 1;
      const { kind, ...rest } = event;
      const line = { format: RUN_FORMAT, seq: last, time: new Date().toISOString(), kind, ...rest };
      writeSync(fd, `${JSON.stringify(line)}\n`);
      if (kind !== 'stage-progress') fdatasyncSync(fd);
    },
    close() {
      open = false;
      closeSync(fd);
    },
  });
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw error;
  }
}

function sequenceOf(line: string): number {
  const value: unknown = JSON.parse(line);
  return typeof value === 'object' &&
    value !== null &&
    'seq' in value &&
    typeof value.seq === 'number'
    ? value.seq
    : 0;
}
