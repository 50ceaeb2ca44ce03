import type {
  AccessReport,
  AccessUse,
  Rung,
  RungGrant,
  RungName,
  RungState,
} from '../shared/access-check.ts';
import { asPrefix, formatGcsAddress, parseGcsAddress } from '../shared/address.ts';
import { moreThanNeeded } from '../shared/more-than-needed.ts';
import { areaOf, ok, type Problem, type Result } from '../shared/problem.ts';
import type { TokenSource } from './access-token.ts';
import type { StorageAccess } from './client.ts';
import { grantFor } from './grant/ask.ts';
import { wantedInput, type WantedInput } from './grant/wish.ts';
import { listPage } from './listing.ts';
import { testBucketPermissions } from './permissions.ts';
import { readObjectStart } from './read-object.ts';
import { tryCreate } from './try-create.ts';

/** How long a rung waits for the network, attempts included. Milliseconds: with the start of a program all is told within five seconds. */
export const RUNG_TIME = 3_000;
/** Empty pages of a listing that are looked through for a first object. */
const EMPTY_PAGES = 5;

export interface CheckRequest extends Pick<StorageAccess, 'endpoints' | 'signal'> {
  /** As it was typed. */
  readonly address: string;
  readonly for: AccessUse;
  /** A token for the use, by a key: at most {@link RUNG_TIME}. Null: no credential is sent. */
  readonly mint: ((signal: AbortSignal) => Promise<Result<TokenSource>>) | null;
  /** The account of the key, for the grants; null without one. */
  readonly account: string | null;
}

type Ladder = Omit<AccessReport, 'power'>;

const pass = (name: RungName, message: string, hint = ''): Rung => ({
  name,
  state: 'pass',
  message,
  hint,
  code: null,
  grant: null,
});
const rung = (
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

/** Why nothing more was asked. */
function notChecked(name: RungName, why: 'offline' | 'earlier'): Rung {
  return rung(
    name,
    'not-checked',
    why === 'offline' ? 'Not checked: offline.' : 'Not checked: an earlier step failed.',
  );
}

/** The rungs that an address and its use need, after `token`. Pure. */
export function rungsFor(use: AccessUse, input: WantedInput): readonly RungName[] {
  if (use === 'output') return ['permissions', 'create'];
  return input.kind === 'archive' ? ['permissions', 'read'] : ['permissions', 'list', 'read'];
}

/**
 * Finds out, step by step, whether a key can do at an address what a job needs. Nothing is left in the bucket. It ends at the first step that
 * the network did not answer: the rest is `not-checked`. The first rung tells bad input; the ladder then has no other.
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
      rungs: [
        rung('address', 'fail', parsed.problem.message, {
          hint: parsed.problem.hint,
          code: parsed.problem.code,
        }),
      ],
    };
  const input = wantedInput(parsed.value);
  const address =
    request.for === 'output'
      ? formatGcsAddress({ ...parsed.value, path: asPrefix(parsed.value.path) })
      : formatGcsAddress(parsed.value);
  const rungs: Rung[] = [pass('address', `${address} ${addressWords(request.for, input)}.`)];
  const rest = rungsFor(request.for, input);
  const end = (why: 'offline' | 'earlier'): Ladder => {
    const names = ['token' as const, ...rest].filter(
      (name) => !rungs.some((done) => done.name === name),
    );
    const all = [...rungs, ...names.map((name) => notChecked(name, why))];
    return { ...about, verdict: why === 'offline' ? 'offline' : 'fail', rungs: all };
  };

  const minted = await takeToken(request);
  rungs.push(minted.rung);
  if (minted.rung.state === 'not-checked') return end('offline');
  if (minted.rung.state === 'fail') return end('earlier');
  const access: StorageAccess = {
    endpoints: request.endpoints,
    signal: request.signal,
    tokens: minted.tokens,
    deadlineMs: RUNG_TIME,
  };

  const permissions = await askPermissions(request, access, input);
  rungs.push(permissions.rung);
  if (permissions.rung.state === 'not-checked') return end('offline');
  if (permissions.rung.state === 'fail') return end('earlier');
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
    const listed = await tryTheListing(request, access, input);
    if (listed.rung !== null) rungs.push(listed.rung);
    if (listed.rung?.state === 'not-checked') return end('offline');
    const read = await tryTheReading(request, access, input, { held, listed });
    rungs.push(read);
    if (read.state === 'not-checked') return end('offline');
  }
  return {
    ...about,
    held: [...held],
    more: [...moreThanNeeded([{ for: request.for, path: parsed.value.path }], held)],
    verdict: verdictOf(rungs),
    rungs,
  };
}

function addressWords(use: AccessUse, { kind, prefix }: WantedInput): string {
  if (use === 'output') return 'is where new objects are to be created';
  if (kind === 'archive') return 'is one archive';
  if (kind === 'either') return 'is a folder or one object';
  return prefix === '' ? 'is a whole bucket' : 'is everything below it';
}

/** Pure. */
function verdictOf(rungs: readonly Rung[]): Ladder['verdict'] {
  if (rungs.some(({ state }) => state === 'fail')) return 'fail';
  return rungs.some(({ name, state }) => name !== 'permissions' && state === 'could-not-tell')
    ? 'could-not-tell'
    : 'pass';
}

async function takeToken(
  request: CheckRequest,
): Promise<{ readonly rung: Rung; readonly tokens: TokenSource | null }> {
  if (request.mint === null)
    return { rung: pass('token', 'No key was named: no credential is sent.'), tokens: null };
  const minted = await request.mint(request.signal);
  if (minted.ok)
    return {
      rung: pass(
        'token',
        `Google gave ${minted.value.email ?? 'the account'} an access token: the key is enabled, the clock is right.`,
      ),
      tokens: minted.value,
    };
  const { problem } = minted;
  return {
    rung: isOffline(problem)
      ? offline('token', problem)
      : rung('token', 'fail', problem.message, { hint: problem.hint, code: problem.code }),
    tokens: null,
  };
}

const isOffline = (problem: Problem): boolean => areaOf(problem) === 'network';

const offline = (name: RungName, problem: Problem): Rung =>
  rung(name, 'not-checked', `Not checked: offline. ${problem.message}`, {
    hint: problem.hint,
    code: problem.code,
  });

const PERMISSIONS: Readonly<Record<AccessUse, readonly string[]>> = {
  input: ['storage.objects.list', 'storage.objects.get'],
  output: ['storage.objects.create'],
};
/** Asked too, to tell what is more than needed. */
const OTHERS = [
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
  const answer = await testBucketPermissions({ ...access, bucket, permissions: OTHERS });
  const name = 'permissions';
  if (!answer.ok) {
    const { problem } = answer;
    if (isOffline(problem)) return { rung: offline(name, problem), held: [] };
    // Whoever asks needs no permission: only a bucket that is not there, or may not be known, decides.
    if (problem.code === 'input.bucket-not-found')
      return { rung: refused(name, problem, grantFor('all', request)), held: [] };
    return {
      rung: rung(name, 'could-not-tell', problem.message, { hint: problem.hint }),
      held: [],
    };
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

/** A refusal, in words that cover both: it is missing, or nobody may know. */
function refused(name: RungName, problem: Problem, grant: RungGrant | null): Rung {
  const hint =
    grant === null
      ? problem.hint
      : problem.code === 'input.bucket-not-found'
        ? `Check the name for a typing mistake. Where it is right: ${grant.sentence}`
        : grant.sentence;
  return rung(name, 'fail', problem.message, { hint, code: problem.code, grant });
}

/** Only refusals that a grant ends name one; the others (billing, a policy of the organisation) have advice of their own. */
const GRANTABLE =
  /^(access\.(list|get|create|delete|request)-refused|input\.bucket-not-found|storage\.object-not-found|access\.credential-needed)$/;

function settle(name: 'list' | 'read' | 'create', request: CheckRequest, problem: Problem): Rung {
  if (isOffline(problem)) return offline(name, problem);
  if (GRANTABLE.test(problem.code)) return refused(name, problem, grantFor(name, request));
  return rung(name, areaOf(problem) === 'storage' ? 'could-not-tell' : 'fail', problem.message, {
    hint: problem.hint,
    code: problem.code,
  });
}

interface Listed {
  /** Null: nothing is listed for this address. */
  readonly rung: Rung | null;
  /** The name of the first object; null: none, or not known. */
  readonly first: string | null;
}

async function tryTheListing(
  request: CheckRequest,
  access: StorageAccess,
  input: WantedInput,
): Promise<Listed> {
  const { bucket, prefix, kind } = input;
  if (kind === 'archive') return { rung: null, first: null };
  let pageToken: string | undefined;
  for (let page = 0; page < EMPTY_PAGES; page += 1) {
    const listed = await listPage({
      ...access,
      bucket,
      prefix,
      delimiter: false,
      pageSize: 1,
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    if (!listed.ok) return { rung: settle('list', request, listed.problem), first: null };
    const first = listed.value.objects[0]?.name;
    if (first !== undefined)
      return { rung: pass('list', `Names below gs://${bucket}/${prefix} are listed.`), first };
    if (listed.value.nextPageToken === null) break;
    pageToken = listed.value.nextPageToken;
  }
  return {
    rung: pass(
      'list',
      `Listing is allowed. There is nothing below gs://${bucket}/${prefix}.`,
      kind === 'either'
        ? ''
        : 'Check the address for a typing mistake, also in upper and lower case.',
    ),
    first: null,
  };
}

async function tryTheReading(
  request: CheckRequest,
  access: StorageAccess,
  input: WantedInput,
  known: { readonly held: readonly string[]; readonly listed: Listed },
): Promise<Rung> {
  const { bucket, kind } = input;
  const { listed, held } = known;
  const name = listed.first ?? (kind === 'folder' ? null : input.object);
  if (name === null)
    return held.includes('storage.objects.get')
      ? pass('read', 'There is no object to try; Google says that all of the bucket may be read.')
      : rung(
          'read',
          'could-not-tell',
          listed.rung?.state === 'fail'
            ? 'Without a listing no object is known that could be tried.'
            : 'There is no object to try.',
        );
  const read = await readObjectStart({ ...access, bucket, name, maxBytes: 1 });
  if (read.ok) return pass('read', `One byte of gs://${bucket}/${name} was read.`);
  const { problem } = read;
  if (listed.first !== null && problem.code === 'storage.object-not-found')
    return rung('read', 'could-not-tell', 'The object was deleted a moment ago: check again.');
  // Whether this name is an object's at all is not known.
  if (kind === 'either' && listed.first === null && GRANTABLE.test(problem.code))
    return listed.rung?.state === 'fail'
      ? rung('read', 'could-not-tell', 'Without a listing no object is known that could be tried.')
      : problem.code === 'storage.object-not-found'
        ? rung(
            'read',
            'could-not-tell',
            `There is neither an object gs://${bucket}/${name} nor anything below it, or the account may not know of it.`,
            { hint: 'Check the address for a typing mistake, also in upper and lower case.' },
          )
        : settle('read', request, problem);
  if (problem.code.startsWith('access.') && problem.code.endsWith('-refused'))
    return refused(
      'read',
      {
        ...problem,
        code: 'access.get-refused',
        message: `${request.account ?? 'Someone without a credential'} may not read gs://${bucket}/${name} (storage.objects.get)${listed.first === null ? ', or there is no such object: without a listing that is not told' : ''}.`,
      },
      grantFor('read', request),
    );
  return settle('read', request, problem);
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
