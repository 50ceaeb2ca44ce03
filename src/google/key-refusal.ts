import { KEYS_FORBIDDEN, WHERE_KEYS_ARE_MADE } from '../shared/make-a-key.ts';
import { fail, problem, type Problem } from '../shared/problem.ts';

/** How a wrong key file is told: the code, what it is, what to do. Text of the file itself never gets into any of them. */
export interface WrongFile {
  readonly code: `input.key-${string}`;
  readonly message: string;
  readonly hint: string;
}

export const OP_READ_KEY = 'read the key file';

/** What to do instead, wherever the file is some other kind of credential. */
export const MAKE_A_KEY = `${WHERE_KEYS_ARE_MADE}, and give that file. ${KEYS_FORBIDDEN}`;

export function refuseKey(
  wrong: WrongFile,
  fileName: string,
): { readonly ok: false; readonly problem: Problem } {
  return fail(problem({ ...wrong, op: OP_READ_KEY, subject: fileName }));
}
