import type { TokenSource } from '../google/access-token.ts';
import type { Services } from '../main/services.ts';
import type { AccessPurpose } from '../shared/key.ts';
import { fail, type Result } from '../shared/problem.ts';
import { usageProblem, valueOf } from './exit.ts';

/** What `--key N` and `--no-key` came to: commander makes `--no-key` false, and leaves it out when neither was given. */
export type KeyOption = string | boolean | undefined;

/** The tokens of the key named, or null for no credential. */
export async function tokensOf(
  services: Services,
  key: KeyOption,
  purpose: AccessPurpose,
): Promise<TokenSource | null> {
  if (typeof key !== 'string') return null;
  const card = valueOf(await services.keys.find(key));
  return valueOf(await services.keys.tokenSource(card, purpose));
}

/**
 * Refuses where it cannot be told whether a credential is meant: neither `--key` nor `--no-key` was given, and there are keys.
 * With no key in the vault nothing else than no credential can be meant. Errors: `input.usage`.
 */
export async function credentialChosen(services: Services, key: KeyOption): Promise<Result<void>> {
  if (typeof key === 'string' || key === false) return { ok: true, value: undefined };
  const cards = valueOf(await services.keys.list());
  if (cards.length === 0) return { ok: true, value: undefined };
  return fail(
    usageProblem(
      'It is not said which key to use.',
      `Give --key NAME (you have ${cards.map((card) => card.name).join(', ')}), or --no-key to send no credential.`,
    ),
  );
}
