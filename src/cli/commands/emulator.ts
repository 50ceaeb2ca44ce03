import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Command } from 'commander';
import type { Run } from '../context.ts';
import type { ExitStatus } from '../exit.ts';
import { onOrphaned } from '../orphaned.ts';

/** `trainyard emulator [...]`: the embedded Google, a program of its own; everything is passed through. */
export function registerEmulator(program: Command, run: Run): void {
  program
    .command('emulator')
    .description(
      'start the embedded Google on loopback; `trainyard emulator --help` tells its options',
    )
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .argument('[options...]')
    .action((options: readonly string[]) =>
      run({}, async ({ files, env }) => {
        // The channel ends with this process, and the emulator with the channel, also when this process is killed.
        const child = spawn(process.execPath, [files.emulator, ...options], {
          stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
        });
        // The terminal's Ctrl+C reaches the child by itself; a signal sent to this process alone is handed on.
        let ended = false;
        const forward = (signal: NodeJS.Signals) => {
          ended = true;
          child.kill(signal);
        };
        onOrphaned(env, () => forward('SIGTERM'));
        process.removeAllListeners('SIGINT');
        process.removeAllListeners('SIGTERM');
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, forward);
        return new Promise<ExitStatus>((resolve, reject) => {
          child.once('error', reject);
          child.once('exit', (code, signal) =>
            // Ended before it could take the signal: as it was asked to.
            resolve(
              (ended && signal !== null
                ? 0
                : (code ?? 128 + (signal === null ? 0 : constants.signals[signal]))) as ExitStatus,
            ),
          );
        });
      }),
    );
}
