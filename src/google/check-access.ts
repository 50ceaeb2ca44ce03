import type { AccessReport, AccessUse, Rung, RungName } from '../shared/access-check.ts';
import { asPrefix, formatGcsAddress, parseGcsAddress } from '../shared/address.ts';
import { moreThanNeeded } from '../shared/more-than-needed.ts';
import { areaOf, isOffline, ok, type Result } from '../shared/problem.ts';
import type { TokenSource } from './access-token.ts';
import {
  addressWords,
  failed,
  notChecked,
  offline,
  pass,
  refused,
  rung,
  settle,
  unclear,
  verdictOf,
  type NotChecked,
} from './check-rungs.ts';
import { tryInput } from './check-input.ts';
import type { StorageAccess } from './client.ts';
import { grantFor } from './grant/ask.ts';
import { wantedInput, type WantedInput } from './grant/wish.ts';
import { testBucketPermissions } from './permissions.ts';
import { describeSkew, SKEW_TOLERATED_MS } from './token-refusal.ts';
import { tryCreate } from './try-create.ts';

/** How long a rung waits for the network, attempts included. Milliseconds: with the start of a program all is told within five seconds. */
export const RUNG_TIME = 3_000;

/** Where tokens come from, one of which was minted just now. */
export interface MintedSource {
  readonly tokens: TokenSource;
  /** This machine's clock less Google's as the answer had it, milliseconds; null where it had no date. */
  readonly skewMs: number | null;
}

export interface CheckRequest extends Pick<StorageAccess, 'endpoints' | 'signal'> {
  /** As it was typed. */
  readonly address: string;
  readonly for: AccessUse;
  /** A token for the use, by a key: at most {@link RUNG_TIME}. Null: no credential is sent. */
  readonly mint: ((signal: AbortSignal) => Promise<Result<MintedSource>>) | null;
  /** The account of the key, for the grants; null without one. */
  readonly account: string | null;
}

type Ladder = Omit<AccessReport, 'power'>;

/** The rungs that an address and its use may need, after `token`; one object that is there needs no listing. Pure. */
export function rungsFor(use: AccessUse, input: WantedInput): readonly RungName[] {
  if (use === 'output') return ['permissions', 'create'];
  return input.kind === 'archive' ? ['permissions', 'read'] : ['permissions', 'list', 'read'];
}

/**
 * Finds out, step by step, whether a key can do at an address what a job needs. Nothing is left in the bucket. It ends at the first step that
 * nobody answered: the rest is `not-checked`. An answer that decides nothing (a busy server, a page of a proxy) is `could-not-tell`; without a
 * token it ends there, else the next step is tried. The first rung tells bad input; the ladder then has no other.
 */
export async function checkAccess(request: CheckRequest): Promise<Ladder> {
  const { account } = request;
  const about = {
    address: request.address,
    for: request.for,
    account,
    held: [] as string[],
    more: [] as string[],
  };
  const parsed = parseGcsAddress(request.address);
  if (!parsed.ok)
    return {
      ...about,
      verdict: 'fail',
      rungs: [failed('address', parsed.problem)],
    };
  const input = wantedInput(parsed.value);
  const address =
    request.for === 'output'
      ? formatGcsAddress({ ...parsed.value, path: asPrefix(parsed.value.path) })
      : formatGcsAddress(parsed.value);
  const rungs: Rung[] = [pass('address', `${address} ${addressWords(request.for, input)}.`)];
  const rest = rungsFor(request.for, input);
  const end = (why: NotChecked): Ladder => {
    const names = ['token' as const, ...rest].filter(
      (name) => !rungs.some((done) => done.name === name),
    );
    const all = [...rungs, ...names.map((name) => notChecked(name, why))];
    return { ...about, verdict: why === 'offline' ? 'offline' : verdictOf(rungs), rungs: all };
  };

  const minted = await takeToken(request);
  rungs.push(minted.rung);
  if (minted.rung.state === 'not-checked') return end('offline');
  if (minted.rung.state === 'fail') return end('failed');
  if (minted.rung.state === 'could-not-tell') return end('unclear');
  const access: StorageAccess = {
    endpoints: request.endpoints,
    signal: request.signal,
    tokens: minted.tokens,
    deadlineMs: RUNG_TIME,
  };

  const permissions = await askPermissions(request, access, input);
  rungs.push(permissions.rung);
  if (permissions.rung.state === 'not-checked') return end('offline');
  if (permissions.rung.state === 'fail') return end('failed');
  const { held } = permissions;

  if (request.for === 'output') {
    const created = await tryTheCreation(
      request,
      access,
      input.bucket,
      asPrefix(parsed.value.path),
    );
    rungs.push(created);
    if (created.state === 'not-checked') return end('offline');
  } else {
    const tried = await tryInput(request, access, input, held);
    rungs.push(...tried);
    if (tried.some(({ state }) => state === 'not-checked')) return end('offline');
  }
  return {
    ...about,
    held: [...held],
    more: [...moreThanNeeded([{ for: request.for, path: parsed.value.path }], held)],
    verdict: verdictOf(rungs),
    rungs,
  };
}

async function takeToken(
  request: CheckRequest,
): Promise<{ readonly rung: Rung; readonly tokens: TokenSource | null }> {
  if (request.mint === null)
    return { rung: pass('token', 'No key was named: no credential is sent.'), tokens: null };
  const minted = await request.mint(request.signal);
  if (minted.ok) return { rung: tokenRung(minted.value), tokens: minted.value.tokens };
  const { problem } = minted;
  return {
    rung: isOffline(problem)
      ? offline('token', problem)
      : areaOf(problem) === 'network'
        ? unclear('token', problem)
        : failed('token', problem),
    tokens: null,
  };
}

/** A token was given; what its answer says of this machine's clock is told, and nothing of it where the answer has no date. */
function tokenRung({ tokens, skewMs }: MintedSource): Rung {
  const given = `Google gave ${tokens.email ?? 'the account'} an access token: the key is enabled`;
  if (skewMs === null) return pass('token', `${given}.`);
  return Math.abs(skewMs) <= SKEW_TOLERATED_MS
    ? pass('token', `${given}, the clock is right.`)
    : pass(
        'token',
        `${given}. The clock of this machine is ${describeSkew(skewMs)}.`,
        'Set it right (switch time synchronisation on): Google takes no key from a clock that is off by much.',
      );
}

const PERMISSIONS: Readonly<Record<AccessUse, readonly string[]>> = {
  input: ['storage.objects.list', 'storage.objects.get'],
  output: ['storage.objects.create'],
};
/** The permissions on objects that are asked about, to tell what is more than needed too. */
export const OBJECT_PERMISSIONS: readonly string[] = [
  'storage.objects.list',
  'storage.objects.get',
  'storage.objects.create',
  'storage.objects.update',
  'storage.objects.delete',
];

async function askPermissions(
  request: CheckRequest,
  access: StorageAccess,
  input: WantedInput,
): Promise<{ readonly rung: Rung; readonly held: readonly string[] }> {
  const { bucket } = input;
  const needed = PERMISSIONS[request.for].filter(
    (one) => input.kind !== 'archive' || one !== 'storage.objects.list',
  );
  const answer = await testBucketPermissions({
    ...access,
    bucket,
    permissions: OBJECT_PERMISSIONS,
  });
  const name = 'permissions';
  if (!answer.ok) {
    const { problem } = answer;
    if (isOffline(problem)) return { rung: offline(name, problem), held: [] };
    // Whoever asks needs no permission: only a bucket that is not there, or may not be known, decides.
    if (problem.code === 'input.bucket-not-found')
      return { rung: refused(name, problem, grantFor('all', request)), held: [] };
    return { rung: unclear(name, problem), held: [] };
  }
  const { held } = answer.value;
  const missing = needed.filter((one) => !held.includes(one));
  if (missing.length === 0)
    return {
      rung: pass(name, `Google says: ${needed.join(' and ')} on the whole bucket.`),
      held,
    };
  const has = needed.filter((one) => held.includes(one));
  return {
    rung: rung(
      name,
      'could-not-tell',
      `${has.length === 0 ? '' : `Google says: ${has.join(' and ')} on the whole bucket. `}Of ${missing.join(' and ')} it says nothing: a grant for a folder alone is not seen by this question.`,
    ),
    held,
  };
}

async function tryTheCreation(
  request: CheckRequest,
  access: StorageAccess,
  bucket: string,
  prefix: string,
): Promise<Rung> {
  const tried = await tryCreate({ ...access, bucket, prefix });
  if (!tried.ok) return settle('create', request, tried.problem);
  return pass(
    'create',
    `An upload below gs://${bucket}/${prefix} was begun and cancelled: creating is allowed, and nothing was left there.`,
    tried.value.cancelled
      ? ''
      : 'The cancelling was not answered: the upload lapses by itself within a week, without an object.',
  );
}

/** A source of one token that was minted already. */
export function oneToken(
  email: string,
  access: { readonly token: string; readonly expiresAt: number },
): TokenSource {
  return { email, token: async () => ok(access) };
}
