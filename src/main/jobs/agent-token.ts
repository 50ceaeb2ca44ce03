import { agentBoundary } from '../../google/agent-boundary.ts';
import { downscope } from '../../google/downscope.ts';
import type { WholeAccess } from '../../shared/agent-protocol.ts';
import type { KeyUsage } from '../../shared/key-use.ts';
import {
  PLATFORM_SCOPE,
  type AccessPurpose,
  type AccessToken,
  type Account,
  type KeyCard,
} from '../../shared/key.ts';
import type { RunPlan } from '../../shared/plan.ts';
import { ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import type { KeyService } from '../keys/service.ts';
import { refuseNarrowed } from './try-narrowed.ts';

/** How long the exchange for a narrowed token may take where a start can go on without it. Milliseconds. */
const NARROW_TIME = 8_000;

/** A token of the agent's own. */
export interface AgentToken {
  readonly access: AccessToken;
  /** The account's own token, where one was made: for questions that are asked here. It is never handed over. */
  readonly source: AccessToken | null;
  /** Why it is not narrowed to the run; null where it is. */
  readonly whole: Problem | null;
  /** What its boundary could not be made for exactly. */
  readonly wider: readonly Problem[];
}

/**
 * Mints a token of the agent's own, narrowed to what it is for in this run. `decided`: which tokens an earlier look found that cannot be narrowed;
 * without it this looks, and hands out the account's token of the purpose where nothing else works. Errors: those of minting, of `downscope`
 * where it was decided to narrow.
 */
export async function mintForAgent(
  keys: KeyService,
  plan: RunPlan,
  need: {
    readonly account: Account;
    readonly card: KeyCard;
    readonly purpose: AccessPurpose;
    /** What is taken down of it; a token of the run itself where it is left out. */
    readonly use?: Pick<KeyUsage, 'reason' | 'job'>;
  },
  decided: readonly WholeAccess[] | null,
  settings: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<Result<AgentToken>> {
  const { account, card, purpose, use = { reason: 'job', job: plan.id } } = need;
  const started = performance.now();
  const left = (): number => Math.max(1_000, settings.timeoutMs - (performance.now() - started));
  const mint = (scope: AccessPurpose | readonly string[]): Promise<Result<AccessToken>> =>
    keys.mint(card.id, scope, plan.endpoints, {
      ...settings,
      timeoutMs: left(),
      use: { operation: `${purpose}-token`, ...use },
    });
  const whole = async (why: Problem | null): Promise<Result<AgentToken>> => {
    const access = await mint(purpose);
    return access.ok
      ? ok({ access: access.value, source: access.value, whole: why, wider: [] })
      : access;
  };
  const made = agentBoundary(plan, account.keyId, purpose);
  if (made === null || decided?.some((one) => isOf(one, account, purpose)) === true)
    return whole(null);
  const source = await mint([PLATFORM_SCOPE]);
  if (!source.ok) return source;
  const signal = settings.signal ?? new AbortController().signal;
  const narrowed = await downscope(source.value, made.boundary, plan.endpoints, {
    email: card.email,
    signal,
    timeoutMs: decided === null ? Math.min(NARROW_TIME, left()) : left(),
  });
  if (!narrowed.ok) {
    if (decided !== null || narrowed.problem.code === 'job.cancelled') return narrowed;
    return whole(cannotNarrow(account, narrowed.problem.message));
  }
  if (decided === null) {
    const tokens = { narrowed: narrowed.value, whole: source.value };
    const [bucket] = await refuseNarrowed(plan, account, purpose, tokens, signal);
    if (bucket !== undefined) return whole(bucketCannot(account, bucket));
  }
  const wider = made.wider.map((address) => cannotName(account, address));
  return ok({ access: narrowed.value, source: source.value, whole: null, wider });
}

const isOf = (one: WholeAccess, { keyId }: Account, purpose: AccessPurpose): boolean =>
  one.keyId === keyId && one.purpose === purpose;

const REACHES =
  'the whole account may be reached with its tokens, not only the input, code and output of this run';

function bucketCannot({ email }: Account, bucket: string): Problem {
  return problem({
    code: 'access.not-narrowed',
    op: 'narrow the access of the run',
    subject: `gs://${bucket}`,
    message: `gs://${bucket} does not take access that is narrowed to one job. The run gets the access of ${email} as it is: ${REACHES}.`,
    hint: 'Ask the owner of the bucket to turn on uniform bucket-level access, or take a key whose account reaches nothing else.',
  });
}

function cannotNarrow({ email }: Account, reason: string): Problem {
  return problem({
    code: 'access.not-narrowed',
    op: 'narrow the access of the run',
    subject: email,
    message: `The access of ${email} cannot be narrowed to this run: ${reason} The run gets it as it is: ${REACHES}.`,
    hint: 'Google’s Security Token Service (sts.googleapis.com) narrows it: see that it can be reached and that no policy forbids it.',
  });
}

function cannotName({ email }: Account, address: string): Problem {
  return problem({
    code: 'access.narrowed-wider',
    op: 'narrow the access of the run',
    subject: address,
    message: `A name has a quote, a backslash or a control character, which narrowed access cannot name: with ${email} the run reaches everything that begins with ${address}.`,
    hint: 'Take a folder without such characters to narrow it to the job.',
  });
}
