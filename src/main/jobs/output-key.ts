import type { KeyService } from '../keys/service.ts';
import { findKeyOfAccount } from './key-of-account.ts';
import type { JobService } from './service.ts';

/**
 * The key through which a run's output can be looked at: the id of the one that serves its account, the name that the plan has where there
 * is none any more; null where it went there without a key, or the plan cannot be read.
 */
export async function outputKey(
  {
    jobs,
    keys,
  }: { readonly jobs: Pick<JobService, 'plan'>; readonly keys: Pick<KeyService, 'list'> },
  id: string,
): Promise<string | null> {
  const plan = await jobs.plan(id);
  if (!plan.ok) return null;
  const account =
    plan.value.kind === 'transfer' ? plan.value.account : (plan.value.output?.account ?? null);
  if (account === null) return null;
  const cards = await keys.list();
  return (cards.ok ? findKeyOfAccount(cards.value, account)?.id : undefined) ?? account.name;
}
