import type { KeyCard } from '../../shared/key.ts';
import { fail, problem, type Result } from '../../shared/problem.ts';

/** Why a key that is good in itself is not taken in. */

export function alreadyThere(source: string, card: KeyCard): Result<never> {
  return fail(
    problem({
      code: 'input.key-known',
      op: 'add the key',
      subject: source,
      message: `This key is there already, as "${card.name}" (${card.email}, added ${card.addedAt.slice(0, 10)}).`,
      hint: `Use it under that name, or rename it: trainyard keys rename ${card.name} NEW-NAME.`,
    }),
  );
}

export function otherAccount(card: KeyCard, email: string): Result<never> {
  return fail(
    problem({
      code: 'input.key-other-account',
      op: 'replace the key',
      subject: card.name,
      message: `"${card.name}" is a key of ${card.email}; the new one is a key of ${email}.`,
      hint: 'Only a key of the same account can take its place. Add the other as a key of its own.',
    }),
  );
}
