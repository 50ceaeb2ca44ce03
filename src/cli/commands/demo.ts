import type { Command } from 'commander';
import type { Run } from '../context.ts';

/** `trainyard demo [--keep]`. */
export function registerDemo(program: Command, run: Run): void {
  program
    .command('demo')
    .description('run the main job on an embedded Google, with a home and vault of its own')
    .option('--keep', 'keep everything to look at, and print where it is')
    .action((options: { readonly keep?: boolean }) =>
      run({}, async (context) => {
        const { runDemo } = await import('../demo/demo.ts');
        return runDemo(context, options.keep === true);
      }),
    );
}
