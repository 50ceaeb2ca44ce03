import { OBJECT_PERMISSIONS } from '../../google/check-access.ts';
import { testBucketPermissions } from '../../google/permissions.ts';
import type { GrantedToken } from '../../shared/agent-protocol.ts';
import type { Account } from '../../shared/key.ts';
import { moreThanNeeded, type BucketUse } from '../../shared/more-than-needed.ts';
import type { JobPlan } from '../../shared/plan.ts';
import { ok } from '../../shared/problem.ts';

/** For all buckets, which are asked at the same time. Milliseconds. */
const ASK_TIME = 3_000;

/** What a job does in one bucket with one key. */
interface AccountInBucket {
  readonly account: Account;
  readonly bucket: string;
  readonly uses: readonly BucketUse[];
}

/** Every bucket that a plan names a key for, with all that the job does there with it. Pure. */
export function bucketsOf(plan: JobPlan): readonly AccountInBucket[] {
  const { code, input, output } = plan;
  const each: AccountInBucket[] = [];
  const use = (account: Account | null, bucket: string, does: BucketUse): void => {
    if (account === null) return;
    const known = each.findIndex(
      (one) => one.account.keyId === account.keyId && one.bucket === bucket,
    );
    const uses = [...(each[known]?.uses ?? []), does];
    if (known < 0) each.push({ account, bucket, uses });
    else each[known] = { account, bucket, uses };
  };
  for (const from of [code, input])
    if (from?.kind === 'gcs') {
      const { target, bucket, account } = from;
      const path = target.kind === 'folder' ? target.prefix : target.object;
      use(account, bucket, { for: 'input', path });
    }
  if (output !== null) use(output.account, output.bucket, { for: 'output', path: output.prefix });
  return each;
}

/**
 * What the keys of a job can do in its buckets beyond all that it does there, one sentence each, asked with the tokens that were minted for it.
 * A quiet note: what cannot be asked is left out, and so are keys of `but`, of which more is told elsewhere.
 */
export async function moreThanJobNeeds(
  plan: JobPlan,
  granted: readonly GrantedToken[],
  but: (account: Account) => boolean,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const told = bucketsOf(plan).map(async ({ account, bucket, uses }) => {
    const token = granted.find(
      ({ keyId, purpose }) => keyId === account.keyId && purpose !== 'worker',
    )?.access;
    if (token === undefined || but(account)) return [];
    const answer = await testBucketPermissions({
      endpoints: plan.endpoints,
      tokens: { email: account.email, token: () => Promise.resolve(ok(token)) },
      signal,
      deadlineMs: ASK_TIME,
      bucket,
      permissions: OBJECT_PERMISSIONS,
    });
    return answer.ok
      ? moreThanNeeded(uses, answer.value.held).map((line) =>
          line.replace(/^It /, `In gs://${bucket} the key ${account.name} `),
        )
      : [];
  });
  return (await Promise.all(told)).flat();
}
