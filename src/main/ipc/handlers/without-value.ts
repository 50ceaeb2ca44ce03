import { ok, type Result } from '../../../shared/problem.ts';

/** Whatever a service answers with besides success stays in the main process. */
export function withoutValue(result: Result<unknown>): Result<undefined> {
  return result.ok ? ok(undefined) : result;
}
