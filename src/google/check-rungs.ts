import type { AccessUse, Rung, RungGrant, RungName, RungState } from '../shared/access-check.ts';
import { areaOf, isOffline, type Problem } from '../shared/problem.ts';
import { grantFor, type GrantPart } from './grant/ask.ts';
import type { WantedInput } from './grant/wish.ts';

/** The steps of the ladder as words and states: pure, no request is made here. */

type GrantRequest = Parameters<typeof grantFor>[1];

/** A step that passed. */
export const pass = (name: RungName, message: string, hint = ''): Rung => ({
  name,
  state: 'pass',
  message,
  hint,
  code: null,
  grant: null,
});
/** A step in any state. */
export const rung = (
  name: RungName,
  state: RungState,
  message: string,
  about: { readonly hint?: string; readonly code?: string; readonly grant?: RungGrant | null } = {},
): Rung => ({
  name,
  state,
  message,
  hint: about.hint ?? '',
  code: about.code ?? null,
  grant: about.grant ?? null,
});

/** Why a step was not taken: no network, an earlier one that failed, or one that could not tell. */
export type NotChecked = 'offline' | 'failed' | 'unclear';

const WHY: Readonly<Record<NotChecked, string>> = {
  offline: 'Not checked: offline.',
  failed: 'Not checked: an earlier step failed.',
  unclear: 'Not checked: an earlier step could not tell.',
};

/** Why nothing more was asked. */
export const notChecked = (name: RungName, why: NotChecked): Rung =>
  rung(name, 'not-checked', WHY[why]);

/** Nobody answered. */
export const offline = (name: RungName, problem: Problem): Rung =>
  rung(name, 'not-checked', `Not checked: offline. ${problem.message}`, {
    hint: problem.hint,
    code: problem.code,
  });

/** Somebody answered, and the answer decides nothing. */
export const unclear = (name: RungName, { message, hint, code }: Problem): Rung =>
  rung(name, 'could-not-tell', message, { hint, code });

export const failed = (name: RungName, { message, hint, code }: Problem): Rung =>
  rung(name, 'fail', message, { hint, code });

/** What the steps come to, taken together. */
export function verdictOf(rungs: readonly Rung[]): 'pass' | 'fail' | 'could-not-tell' {
  if (rungs.some(({ state }) => state === 'fail')) return 'fail';
  return rungs.some(({ name, state }) => name !== 'permissions' && state === 'could-not-tell')
    ? 'could-not-tell'
    : 'pass';
}

/** What an address is taken for. */
export function addressWords(use: AccessUse, { kind, prefix }: WantedInput): string {
  if (use === 'output') return 'is where new objects are to be created';
  if (kind === 'archive') return 'is one archive';
  if (kind === 'either') return 'is a folder or one object';
  return prefix === '' ? 'is a whole bucket' : 'is everything below it';
}

/** A refusal, in words that cover both: it is missing, or nobody may know. */
export function refused(name: RungName, problem: Problem, grant: RungGrant | null): Rung {
  const hint =
    grant === null
      ? problem.hint
      : problem.code === 'input.bucket-not-found'
        ? `Check the name for a typing mistake. Where it is right: ${grant.sentence}`
        : grant.sentence;
  return rung(name, 'fail', problem.message, { hint, code: problem.code, grant });
}

/** Only refusals that a grant ends name one; the others (billing, a policy of the organisation) have advice of their own. */
export const GRANTABLE =
  /^(access\.(list|get|create|delete|request|storage-folders-create)-refused|input\.bucket-not-found|storage\.object-not-found|access\.credential-needed)$/;

/** What is missing by the permission that a refusal names, whichever step met it. */
const LACKING: Readonly<Record<string, GrantPart>> = {
  'access.list-refused': 'list',
  'access.get-refused': 'read',
  'access.create-refused': 'create',
  'access.storage-folders-create-refused': 'folders',
};

/** What a step comes to whose request failed. Pure. */
export function settle(
  name: 'list' | 'read' | 'create',
  request: GrantRequest,
  problem: Problem,
): Rung {
  if (isOffline(problem)) return offline(name, problem);
  if (GRANTABLE.test(problem.code))
    return refused(name, problem, grantFor(LACKING[problem.code] ?? name, request));
  const told = areaOf(problem) !== 'storage' && areaOf(problem) !== 'network';
  return told ? failed(name, problem) : unclear(name, problem);
}
