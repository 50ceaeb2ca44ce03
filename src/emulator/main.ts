import type { Server } from 'node:http';
import { exitStatusOf, type Problem } from '../shared/problem.ts';
import { openEmulator } from './open.ts';
import { parseOptions, USAGE, type Options } from './options.ts';

/**
 * The emulator: `node src/emulator/main.ts [options]`. Prints the four addresses as `export NAME=VALUE` lines once it listens, nothing else on
 * stdout; ends with 0 on SIGTERM, SIGINT, and when a parent that holds a channel to it goes away (with `--linger` some time after that). Exit status 2: an option or a key file is wrong;
 * 4: the port or the folder cannot be used.
 */
async function main(argv: readonly string[]): Promise<void> {
  // Until it listens there is nothing to end in order.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0));
  const options = parseOptions(argv);
  if (!options.ok) {
    end(options.problem);
    return;
  }
  if (options.value === 'help') {
    process.stdout.write(USAGE);
    return;
  }
  await run(options.value);
}

async function run(options: Options): Promise<void> {
  let server: Server | null = null;
  if (process.connected)
    process.once('disconnect', () => {
      if (server === null || options.lingerSeconds === 0) process.exit(0);
      linger(server, options.lingerSeconds);
    });
  const opened = await openEmulator(options, {
    report: (error) => {
      process.stderr.write(`${error instanceof Error ? String(error.stack) : String(error)}\n`);
    },
  });
  if (!opened.ok) {
    end(opened.problem);
    return;
  }
  ({ server } = opened.value);
  process.stdout.write(
    Object.entries(opened.value.addresses)
      .map(([name, value]) => `export ${name}=${value}\n`)
      .join(''),
  );
}

/** Nobody holds a channel any more: ends once nothing was asked for some time. */
function linger(server: Server, seconds: number): void {
  // Whoever read what it says is gone.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const timer = setTimeout(() => process.exit(0), seconds * 1_000);
  server.on('request', () => timer.refresh());
}

/** Says what happened and what to do about it on stderr, and ends. */
function end(found: Problem): void {
  process.stderr.write(`Error: ${found.message}\n  ${found.hint}\n`);
  process.exit(exitStatusOf(found));
}

await main(process.argv.slice(2));
