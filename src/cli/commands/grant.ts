import { Option, type Command } from 'commander';
import { writeGrants } from '../../google/grant/words.ts';
import {
  GRANT_FORMS,
  GRANT_VARIANTS,
  VARIANT_WORDS,
  type GrantForm,
  type GrantVariant,
} from '../../shared/grant.ts';
import { withoutEdges } from '../../shared/read-address.ts';
import type { Run } from '../context.ts';
import { valueOf } from '../exit.ts';

interface GrantOptions {
  readonly input?: string;
  readonly output?: string;
  readonly account: string;
  readonly as: GrantForm;
  readonly variant: GrantVariant;
  readonly project?: string;
  readonly json?: boolean;
}

/** `trainyard grant`: the least grants for these addresses, as text. Opens no home, reads no key, asks nobody. */
export function registerGrant(program: Command, run: Run): void {
  program
    .command('grant')
    .description('write down the least that an account must be granted for a job')
    .option('-i, --input <address>', 'what it is to read, for example gs://bucket/data/')
    .option('-o, --output <address>', 'where it is to create, for example gs://bucket/results/')
    .requiredOption('-a, --account <email>', 'the e-mail address of the service account')
    .addOption(
      new Option('--as <form>', 'a script for gcloud, Terraform, steps, or a message')
        .choices([...GRANT_FORMS])
        .default('message' satisfies GrantForm),
    )
    .addOption(
      new Option('--variant <variant>', 'how listing is allowed')
        .choices([...GRANT_VARIANTS])
        .default('custom-role' satisfies GrantVariant),
    )
    .option('--project <id>', 'the project that owns the input’s bucket')
    .option('--json', 'print the grants as data, with the text')
    .addHelpText(
      'after',
      `\nVariants:\n${GRANT_VARIANTS.map((variant) => `  ${variant.padEnd(15)} ${VARIANT_WORDS[variant].when}`).join('\n')}`,
    )
    .action((options: GrantOptions) =>
      run(options, async ({ output }) => {
        const { plan, text } = valueOf(
          writeGrants(
            {
              input: options.input === undefined ? null : withoutEdges(options.input),
              output: options.output === undefined ? null : withoutEdges(options.output),
              account: options.account,
              variant: options.variant,
              project: options.project ?? null,
            },
            options.as,
          ),
        );
        if (options.json === true) output.json({ ...plan, as: options.as, text });
        else output.line(text.trimEnd());
        return 0;
      }),
    );
}
