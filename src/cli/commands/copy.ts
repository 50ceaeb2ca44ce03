import { Option, type Command } from 'commander';
import type { Run } from '../context.ts';
import type { CopyOptions } from '../copy/copy.ts';
import { withKeyOptions } from '../credential.ts';

/** `trainyard cp SRC DST`: between a bucket and this machine. The transfer engine is loaded where it is asked for: most commands need none of it. */
export function registerCopy(program: Command, run: Run): void {
  withKeyOptions(
    program
      .command('cp <source> <target>')
      .description('copy between a bucket and this machine, for example gs://bucket/data ./data'),
  )
    .option(
      '--keep-compressed',
      'leave objects that are stored packed (Content-Encoding: gzip) packed; without it they are unpacked',
    )
    // As `gcloud storage cp` calls it.
    .addOption(new Option('--do-not-decompress').hideHelp().implies({ keepCompressed: true }))
    .option('--json', 'print the report as JSON')
    .action((source: string, target: string, options: CopyOptions) =>
      run(options, async (context) => {
        const { runCopy } = await import('../copy/copy.ts');
        return runCopy(context, source, target, options);
      }),
    );
}
