import type { Services } from '../main/services.ts';
import { fail, ok, problem, type Result } from '../shared/problem.ts';

/**
 * The one job that a user means: its id, the beginning of it, or `latest`. Ids sort by time.
 * Errors: `input.no-such-job`, `input.job-ambiguous`.
 */
export async function findJobId(services: Services, text: string): Promise<Result<string>> {
  const ids = (await services.jobs.list()).map((job) => job.id).sort();
  return chooseJobId(ids, text);
}

/** {@link findJobId}, as a pure function of the sorted ids. */
export function chooseJobId(ids: readonly string[], text: string): Result<string> {
  const refuse = (
    code: 'input.no-such-job' | 'input.job-ambiguous',
    message: string,
    hint: string,
  ) => fail(problem({ code, op: 'find the job', subject: text, message, hint }));
  if (text === 'latest') {
    const last = ids.at(-1);
    return last === undefined
      ? refuse(
          'input.no-such-job',
          'There are no jobs yet.',
          'Start one with `trainyard run JOB.yaml`.',
        )
      : ok(last);
  }
  const matching = text === '' ? [] : ids.filter((id) => id === text || id.startsWith(text));
  const exact =
    matching.find((id) => id === text) ?? (matching.length === 1 ? matching[0] : undefined);
  if (exact !== undefined) return ok(exact);
  if (matching.length > 1)
    return refuse(
      'input.job-ambiguous',
      `${matching.length} jobs have an id that begins with "${text}".`,
      `Give more of it: ${matching.slice(-5).join(', ')}.`,
    );
  return refuse(
    'input.no-such-job',
    `There is no job "${text}".`,
    '`trainyard jobs` lists the jobs; the beginning of an id is enough, and `latest` is the last one submitted.',
  );
}
