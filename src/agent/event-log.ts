import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { parseEventLine, type RunEvent, type RunEventBody, type Stage } from '../shared/events.ts';
import { RUN_FORMAT } from '../shared/plan.ts';
import { fail, ok, problem, type Result } from '../shared/problem.ts';
import { errorCode, isNoRoom, removeFile, sleep } from './files.ts';

/** Room that is kept for the last events of a run whose disk fills up. Bytes. */
const RESERVE = 256 * 1024;

/** What could not be written is tried again so often; for a reason other than room, for so long after the end. Milliseconds. */
const AGAIN = { every: 1_000, most: 60_000 };

/** The only writer of a run's `events.jsonl`: whoever holds the run's lock. */
export interface EventLog {
  /** What earlier attempts wrote. */
  readonly earlier: readonly RunEvent[];
  /**
   * Appends one event; durable when it returns, but for progress. Nothing once it is closed. Where the disk does not take it, it is kept
   * in memory and tried again every second, in order; progress is left out meanwhile.
   */
  append(event: RunEventBody): void;
  /** The stage that was told last; null before the first of this attempt. */
  stage(): Stage | null;
  /** Whether events wait for the disk. */
  stuck(): boolean;
  /** Waits until all events are on the disk: for room as long as it takes, for what else the disk refuses a minute. Then closes. */
  end(): Promise<void>;
  close(): void;
}

/**
 * Opens `events.jsonl` to append. Numbers go on from the highest one there. A last line without its end (the writer died inside it)
 * is closed, so that the next event begins a line of its own; readers skip the torn one. `reserve` names a file that takes some room until
 * it is needed for events.
 * Errors: `input.run-format` where a later version wrote events.
 */
export function openEventLog(file: string, reserve: string | null = null): Result<EventLog> {
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
  if (reserve !== null) makeReserve(reserve);
  /** What is not on the disk yet, oldest first. */
  const waiting: Buffer[] = [];
  if (text !== '' && !text.endsWith('\n')) waiting.push(Buffer.from('\n'));
  let open = true;
  let stage: Stage | null = null;
  let refusal: unknown = null;
  let timer: NodeJS.Timeout | null = null;

  const flush = (): void => {
    refusal = null;
    for (let first = waiting[0]; first !== undefined; first = waiting[0])
      try {
        const written = writeSync(fd, first);
        if (written < first.length) waiting[0] = first.subarray(written);
        else waiting.shift();
      } catch (error) {
        if (isNoRoom(error) && reserve !== null && existsSync(reserve)) {
          removeReserve(reserve);
          if (!existsSync(reserve)) continue;
        }
        refusal = error;
        timer ??= setTimeout(() => {
          timer = null;
          if (open) flush();
        }, AGAIN.every);
        return;
      }
  };
  const close = (): void => {
    if (!open) return;
    open = false;
    if (timer !== null) clearTimeout(timer);
    closeSync(fd);
    if (reserve !== null) removeReserve(reserve);
  };
  flush();
  return ok({
    earlier,
    append(event) {
      if (!open || (event.kind === 'stage-progress' && waiting.length > 0)) return;
      last += 1;
      if (event.kind === 'stage-started') stage = event.stage;
      const { kind, ...rest } = event;
      const line = { format: RUN_FORMAT, seq: last, time: new Date().toISOString(), kind, ...rest };
      waiting.push(Buffer.from(`${JSON.stringify(line)}\n`));
      flush();
      if (kind !== 'stage-progress' && refusal === null) sync(fd);
    },
    stage: () => stage,
    stuck: () => waiting.length > 0,
    async end() {
      const began = performance.now();
      while (waiting.length > 0) {
        if (!isNoRoom(refusal) && performance.now() - began > AGAIN.most) break;
        await sleep(AGAIN.every / 4);
        flush();
      }
      if (refusal === null) sync(fd);
      close();
    },
    close,
  });
}

/** Without it the last events of a run on a full disk wait until there is room. */
function makeReserve(file: string): void {
  try {
    // What cannot be compressed.
    if (!existsSync(file)) writeFileSync(file, randomBytes(RESERVE), { mode: 0o600 });
  } catch {
    // The disk is full already.
  }
}

function removeReserve(file: string): void {
  try {
    removeFile(file);
  } catch {
    // A disk that became read-only.
  }
}

/** Some disks learn only now that they are full or broken: the next event meets the same error, and waits. */
function sync(fd: number): void {
  try {
    fdatasyncSync(fd);
  } catch (error) {
    if (errorCode(error) === '') throw error;
  }
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
