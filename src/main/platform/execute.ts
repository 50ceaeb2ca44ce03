import { spawn } from 'node:child_process';
import { codeOf, type Environment } from './paths.ts';

/**
 * The one place where services start a program. node:child_process serves: execa 10 wants Node.js 22, and the main process
 * must also run on 20.18.
 */
export interface ExecuteOptions {
  /** Written to the program's stdin, which is then closed; without it stdin is empty. */
  readonly input?: string;
  readonly cwd?: string;
  /** The whole environment of the program; nothing else is added. */
  readonly env: Environment;
  /** After this the program is killed. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** At most this many bytes of each stream are kept; the rest is read and dropped. */
  readonly maxOutput?: number;
}

export interface Executed {
  /** Null when it did not start or was killed. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  /** Why it did not start: `ENOENT` and the like; null when it did. */
  readonly startError: string | null;
}

/** Runs a program without a shell and waits for its end. Never throws for what the program does. */
export function execute(
  file: string,
  args: readonly string[],
  options: ExecuteOptions,
): Promise<Executed> {
  return new Promise((resolve) => {
    const child = spawn(file, [...args], {
      env: { ...options.env },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      windowsHide: true,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const limit = options.maxOutput ?? 4_000_000;
    const stdout = keep(child.stdout, limit);
    const stderr = keep(child.stderr, limit);
    let timedOut = false;
    const kill = (): void => {
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, options.timeoutMs);
    if (options.signal?.aborted === true) kill();
    options.signal?.addEventListener('abort', kill, { once: true });
    let finished = false;
    const finish = (exitCode: number | null, startError: string | null): void => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', kill);
      resolve({ exitCode, stdout: stdout(), stderr: stderr(), timedOut, startError });
    };
    child.once('error', (error) => finish(null, codeOf(error) ?? error.message));
    child.once('close', (code) => finish(code, null));
    // A program that ended early closes its stdin: its exit status tells more than EPIPE does.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input);
  });
}

function keep(stream: NodeJS.ReadableStream | null, limit: number): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (bytes >= limit) return;
    chunks.push(chunk.subarray(0, limit - bytes));
    bytes += chunk.length;
  });
  return () => Buffer.concat(chunks).toString('utf8');
}
