import { Option, type Command } from 'commander';
import type { Run } from '../context.ts';
import { usageProblem, valueOf } from '../exit.ts';
import { fail } from '../../shared/problem.ts';

/** Commands of gsutil, gcloud storage and aws s3 that Trainyard has not, and what does the same here. */
const OTHERS: Readonly<Record<string, readonly [message: string, hint: string]>> = {
  rsync: [
    'Trainyard has no rsync: a copy that is repeated goes on where it stopped and leaves alone what is there already.',
    'Use `trainyard cp gs://bucket/folder ./folder`, either way. Nothing is deleted on the other side.',
  ],
  du: [
    'Trainyard has no du: a listing ends with how many objects and bytes it was.',
    'Use `trainyard ls --recursive gs://bucket/folder/`.',
  ],
  cat: [
    'Trainyard has no cat: objects are copied whole, with their checksum.',
    'Use `trainyard cp gs://bucket/object ./file`, then look at the file.',
  ],
  rm: [
    'Trainyard deletes nothing in a bucket.',
    'Use `gcloud storage rm`, with an account that may.',
  ],
  mv: [
    'Trainyard moves nothing: it would have to delete.',
    'Copy with `trainyard cp`, then remove the original yourself.',
  ],
  stat: [
    'Trainyard has no stat: a listing tells size and time.',
    'Use `trainyard ls gs://bucket/object`, with --json for checksum and generation.',
  ],
  mb: [
    'Trainyard makes no buckets.',
    'Use `gcloud storage buckets create`, or the Google Cloud console.',
  ],
  rb: [
    'Trainyard removes no buckets.',
    'Use `gcloud storage buckets delete`, or the Google Cloud console.',
  ],
};
const ALIASES: Readonly<Record<string, string>> = {
  sync: 'rsync',
  remove: 'rm',
  move: 'mv',
  head: 'cat',
};

/** Says of each such command what does the same here: bad input, exit 2. */
export function registerHabits(program: Command, run: Run): void {
  // `gsutil -m cp`: several transfers at once, which is how every copy is done here.
  program.addOption(new Option('-m', 'several at once').hideHelp());
  for (const name of [...Object.keys(OTHERS), ...Object.keys(ALIASES)]) {
    const said = OTHERS[ALIASES[name] ?? name];
    if (said === undefined) continue;
    program
      .command(`${name} [arguments...]`, { hidden: true })
      .allowUnknownOption()
      .helpOption(false)
      .action((args: readonly string[]) =>
        run({ json: args.includes('--json') }, () =>
          Promise.resolve().then(() => valueOf(fail(usageProblem(said[0], said[1], name)))),
        ),
      );
  }
}

/** Options of other programs' `cp` that ask for what is done anyway: taken, and left out of the help. */
export function copyHabits(command: Command): Command {
  return command
    .addOption(new Option('-r, --recursive', 'a folder is copied whole anyway').hideHelp())
    .addOption(new Option('-R', 'the same').hideHelp())
    .addOption(new Option('-n, --no-clobber', 'nothing is overwritten anyway').hideHelp())
    .addOption(new Option('-m', 'several at once anyway').hideHelp());
}

/** What was asked for by habit, in one sentence; null for nothing. Pure. */
export function habitWords(options: Readonly<Record<string, unknown>>): string | null {
  const said = [
    ...(options['recursive'] === true || options['R'] === true
      ? ['-r is not needed: a folder is always copied whole, its contents below the target']
      : []),
    ...(options['clobber'] === false
      ? ['-n is not needed: nothing that exists is ever overwritten']
      : []),
    ...(options['m'] === true ? ['-m is not needed: many objects are copied at once'] : []),
  ];
  return said.length === 0 ? null : `${said.join('; ')}.`;
}
