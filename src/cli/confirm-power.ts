import { isCancel, text } from '@clack/prompts';
import { accessService, type AccessService } from '../main/keys/access-service.ts';
import type { Services } from '../main/services.ts';
import type { PowerMark } from '../shared/ipc/access.ts';
import type { KeyCard, ServiceAccountKey } from '../shared/key.ts';
import {
  administersProblem,
  findingLines,
  LESSER_KEY,
  type KeyPower,
} from '../shared/key-power.ts';
import { fail, ok, type Result } from '../shared/problem.ts';
import { fingerprintOf } from '../google/service-account-file.ts';
import type { Context } from './context.ts';
import { valueOf } from './exit.ts';
import { printable } from './format.ts';

/** In a table: whether a key was found to be an administrator's, and whether somebody said that they know. */
export const powerWord = ({ acceptedAt }: KeyPower): string =>
  acceptedAt === null ? 'administrator, not confirmed' : 'administrator';

/** The mark of a job or notebook that uses administrators' keys, one line for each. Pure. */
export const markLines = (marks: readonly PowerMark[]): readonly string[] =>
  marks.map(
    ({ name, email, power }) =>
      `${printable(name)} (${email}) is an administrator’s key${power.acceptedAt === null ? ', and nobody has confirmed it' : ''}: ${[...new Set(power.findings.map(({ permission }) => permission))].join(', ')}.`,
  );

/** Tells what is found. Whether the account's address was given, or is typed now. Errors: `access.key-administers`. */
async function confirm(
  context: Context,
  about: {
    readonly email: string;
    readonly findings: KeyPower['findings'];
    readonly given: string | undefined;
    /** What to run where nobody can be asked. */
    readonly command: string;
  },
): Promise<Result<void>> {
  const { email, findings, given, command } = about;
  const same = (typed: string): boolean => typed.trim().toLowerCase() === email.toLowerCase();
  const { output } = context;
  const tell = (): void => {
    output.warn('This is an administrator’s key. Whoever gets hold of it can do this:');
    for (const line of findingLines(findings)) output.note(`  - ${printable(line)}`);
    output.note(`  ${LESSER_KEY}`);
  };
  if (given !== undefined && same(given)) {
    tell();
    return ok();
  }
  const refused = administersProblem(
    email,
    findings,
    `${LESSER_KEY}\nTo go on all the same: ${command} --accept-admin ${email}`,
  );
  if (given !== undefined)
    return fail({
      ...refused,
      message: `${refused.message}\n"${given}" is not the address of its account.`,
    });
  if (!context.interactive) return fail(refused);
  tell();
  const typed = await text({
    message: `To go on, type the address of its account (${email}):`,
    output: process.stderr,
  });
  if (isCancel(typed) || !same(typed))
    return fail({
      ...refused,
      message: 'The address of the account was not typed: nothing was changed.',
    });
  return ok();
}

/**
 * Before a key is kept: looks what it can do in its project, where that can be asked. Ends the command (`access.key-administers`) for an
 * administrator's key unless its account's address is given or typed. Returns what takes the finding down once the key is kept.
 */
export async function confirmPower(
  context: Context,
  services: Services,
  key: ServiceAccountKey,
  given: string | undefined,
  command = 'trainyard keys add FILE',
): Promise<(card: KeyCard) => void> {
  const access = accessService(services);
  const fingerprint = fingerprintOf(key);
  // What is there already is refused without asking anybody.
  if (valueOf(await services.keys.list()).some((card) => card.fingerprint === fingerprint))
    return () => undefined;
  const asked = await access.powerOf(key, context.signal);
  const { report } = asked;
  if (report.state === 'not-checked')
    context.output.note(
      'Not checked whether it can administer: offline. `trainyard keys check` asks when there is a network.',
    );
  if (report.state === 'found')
    valueOf(
      await confirm(context, {
        email: key.clientEmail,
        findings: report.findings,
        given,
        command,
      }),
    );
  return (card) => {
    access.note(card, asked);
    if (report.state === 'found') access.accept(card.id);
  };
}

/** The same for a kept key: what was found stays marked, and asked about until somebody typed the address. */
export async function confirmKept(
  context: Context,
  services: Services,
  card: KeyCard,
  given: string | undefined,
): Promise<KeyPower | null> {
  const access = accessService(services);
  await access.powerOfKept(card, context.signal);
  const power = access.known(card.id);
  if (power === null) return null;
  if (power.acceptedAt === null) valueOf(await confirmOnce(context, access, card, given));
  else
    context.output.warn(
      `${card.name} is an administrator’s key: ${power.findings.map(({ permission, on }) => `${permission} on ${on}`).join(', ')}.`,
    );
  return access.known(card.id);
}

/** Asks about what was found of a kept key before, unless somebody confirmed it already. No network. Errors: `access.key-administers`. */
export async function confirmOnce(
  context: Context,
  access: AccessService,
  card: KeyCard,
  given: string | undefined,
): Promise<Result<void>> {
  const power = access.known(card.id);
  if (power === null || power.acceptedAt !== null) return ok();
  const confirmed = await confirm(context, {
    email: card.email,
    findings: power.findings,
    given,
    command: `trainyard keys check ${card.name}`,
  });
  if (confirmed.ok) access.accept(card.id);
  return confirmed;
}
