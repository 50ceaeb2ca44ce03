import type { Problem } from '../../../shared/problem.ts';

/** Whether the account lacks a grant, which can be asked for. Pure. */
export const isMissingGrant = ({ code }: Pick<Problem, 'code'>): boolean =>
  code === 'access.list-refused' || code === 'access.get-refused';

/** A refusal as somebody who looks into a bucket needs it. Pure. */
export function refusalOf({
  code,
  message,
  hint,
}: Pick<Problem, 'code' | 'message' | 'hint'>): Pick<Problem, 'message' | 'hint'> {
  switch (code) {
    case 'access.get-refused':
      return {
        message,
        hint: `A key that puts results into a bucket need not be one that may read them: choose another key above, or ask for more. ${hint}`,
      };
    case 'job.cancelled':
      return { message: 'Called off before an answer came.', hint: '' };
    default:
      return { message, hint };
  }
}
