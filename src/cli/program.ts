import { Command, CommanderError } from 'commander';
import { checkAlways } from '../google/trust.ts';
import { openLog } from '../main/platform/log.ts';
import { homeFolder, pathsBelow } from '../main/platform/paths.ts';
import { terminalOf } from '../main/platform/terminal.ts';
import { openServices, type Services } from '../main/services.ts';
import { movedAddresses, type GoogleEndpoints } from '../shared/endpoints.ts';
import { registerCheck } from './commands/check.ts';
import { registerCopy } from './commands/copy.ts';
import { registerDemo } from './commands/demo.ts';
import { registerEmulator } from './commands/emulator.ts';
import { registerGrant } from './commands/grant.ts';
import { registerHabits } from './commands/habits.ts';
import { registerHosts } from './commands/hosts.ts';
import { registerJobs } from './commands/jobs.ts';
import { registerKeys } from './commands/keys.ts';
import { registerList } from './commands/list.ts';
import { registerLogs } from './commands/logs.ts';
import { registerNotebook } from './commands/notebook.ts';
import { registerRetry, registerUpload } from './commands/retry.ts';
import { registerRun } from './commands/run.ts';
import { registerStop } from './commands/stop.ts';
import type { Context, Environment, InterruptHandler, InterruptReason, Run } from './context.ts';
import { printableLines, ProblemExit, reportProblem, valueOf, type ExitStatus } from './exit.ts';
import { onOrphaned } from './orphaned.ts';
import { createOutput, type Output, type Sink } from './output.ts';
import { findProgramFiles } from './program-files.ts';

/** After the first SIGINT a command has this long to end by itself, milliseconds. */
const GRACE = 20_000;
/** Said where certificates were asked not to be checked. */
const UNCHECKED =
  'NODE_TLS_REJECT_UNAUTHORIZED=0 does not count here: Trainyard always checks certificates. Name your company’s certificate file in NODE_EXTRA_CA_CERTS instead.';
/** What a shell says of a program that SIGPIPE ended. */
const READER_GONE = 141;

/** Runs the command line; `args` without the program's own name. Returns the exit status. */
export async function runProgram(args: readonly string[]): Promise<ExitStatus> {
  const unchecked = checkAlways();
  const env = process.env;
  const files = findProgramFiles();
  const output = createOutput(sinkOf(process.stdout), sinkOf(process.stderr), env);
  let status: ExitStatus = 0;
  const running: { interrupts: Interrupts | null } = { interrupts: null };
  // `trainyard jobs | head -1`: the reader went away, nobody wants to hear more; what was begun is still ended in order.
  onLostReader(() => {
    if (running.interrupts === null) process.exit(READER_GONE);
    else running.interrupts.end(READER_GONE);
  });

  const run: Run = async (options, action) => {
    const json = options.json === true;
    const interrupts = watchInterrupts(env);
    running.interrupts = interrupts;
    let opened: Promise<Services> | undefined;
    const context: Context = {
      output,
      env,
      folder: process.cwd(),
      files,
      interactive: process.stdin.isTTY && process.stderr.isTTY,
      signal: interrupts.signal,
      services: () =>
        (opened ??= openServices({
          env,
          version: files.version,
          agentFolder: files.agentFolder,
          nodeRuntime: files.nodeRuntime,
          keychain: {
            signal: interrupts.signal,
            onSilence: () =>
              output.note(
                'Waits for the keychain, which has not answered yet: it may ask for its password in a window…',
              ),
          },
          terminal: terminalOf(env),
        }).then((result) => {
          const services = valueOf(result);
          if (unchecked) output.warn(UNCHECKED);
          tellEmulated(services.endpoints, output);
          return services;
        })),
      takeInterrupts: (handler) => interrupts.take(handler),
    };
    try {
      status = await action(context);
    } catch (error) {
      if (error instanceof ProblemExit) status = reportProblem(output, error.problem, json);
      else if (interrupts.signal.aborted) status = 130;
      else status = reportBug(error, env, (text) => output.note(text));
    } finally {
      output.endLive();
      const services = await opened?.catch(() => undefined);
      await services?.close();
      interrupts.stop();
    }
    const interrupted = interrupts.status();
    if (interrupted !== null) {
      output.note('Interrupted.');
      status = interrupted;
    }
  };

  const program = createProgram(files.version, run);
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return reportBug(error, env, (text) => output.note(text));
  }
  return status;
}

export function createProgram(version: string, run: Run): Command {
  const program = new Command('trainyard')
    .description('Train on your own GPUs with data in Google Cloud Storage.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .exitOverride()
    .configureOutput({
      outputError: (text, write) =>
        write(
          printableLines(text).replace(
            /^error: (.)/,
            (_, first: string) => `Error: ${first.toUpperCase()}`,
          ),
        ),
    })
    .showHelpAfterError('  See the arguments with `trainyard help COMMAND`.')
    .showSuggestionAfterError();
  registerDemo(program, run);
  registerKeys(program, run);
  registerList(program, run);
  registerCopy(program, run);
  registerRun(program, run);
  registerJobs(program, run);
  registerLogs(program, run);
  registerStop(program, run);
  registerRetry(program, run);
  registerUpload(program, run);
  registerNotebook(program, run);
  registerCheck(program, run);
  registerGrant(program, run);
  registerHosts(program, run);
  registerEmulator(program, run);
  registerHabits(program, run);
  return program;
}

function sinkOf(stream: NodeJS.WriteStream): Sink {
  return {
    get isTTY() {
      return stream.isTTY;
    },
    get columns() {
      return stream.isTTY ? stream.columns : 0;
    },
    write: (text, done) => {
      if (stream.destroyed) done?.();
      else stream.write(text, () => done?.());
    },
  };
}

function onLostReader(handler: () => void): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') handler();
      else if (error.code !== 'ERR_STREAM_DESTROYED') throw error;
    });
}

/** An exception is a bug of ours: one sentence, and where the rest is. */
function reportBug(
  error: unknown,
  env: Readonly<Record<string, string | undefined>>,
  note: (text: string) => void,
): ExitStatus {
  const log = openLog(`${pathsBelow(homeFolder(env)).logs}/cli.log`);
  log.error('The command line met a bug.', error);
  note(
    `Error: This is a bug of Trainyard: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'something unexpected was thrown'}.`,
  );
  note(`  Please report it with the end of ${log.path}.`);
  return 1;
}

/** 130 SIGINT, 143 SIGTERM, 141 the reader of the output went away. */
type Ending = 130 | 141 | 143;

interface Interrupts {
  readonly signal: AbortSignal;
  take(handler: InterruptHandler): () => void;
  /** The exit status when a signal ended the command; else null. */
  status(): Ending | null;
  /** Ends the command as a signal would. */
  end(status: Ending): void;
  stop(): void;
}

function watchInterrupts(env: Environment): Interrupts {
  const controller = new AbortController();
  let status: Ending | null = null;
  let taken: InterruptHandler | null = null;
  let timer: NodeJS.Timeout | undefined;
  const end = (reason: Ending) => {
    if (status !== null) {
      if (reason !== READER_GONE) process.exit(status);
      return;
    }
    status = reason;
    controller.abort(new Error('interrupted'));
    timer = setTimeout(() => process.exit(reason), GRACE);
    timer.unref();
  };
  const interrupt = (reason: InterruptReason) => {
    if (taken === null) end(130);
    else taken(reason);
  };
  const onInterrupt = () => interrupt('signal');
  const stopLooking = onOrphaned(env, () => interrupt('orphaned'));
  const onTerminate = () => end(143);
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onTerminate);
  return {
    signal: controller.signal,
    take: (handler) => {
      taken = handler;
      return () => {
        if (taken === handler) taken = null;
      };
    },
    status: () => status,
    end,
    stop: () => {
      clearTimeout(timer);
      stopLooking();
      process.off('SIGINT', onInterrupt);
      process.off('SIGTERM', onTerminate);
    },
  };
}

/** Every command that may ask Google says so where that is not Google. */
function tellEmulated(endpoints: GoogleEndpoints, output: Output): void {
  const [first, ...others] = movedAddresses(endpoints);
  if (first === undefined) return;
  const { host } = new URL(first.address);
  output.warn(
    `Google is emulated at ${host}: ${first.variable} ${others.length > 0 ? 'and others lead' : 'leads'} there.`,
  );
}
