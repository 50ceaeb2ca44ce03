import type { Account, KeyCard } from '../../shared/key.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';

/**
 * The key that serves an account of a plan: the one that the plan names, also where another was put in its place; else the same key added
 * again; else a key of the same account that was given the name of the one that is gone. Another key of the account is never taken unasked.
 * Null: none. Pure.
 */
export function findKeyOfAccount(cards: readonly KeyCard[], account: Account): KeyCard | null {
  const ofAccount = cards.filter(({ email }) => email === account.email);
  return (
    cards.find(({ id }) => id === account.keyId) ??
    ofAccount.find(({ privateKeyId }) => privateKeyId === account.privateKeyId) ??
    ofAccount.find(({ name }) => name === account.name) ??
    null
  );
}

/** {@link findKeyOfAccount} for a run. Errors: `access.key-removed`; `access.key-named-otherwise` where another key of the account is there. */
export function keyOfAccount(
  cards: readonly KeyCard[],
  account: Account,
  runId: string,
): Result<KeyCard> {
  const found = findKeyOfAccount(cards, account);
  if (found !== null) return ok(found);
  const { name, email } = account;
  const gone = `The key "${name}" (${email}), which the job uses, is not there any more`;
  const [other, ...more] = cards.filter((card) => card.email === email);
  if (other === undefined)
    return fail(
      problem({
        code: 'access.key-removed',
        op: 'get access for the job',
        subject: name,
        message: `${gone}.`,
        hint: `Add a key of this account again, under that name: trainyard keys add FILE --name ${name}. Then: trainyard retry ${runId}.`,
      }),
    );
  const others = [other, ...more].map((card) => `"${card.name}"`).join(', ');
  return fail(
    problem({
      code: 'access.key-named-otherwise',
      op: 'get access for the job',
      subject: name,
      message: `${gone}. Of the same account ${more.length === 0 ? 'is' : 'are'} ${others}, which nobody said to use instead.`,
      hint: `To let the job go on with it, give it the name: trainyard keys rename ${other.name} ${name}. Then: trainyard retry ${runId}.`,
    }),
  );
}
