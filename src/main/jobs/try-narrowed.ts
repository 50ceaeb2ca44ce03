import { getObject, listPage } from '../../google/listing.ts';
import { tryCreate } from '../../google/try-create.ts';
import type { GrantedToken } from '../../shared/agent-protocol.ts';
import type { JobPlan } from '../../shared/plan.ts';
import { areaOf, ok, problem, type Problem, type Result } from '../../shared/problem.ts';

/** For each of the buckets. Milliseconds. */
const TRY_TIME = 5_000;

/**
 * What to tell before a job starts whose workers get narrowed tokens that its buckets refuse: those without uniform bucket-level access do,
 * though the exchange succeeded. Asks as a worker would, and leaves nothing in the bucket. Empty where they work, where the plan grants none, and
 * where it could not be told.
 */
export async function tryNarrowed(
  plan: JobPlan,
  granted: readonly GrantedToken[],
  signal: AbortSignal,
): Promise<readonly Problem[]> {
  const choice = plan.workerKeys[0];
  const token = granted.find(({ purpose }) => purpose === 'worker')?.access;
  if (choice?.mode !== 'token' || token === undefined) return [];
  const { email } = choice.account;
  const access = {
    endpoints: plan.endpoints,
    tokens: { email, token: () => Promise.resolve(ok(token)) },
    signal,
    deadlineMs: TRY_TIME,
  };
  const { input, output } = plan;
  const tried: Promise<{
    readonly bucket: string;
    readonly what: string;
    readonly answer: Result<unknown>;
  }>[] = [];
  if (input?.kind === 'gcs') {
    const { bucket, target } = input;
    const answer: Promise<Result<unknown>> =
      target.kind === 'folder'
        ? listPage({ ...access, bucket, prefix: target.prefix, delimiter: false, pageSize: 1 })
        : getObject({ ...access, bucket, name: target.object });
    tried.push(answer.then((value) => ({ bucket, what: 'read the input', answer: value })));
  }
  if (output !== null) {
    const { bucket, prefix } = output;
    tried.push(
      tryCreate({ ...access, bucket, prefix }).then((answer) => ({
        bucket,
        what: 'write below the output',
        answer,
      })),
    );
  }
  return (await Promise.all(tried)).flatMap(({ bucket, what, answer }) =>
    answer.ok || areaOf(answer.problem) !== 'access'
      ? []
      : [
          problem({
            code: 'access.narrowed-refused',
            op: 'try the access of the workers',
            subject: `gs://${bucket}`,
            message: `The workers will not be able to ${what} themselves: gs://${bucket} refuses the narrowed tokens of ${email}.`,
            hint: 'Narrowed tokens need uniform bucket-level access, and reach no further than the account: ask the owner of the bucket to turn it on and for the grant, or hand the key over in mode account-token or key-file.',
          }),
        ],
  );
}
