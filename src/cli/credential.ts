import type { Command } from 'commander';
import type { TokenSource } from '../google/access-token.ts';
import type { Services } from '../main/services.ts';
import type { AccessPurpose } from '../shared/key.ts';
import { fail, ok, type Result } from '../shared/problem.ts';
import { usageProblem, valueOf } from './exit.ts';
import type { Output } from './output.ts';

/** What `--key N` and `--no-key` came to: commander makes `--no-key` false, and leaves it out when neither was given. */
export type KeyOption = string | boolean | undefined;

/** Adds `--key N` and `--no-key`, of which one may be given. */
export function withKeyOptions(command: Command): Command {
  const given = new Set<string>();
  for (const name of ['key', 'no-key'])
    command.on(`option:${name}`, () => {
      given.add(name);
      if (given.size > 1) command.error("error: option '--key' does not go with '--no-key'");
    });
  return command
    .option('-k, --key <name>', 'the key to use; by default the only one in the vault')
    .option('--no-key', 'send no credential');
}

/** The tokens of a key by its name for `trainyard cp`, or null for no credential. */
export async function tokensOf(
  services: Services,
  key: string | null,
  purpose: AccessPurpose,
): Promise<TokenSource | null> {
  if (key === null) return null;
  const card = valueOf(await services.keys.find(key));
  return valueOf(await services.keys.tokenSource(card, purpose, 'copy'));
}

/**
 * The name of the key that is meant; null: no credential is sent. Where neither `--key` nor `--no-key` was given it is the only key of the
 * vault, which is said; without any key nothing else than no credential can be meant. Errors: `input.usage` where there are several.
 */
export async function chooseKey(
  services: Services,
  option: KeyOption,
  output: Output,
): Promise<Result<string | null>> {
  if (typeof option === 'string') return ok(option);
  if (option === false) return ok(null);
  const cards = valueOf(await services.keys.list());
  const [only] = cards;
  if (only === undefined) return ok(null);
  if (cards.length === 1) {
    output.note(`With the key ${only.name}.`);
    return ok(only.name);
  }
  return fail(
    usageProblem(
      'It is not said which key to use.',
      `Give --key NAME (you have ${cards.map((card) => card.name).join(', ')}), or --no-key to send no credential.`,
    ),
  );
}
