import { agentUses, type AgentUse } from '../../google/agent-boundary.ts';
import type { StorageAccess } from '../../google/client.ts';
import { getObject, listPage } from '../../google/listing.ts';
import { tryCreate } from '../../google/try-create.ts';
import type { GrantedToken } from '../../shared/agent-protocol.ts';
import type { AccessPurpose, AccessToken, Account } from '../../shared/key.ts';
import type { JobPlan, RunPlan } from '../../shared/plan.ts';
import { areaOf, ok, problem, type Problem, type Result } from '../../shared/problem.ts';

/** For each of the buckets. Milliseconds. */
const TRY_TIME = 5_000;

/** Asks as the run would, and leaves nothing in the bucket. */
function attempt(use: AgentUse, access: StorageAccess): Promise<Result<unknown>> {
  const { bucket, does, target } = use;
  if (target.kind !== 'folder') return getObject({ ...access, bucket, name: target.object });
  const { prefix } = target;
  return does === 'write'
    ? tryCreate({ ...access, bucket, prefix })
    : listPage({ ...access, bucket, prefix, delimiter: false, pageSize: 1 });
}

const accessWith = (
  plan: RunPlan,
  email: string,
  token: AccessToken,
  signal: AbortSignal,
): StorageAccess => ({
  endpoints: plan.endpoints,
  tokens: { email, token: () => Promise.resolve(ok(token)) },
  signal,
  deadlineMs: TRY_TIME,
});

const isRefused = (answer: Result<unknown>): boolean =>
  !answer.ok && areaOf(answer.problem) === 'access';

/**
 * The buckets that refuse a narrowed token of the agent's for what the account itself may do there: those without uniform bucket-level access do,
 * though the exchange succeeded. What could not be told is taken to work. Each once.
 */
export async function refuseNarrowed(
  plan: RunPlan,
  account: Account,
  purpose: AccessPurpose,
  tokens: { readonly narrowed: AccessToken; readonly whole: AccessToken },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { email, keyId } = account;
  const refused = agentUses(plan, keyId, purpose).map(async (use) => {
    // Twice: a refusal that passes is no reason to hand out more, now and for all renewals.
    for (let asked = 0; asked < 2; asked += 1) {
      const narrowed = await attempt(use, accessWith(plan, email, tokens.narrowed, signal));
      if (!isRefused(narrowed)) return [];
    }
    const whole = await attempt(use, accessWith(plan, email, tokens.whole, signal));
    return whole.ok ? [use.bucket] : [];
  });
  return [...new Set((await Promise.all(refused)).flat())];
}

/**
 * What to tell before a job starts whose workers get narrowed tokens that its buckets refuse. Asks as a worker would, and leaves nothing in the
 * bucket. Empty where they work, where the plan grants none, and where it could not be told.
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
  const access = accessWith(plan, email, token, signal);
  const { input, output } = plan;
  const uses: { readonly use: AgentUse; readonly what: string }[] = [];
  if (input?.kind === 'gcs') {
    const { bucket, target } = input;
    uses.push({ use: { bucket, does: 'read', target }, what: 'read the input' });
  }
  if (output !== null) {
    const { bucket, prefix } = output;
    const target = { kind: 'folder' as const, prefix };
    uses.push({ use: { bucket, does: 'write', target }, what: 'write below the output' });
  }
  const tried = uses.map(async ({ use, what }) => ({
    use,
    what,
    answer: await attempt(use, access),
  }));
  return (await Promise.all(tried)).flatMap(({ use: { bucket }, what, answer }) =>
    isRefused(answer)
      ? [
          problem({
            code: 'access.narrowed-refused',
            op: 'try the access of the workers',
            subject: `gs://${bucket}`,
            message: `The workers will not be able to ${what} themselves: gs://${bucket} refuses the narrowed tokens of ${email}.`,
            hint: 'Narrowed tokens need uniform bucket-level access, and reach no further than the account: ask the owner of the bucket to turn it on and for the grant, or hand the key over in mode account-token or key-file.',
          }),
        ]
      : [],
  );
}
