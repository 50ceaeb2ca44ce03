import { Option, type Command } from 'commander';
import { accessService } from '../../main/keys/access-service.ts';
import {
  ACCESS_USES,
  type AccessReport,
  type AccessUse,
  type RungState,
} from '../../shared/access-check.ts';
import { findingLines } from '../../shared/key-power.ts';
import type { Run } from '../context.ts';
import { confirmOnce } from '../confirm-power.ts';
import { chooseKey, withKeyOptions, type KeyOption } from '../credential.ts';
import { reportProblem, valueOf, type ExitStatus } from '../exit.ts';
import { printable } from '../format.ts';
import type { Output } from '../output.ts';

interface CheckOptions {
  readonly key?: KeyOption;
  readonly for: AccessUse;
  readonly acceptAdmin?: string;
  readonly json?: boolean;
}

/** `trainyard check gs://b/p --key N --for input|output`: what the key can do there, step by step. Leaves nothing in the bucket. */
export function registerCheck(program: Command, run: Run): void {
  withKeyOptions(
    program
      .command('check <address>')
      .description('check, step by step, whether a key can do at an address what a job needs'),
  )
    .addOption(
      new Option('--for <use>', 'what the job does there')
        .choices([...ACCESS_USES])
        .makeOptionMandatory(),
    )
    .option('--accept-admin <email>', 'the key may administer: its account’s address')
    .option('--json', 'print the steps as data')
    .action((address: string, options: CheckOptions) =>
      run(options, async (context) => {
        const { output, signal } = context;
        const services = await context.services();
        const key = valueOf(await chooseKey(services, options.key, output));
        const access = accessService(services);
        const report = valueOf(await access.check({ address, for: options.for, key }, signal));
        if (options.json === true) output.json(report);
        else printReport(output, report);
        const status = statusOf(report);
        if (key === null || status === 2 || (status === 4 && options.acceptAdmin === undefined))
          return status;
        const card = valueOf(await services.keys.find(key));
        const power = access.known(card.id);
        if (power?.acceptedAt === null) {
          const confirmed = await confirmOnce(context, access, card, options.acceptAdmin);
          // The one document was printed already.
          if (!confirmed.ok) return reportProblem(output, confirmed.problem, false);
        } else if (report.power.state === 'found' && options.json !== true) {
          output.warn('This is an administrator’s key. Whoever gets hold of it can do this:');
          for (const line of findingLines(report.power.findings))
            output.note(`  - ${printable(line)}`);
        }
        return status;
      }),
    );
}

const WORDS: Readonly<Record<RungState, string>> = {
  pass: 'pass',
  fail: 'fail',
  'could-not-tell': 'could not tell',
  'not-checked': 'not checked',
};
const COLOURS = {
  pass: 'green',
  fail: 'red',
  'could-not-tell': 'yellow',
  'not-checked': 'dim',
} as const satisfies Record<RungState, string>;

const VERDICTS: Readonly<Record<AccessReport['verdict'], string>> = {
  pass: 'The key can do there what the job needs.',
  fail: 'The key cannot do there what the job needs.',
  'could-not-tell': 'Nothing was refused; not everything that decides could be tried.',
  offline: 'Not checked: offline.',
};

function printReport(output: Output, report: AccessReport): void {
  for (const { name, state, message, hint, grant } of report.rungs) {
    const word = output.paint(COLOURS[state], WORDS[state].padEnd(15), output.stdout);
    output.line(`${name.padEnd(12)} ${word} ${printable(message)}`);
    if (hint !== '') output.line(`${' '.repeat(13)}${printable(hint)}`);
    if (grant !== null && grant.command !== '')
      output.line(`${' '.repeat(13)}As a script or a message: ${printable(grant.command)}`);
  }
  output.line();
  output.line(VERDICTS[report.verdict]);
  const { power, more } = report;
  if (power.state !== 'found' && more.length > 0) {
    output.note('The key can do more than this needs:');
    for (const line of more) output.note(`  - ${line}`);
  }
}

/** 0 where what decides passed, 2 for an address that is none, 3 refused, 4 where something that decides could not be told. Pure. */
export function statusOf(report: AccessReport): ExitStatus {
  switch (report.verdict) {
    case 'pass':
      return 0;
    case 'could-not-tell':
    case 'offline':
      return 4;
    case 'fail':
      return report.rungs[0]?.state === 'fail' ? 2 : 3;
  }
}
