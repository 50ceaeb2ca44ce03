import { basename, extname } from 'node:path';
import type { KeyCard } from '../../shared/key.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';

const NAME = /^[\p{L}\p{N}][\p{L}\p{N}._@-]{0,62}$/u;

/** Checks a name that the user gives to a key. Errors: `input.key-name`. */
export function checkKeyName(name: string): Result<string> {
  if (NAME.test(name)) return ok(name);
  return fail(
    problem({
      code: 'input.key-name',
      op: 'name the key',
      subject: name,
      message: `"${name}" cannot be the name of a key.`,
      hint: 'A name has 1 to 63 letters, digits, ".", "_", "@" and "-", and begins with a letter or digit.',
    }),
  );
}

/** `renaming`: the name is meant for a key that is there already. */
export function nameTaken(name: string, by: KeyCard | undefined, renaming = false): Result<never> {
  return fail(
    problem({
      code: 'input.key-name-taken',
      op: 'name the key',
      subject: name,
      message: `There is a key named "${name}" already${by === undefined ? '' : ` (${by.email})`}.`,
      hint: renaming
        ? 'Choose another name, or give that key another one first: trainyard keys rename.'
        : 'Give another name with --name, or rename that one: trainyard keys rename.',
    }),
  );
}

/** A name nobody has: what stands before the `@`, else the file's name, else the first with a number. Pure. */
export function freeKeyName(email: string, path: string, taken: ReadonlySet<string>): string {
  const local = tidy(email.split('@')[0] ?? '');
  const file = tidy(basename(path, extname(path)));
  for (const name of [local, file]) if (name !== '' && !taken.has(name)) return name;
  const base = local === '' ? 'key' : local.slice(0, 55);
  for (let number = 2; ; number += 1)
    if (!taken.has(`${base}-${number}`)) return `${base}-${number}`;
}

function tidy(text: string): string {
  const name = text
    .replaceAll(/[^\p{L}\p{N}._@-]+/gu, '-')
    .replace(/^[._@-]+/, '')
    .slice(0, 63);
  return NAME.test(name) ? name : '';
}

/** Finds a key by name, id or e-mail address. Errors: `input.key-unknown`, `input.key-ambiguous`. Pure. */
export function findKey(cards: readonly KeyCard[], wanted: string): Result<KeyCard> {
  const exact = cards.find(({ name }) => name === wanted) ?? cards.find(({ id }) => id === wanted);
  if (exact !== undefined) return ok(exact);
  const byEmail = cards.filter(({ email }) => email === wanted);
  const [only] = byEmail;
  if (only !== undefined && byEmail.length === 1) return ok(only);
  if (byEmail.length > 1)
    return fail(
      problem({
        code: 'input.key-ambiguous',
        op: 'find the key',
        subject: wanted,
        message: `${byEmail.length} keys belong to ${wanted}.`,
        hint: `Give the name of one of them: ${byEmail.map(({ name }) => name).join(', ')}.`,
      }),
    );
  return fail(
    problem({
      code: 'input.key-unknown',
      op: 'find the key',
      subject: wanted,
      message: `There is no key "${wanted}".`,
      hint:
        cards.length === 0
          ? 'Add one first: trainyard keys add FILE.'
          : `These are there: ${cards.map(({ name }) => name).join(', ')}. Add another with trainyard keys add FILE.`,
    }),
  );
}
