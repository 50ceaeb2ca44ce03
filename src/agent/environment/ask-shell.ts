import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { textOfBytes, variablesIn } from '../../shared/raw-text.ts';
import { groupExists, sendSignal } from '../identity.ts';
import { findBash, isProgram, systemTool } from './find-program.ts';
import { limitsOf, parseLimits } from './soft-limits.ts';

/** What one answer may hold, bytes. What start-up files print before it does not count. */
const ANSWER_LIMIT = 8 * 1024 * 1024;
/** How long the rest of an answer may take after the shell's end. Milliseconds. */
const REST_TIME = 500;
/** How often start-up files may hand over to another shell. */
const HANDOVERS = 3;

/** `full`: as in a terminal; `login-only`: without what is for terminals alone. */
export type Way = 'full' | 'login-only';

export interface ShellAnswer {
  readonly variables: Readonly<Record<string, string>>;
  /** Soft limits, by the letter of `ulimit`; empty where the system does not tell. */
  readonly limits: ReadonlyMap<string, string>;
}

export type Asked =
  | { readonly answer: ShellAnswer; readonly failure: null }
  /** Why not, to stand behind the name of the shell. */
  | { readonly answer: null; readonly failure: string };

export interface AskOptions {
  readonly timeLimit: number;
  /** What the shell is started with. */
  readonly environment: Readonly<Record<string, string>>;
  /** The soft limit of open files that it is started with; null: that of this process. */
  readonly openFiles: string | null;
  readonly signal?: AbortSignal | undefined;
}

/** How a shell is started so that it runs a line. */
interface Call {
  readonly parameters: readonly string[];
  /** Its own name: with `-` before it every shell takes itself for a login shell. */
  readonly name: string;
}

/**
 * How each shell is asked. csh and tcsh take `-l` only alone, and set a prompt, for which start-up files look, only where they read their lines
 * from stdin. The others run the line of `-c`. Pure.
 */
export function callFor(shell: string, way: Way, line: string): Call {
  const name = path.basename(shell).replace(/^-/, '');
  if (/^t?csh$/.test(name))
    return { parameters: way === 'full' ? ['-i'] : ['-c', line], name: `-${name}` };
  if (/^(sh|bash|rbash|zsh|dash|ash|[mop]?d?ksh(93)?|yash|fish|xonsh|nu)$/.test(name))
    return { parameters: ['-l', ...(way === 'full' ? ['-i'] : []), '-c', line], name };
  // One that is not known: as most shells are asked, then as each can be.
  return way === 'full'
    ? { parameters: ['-l', '-i', '-c', line], name }
    : { parameters: ['-c', line], name: `-${name}` };
}

/**
 * The words between the first two markers, or null where they are not both there. What start-up files print before stays outside. Pure.
 */
export function between(output: string, marker: string): string | null {
  const begin = output.indexOf(marker);
  const end = output.indexOf(marker, begin + marker.length);
  return begin < 0 || end < 0 ? null : output.slice(begin + marker.length, end);
}

/**
 * What a shell exports, and its soft limits, after its start-up files. Asked in a session of its own, in the home folder. Start-up files may print,
 * read (there is nothing that they were asked), leave programs behind, and hand over to another shell, which is then asked in its own way.
 */
export async function askShell(shell: string, way: Way, options: AskOptions): Promise<Asked> {
  let asked = shell;
  let known: Readonly<Record<string, string>> = {};
  const until = performance.now() + options.timeLimit;
  for (let handovers = 0; ; handovers += 1) {
    const left = Math.max(1, until - performance.now());
    const said = await askOnce(asked, way, {
      ...options,
      timeLimit: left,
      environment: { ...options.environment, ...known },
    });
    if (said.kind === 'failed') {
      if (handovers === 0)
        return {
          answer: null,
          failure: said.late
            ? `did not tell its environment within ${Math.round(options.timeLimit / 1_000)} seconds`
            : said.reason,
        };
      // The shell before told what it had, if not in its own way.
      return { answer: { variables: known, limits: new Map() }, failure: null };
    }
    if (said.kind === 'answered' || handovers === HANDOVERS)
      return { answer: said.answer, failure: null };
    known = said.answer.variables;
    asked = said.by;
  }
}

type Said =
  | { readonly kind: 'answered'; readonly answer: ShellAnswer }
  /** By the shell to which the start-up files handed over. */
  | { readonly kind: 'handed-over'; readonly answer: ShellAnswer; readonly by: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly late: boolean };

const failed = (reason: string, late = false): Said => ({ kind: 'failed', reason, late });

function askOnce(shell: string, way: Way, options: AskOptions): Promise<Said> {
  if (path.isAbsolute(shell) && !isProgram(shell))
    return Promise.resolve(
      failed(existsSync(shell) ? 'is no program that can be started' : 'is not there'),
    );
  const marker = `trainyard-${randomBytes(12).toString('hex')}`;
  const after = `${marker}-after`;
  const call = callFor(shell, way, lineFor(marker));
  const start = withOpenFiles(shell, call, options.openFiles);
  return new Promise((resolve) => {
    const home = process.env['HOME'] ?? '/';
    const child = spawn(start.program, start.parameters, {
      argv0: start.name,
      detached: true,
      env: { ...options.environment },
      cwd: existsSync(home) ? home : '/',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const output = keepFrom(`${marker}-`);
    let over = false;
    const finish = (said: Said): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', abort);
      if (child.pid !== undefined) endGroup(child.pid);
      child.stdout.destroy();
      child.stdin.destroy();
      resolve(said);
    };
    const timer = setTimeout(() => finish(failed('', true)), options.timeLimit);
    const abort = (): void => finish(failed('was not waited for'));
    if (options.signal?.aborted === true) abort();
    else options.signal?.addEventListener('abort', abort, { once: true });
    child.once('error', (error) => finish(failed(`could not be started (${error.message})`)));
    child.stdout.on('data', (chunk: Buffer) => {
      if (output.take(chunk) > ANSWER_LIMIT) finish(failed('told more than an environment can be'));
      else if (chunk.includes(after) || output.ends(after)) finish(read(output.text(), marker));
    });
    child.stdin.on('error', () => undefined);
    // csh reads it; so does a shell that the start-up files handed over to, which knows nothing of -c.
    child.stdin.end(
      `${call.parameters.includes('-c') ? lineFor(marker, true) : lineFor(marker)}\n`,
    );
    child.once('exit', (code, signal) => {
      // What a program in the background holds open does not end: what was written is there, once it was looked for.
      untilStill(output, child.stdout, () => {
        const said = read(output.text(), marker);
        finish(
          said.kind === 'failed'
            ? failed(
                `ended ${code === null ? `by ${signal ?? 'a signal'}` : `with exit status ${code}`} before it told its environment`,
              )
            : said,
        );
      });
    });
  });
}

/**
 * The line that a shell runs; every shell here understands it. The limits are those of a program that the shell starts. `over`: what a shell reads
 * on stdin that the start-up files handed over to; it says also which that is.
 */
function lineFor(marker: string, over = false): string {
  const print = `${systemTool('printf')} %s`;
  const limits = existsSync('/proc/self/limits') ? [`${systemTool('cat')} /proc/self/limits`] : [];
  return [
    ...(over
      ? [
          `${print} ${marker}-over`,
          `${systemTool('sh')} -c 'readlink /proc/$PPID/exe || ps -o comm= -p $PPID'`,
          `${print} ${marker}-over`,
        ]
      : []),
    `${print} ${marker}-variables`,
    `${systemTool('env')} -0`,
    `${print} ${marker}-variables`,
    `${print} ${marker}-limits`,
    ...limits,
    `${print} ${marker}-limits`,
    `${print} ${marker}-after`,
  ].join('; ');
}

function read(output: string, marker: string): Said {
  const entries = between(output, `${marker}-variables`);
  const variables = entries === null ? {} : variablesIn(entries);
  if (Object.keys(variables).length === 0) return failed('told no environment');
  const limits = parseLimits(between(output, `${marker}-limits`) ?? '');
  const by = between(output, `${marker}-over`)?.trim();
  const answer = { variables, limits };
  return by === undefined || by === ''
    ? { kind: 'answered', answer }
    : { kind: 'handed-over', answer, by: by.replace(/ \(deleted\)$/, '') };
}

/** Through bash where it is to begin with fewer open files than this process may have: Node.js raised its own. */
function withOpenFiles(
  shell: string,
  call: Call,
  openFiles: string | null,
): { readonly program: string; readonly parameters: readonly string[]; readonly name: string } {
  const direct = { program: shell, ...call };
  if (openFiles === null || openFiles === limitsOf('self').get('n')) return direct;
  const bash = findBash(undefined);
  if (bash === null) return direct;
  const script = 'ulimit -Sn "$1" 2>/dev/null; name=$2; shift 2; exec -a "$name" "$@"';
  return {
    program: bash,
    parameters: ['-p', '-c', script, 'bash', openFiles, call.name, shell, ...call.parameters],
    name: 'bash',
  };
}

/** How long what start-up files left may take to end. Milliseconds. */
const END_TIME = 2_000;

/** As a terminal that is closed ends its programs: one that is killed could leave a lock of its own behind, and make every later shell wait for it. */
function endGroup(leader: number): void {
  const until = performance.now() + END_TIME;
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGCONT'] as const) sendSignal(-leader, signal);
  const look = (): void => {
    if (!groupExists(leader)) return;
    if (performance.now() > until) sendSignal(-leader, 'SIGKILL');
    else setTimeout(look, 50);
  };
  look();
}

interface Kept {
  /** Bytes kept by now. */
  take(chunk: Buffer): number;
  ends(marker: string): boolean;
  text(): string;
}

/** Keeps what comes from the first marker on. */
function keepFrom(marker: string): Kept {
  let kept = Buffer.alloc(0);
  let found = false;
  const pieces: Buffer[] = [];
  let size = 0;
  return {
    take(chunk) {
      if (found) {
        pieces.push(chunk);
        size += chunk.length;
        return size;
      }
      kept = Buffer.concat([kept, chunk]);
      const at = kept.indexOf(marker);
      found = at >= 0;
      kept = kept.subarray(found ? at : Math.max(0, kept.length - marker.length));
      if (!found) return 0;
      pieces.push(kept);
      size = kept.length;
      return size;
    },
    ends(marker) {
      const last = Buffer.concat(pieces.slice(-2));
      return last.includes(marker, Math.max(0, last.length - marker.length - 64 * 1024));
    },
    text: () => textOfBytes(Buffer.concat(pieces)),
  };
}

/** Calls back once a stream has ended, or nothing more comes of it. */
function untilStill(output: Kept, stream: NodeJS.ReadableStream, done: () => void): void {
  let size = output.take(Buffer.alloc(0));
  const look = (): void => {
    // After whatever waits to be read: a busy machine makes a timer late, not the bytes.
    setImmediate(() => {
      const now = output.take(Buffer.alloc(0));
      if (now === size) done();
      else {
        size = now;
        setTimeout(look, REST_TIME);
      }
    });
  };
  const timer = setTimeout(look, REST_TIME);
  stream.once('end', () => {
    clearTimeout(timer);
    done();
  });
}
