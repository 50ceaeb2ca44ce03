import type { PowerMark } from '../../shared/ipc/access.ts';
import type { Account } from '../../shared/key.ts';
import type { RunPlan } from '../../shared/plan.ts';
import type { KeyPower } from '../../shared/key-power.ts';
import type { AccessService } from '../keys/access-service.ts';
import { tokensNeeded } from './make-plan.ts';
import type { JobService } from './service.ts';

/** Every account that a plan names. Pure. */
export function accountsOf(plan: RunPlan): readonly Account[] {
  const accounts = tokensNeeded(plan).map(({ account }) => account);
  if (plan.kind !== 'transfer') accounts.push(...plan.workerKeys.map(({ account }) => account));
  return [...new Map(accounts.map((account) => [account.keyId, account])).values()];
}

/** The keys of a job that were found to be administrators': the standing mark of the job. A plan that cannot be read marks nothing. */
export async function powerMarks(
  jobs: Pick<JobService, 'plan'>,
  access: Pick<AccessService, 'known'>,
  id: string,
): Promise<readonly PowerMark[]> {
  const plan = await jobs.plan(id);
  return plan.ok ? marksOf(plan.value, access) : [];
}

/** Plans that are read at a time. */
const AT_ONCE = 32;

/**
 * The administrators' keys of each job, by its id. Where no key is known to be one, no plan is read: it would be most of the time
 * that a list of ten thousand jobs takes.
 */
export async function marksOfAll(
  jobs: Pick<JobService, 'plan'>,
  access: Pick<AccessService, 'known' | 'knowsAny'>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly PowerMark[]>> {
  const marks = new Map<string, readonly PowerMark[]>();
  if (!access.knowsAny()) return marks;
  const read = new Map<string, KeyPower | null>();
  const known = (id: string): KeyPower | null => {
    const power = read.has(id) ? (read.get(id) ?? null) : access.known(id);
    read.set(id, power);
    return power;
  };
  for (let from = 0; from < ids.length; from += AT_ONCE)
    await Promise.all(
      ids.slice(from, from + AT_ONCE).map(async (id) => {
        marks.set(id, await powerMarks(jobs, { known }, id));
      }),
    );
  return marks;
}

/** The same for a plan in hand. */
export function marksOf(plan: RunPlan, access: Pick<AccessService, 'known'>): readonly PowerMark[] {
  return accountsOf(plan).flatMap(({ keyId, name, email }) => {
    const power = access.known(keyId);
    return power === null ? [] : [{ name, email, power }];
  });
}
