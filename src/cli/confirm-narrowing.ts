import { confirm, isCancel } from '@clack/prompts';
import type { SubmitOptions } from '../main/jobs/submit.ts';
import type { Context } from './context.ts';

/** The option of commands that start a run. */
export const ACCEPT_WHOLE = '--accept-whole-account';
export const ACCEPT_WHOLE_TEXT = 'start without asking where access cannot be narrowed to the job';

export interface WholeOption {
  readonly acceptWholeAccount?: boolean;
  readonly json?: boolean;
}

/**
 * What a start does where a bucket or a policy does not let its access be narrowed, after the warning has said so: it asks whoever sits at the
 * terminal, once for each key and bucket; where nobody can be asked it goes on.
 */
export function askNotNarrowed(
  context: Pick<Context, 'interactive' | 'output'>,
  options: WholeOption,
): Pick<SubmitOptions, 'onNotNarrowed'> {
  if (options.acceptWholeAccount === true) return { onNotNarrowed: () => Promise.resolve(true) };
  if (!context.interactive || options.json === true) return {};
  return {
    async onNotNarrowed() {
      context.output.endLive();
      const answer = await confirm({
        message: 'Start it all the same? You are asked once for each key and bucket.',
        initialValue: true,
        output: process.stderr,
      });
      return !isCancel(answer) && answer;
    },
  };
}
