import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';

/** What the window's program itself takes: `--version` and its like are for the command line. */
const FOR_COMMAND_LINE: ReadonlySet<string> = new Set(['--help', '-h', '--version', '-V']);

/**
 * The command that the installed program was started with (`Trainyard.AppImage run job.yaml`), or null: a window is wanted, with a link or with
 * options of Chromium. Pure. `args`: without the program's own name.
 */
export function commandOf(args: readonly string[]): readonly string[] | null {
  // Chromium's options come first where there are any.
  const at = args.findIndex((each) => !each.startsWith('-') || FOR_COMMAND_LINE.has(each));
  const first = args[at];
  return first === undefined || /^trainyard:/i.test(first) ? null : args.slice(at);
}

/** Runs a command of the installed command line in this terminal. Returns its exit status; 4 where it could not be started. */
export function runCommand(resources: string, command: readonly string[]): Promise<number> {
  const program = join(resources, 'app.asar.unpacked', 'out', 'cli', 'trainyard.mjs');
  return new Promise((resolve) => {
    const child = spawn(join(resources, 'node'), [program, ...command], { stdio: 'inherit' });
    // The terminal signals the whole group; what comes to this process alone is handed on.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => {
        if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
      });
    child.once('error', (error) => {
      process.stderr.write(
        `The command line of this application could not be started: ${error.message}\nInstall Trainyard again.\n`,
      );
      resolve(4);
    });
    child.once('exit', (status, signal) =>
      resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}
