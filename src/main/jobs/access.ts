import * as z from 'zod';
import { jobBoundary } from '../../google/boundary.ts';
import { downscope } from '../../google/downscope.ts';
import type { AgentSecrets, GrantedToken, WholeAccess } from '../../shared/agent-protocol.ts';
import {
  GRANT_PURPOSES,
  PLATFORM_SCOPE,
  type Account,
  type AccessToken,
  type KeyCard,
} from '../../shared/key.ts';
import type { RunPlan } from '../../shared/plan.ts';
import { areaOf, ok, type Problem, type Result } from '../../shared/problem.ts';
import { keepUnknown } from '../../shared/unknown-fields.ts';
import type { Host } from '../hosts/types.ts';
import type { KeyService } from '../keys/service.ts';
import type { Clock } from '../platform/clock.ts';
import { mintForAgent, type AgentToken } from './agent-token.ts';
import { keyOfAccount } from './key-of-account.ts';
import { keysHandedOver, tokensNeeded } from './make-plan.ts';

/**
 * `access.json` in the run directory: when the tokens that the agent was given last run out. No token is in it. Whoever
 * looks after the run, application or command line, reads it to know whether fresh ones are due.
 */
export const ACCESS_FILE = 'access.json';

const recordSchema = z.object({
  format: z.literal(1),
  tokens: z.array(
    z.object({
      keyId: z.string(),
      purpose: z.enum(GRANT_PURPOSES),
      /** Milliseconds since 1970. */
      issuedAt: z.number(),
      expiresAt: z.number(),
    }),
  ),
});
export type AccessRecord = Readonly<z.infer<typeof recordSchema>>;

/** How long minting may take in all. Milliseconds. */
const MINT_TIME = 20_000;

export interface Access {
  readonly secrets: AgentSecrets;
  readonly record: AccessRecord;
  /** Why the tokens are not there: the network did not answer, and the agent will wait for them when it needs them. Null: all are. */
  readonly missing: Problem | null;
  readonly narrowing: NarrowingNews;
}

/** What came of narrowing the agent's own tokens. */
export interface NarrowingNews {
  /** Those that are the account's own. */
  readonly whole: readonly WholeAccess[];
  /** Why: `access.not-narrowed`, each once. */
  readonly refused: readonly NotNarrowed[];
  /** `access.narrowed-wider`: narrowed, though not to the name itself. */
  readonly wider: readonly Problem[];
  /** The accounts' own tokens, for questions that are asked here. They are handed to nobody. */
  readonly sources: readonly GrantedToken[];
}

export interface NotNarrowed {
  readonly keyId: string;
  readonly problem: Problem;
}

/** How long a start or a stop waits for tokens that it can do without. Milliseconds. */
export const DISPENSABLE_MINT_TIME = 3_500;

export interface AccessOptions {
  /** Code and data are in place: their tokens are not needed any more. */
  readonly staged?: boolean;
  readonly signal?: AbortSignal;
  /** For minting in all, milliseconds; default 20,000. */
  readonly timeoutMs?: number;
  /** Those that can be had are better than none: it fails only where none can. */
  readonly some?: boolean;
  /** What was found at the start that cannot be narrowed; without it, it is found out now. */
  readonly decided?: readonly WholeAccess[];
  /** The run can begin without tokens: a network that does not answer leaves them out (`missing`), and is not waited for long. */
  readonly dispensable?: boolean;
}

/** Mints what a run needs and collects the keys that its plan hands over. Errors: those of keys and of minting. */
export async function gatherAccess(
  keys: KeyService,
  plan: RunPlan,
  clock: Clock,
  options: AccessOptions = {},
): Promise<Result<Access>> {
  const dispensable = options.dispensable === true;
  const tokens = await mintTokens(keys, plan, clock, {
    ...(dispensable ? { timeoutMs: DISPENSABLE_MINT_TIME } : {}),
    ...options,
  });
  if (!tokens.ok && !(dispensable && areaOf(tokens.problem) === 'network')) return tokens;
  const handed: AgentSecrets['keys'] = [];
  for (const account of keysHandedOver(plan)) {
    const card = await cardFor(keys, account, plan.id);
    if (!card.ok) return card;
    const [first = 'key-file', ...more] = handedFor(plan, account);
    const key = await keys.load(card.value.id, { operation: first, reason: 'job', job: plan.id });
    if (!key.ok) return key;
    for (const operation of more)
      keys.noteUse(card.value, { operation, reason: 'job', job: plan.id });
    handed.push({ keyId: account.keyId, key: key.value });
  }
  // An agent that holds the keys mints for itself.
  const missing = tokens.ok || plan.unattended ? null : tokensMissing(plan, tokens.problem);
  const { granted, record, narrowing } = tokens.ok ? tokens.value : NO_TOKENS;
  const told = toldOf(narrowing);
  const secrets: AgentSecrets = {
    format: 1,
    tokens: [...granted],
    keys: handed,
    ...(narrowing.whole.length === 0 ? {} : { whole: [...narrowing.whole] }),
    ...(told.length === 0
      ? {}
      : { warnings: told.map(({ message, hint }) => ({ message, hint })) }),
  };
  return ok({ secrets, record, missing, narrowing });
}

/** What is said of it. Pure. */
export const toldOf = ({ refused, wider }: NarrowingNews): readonly Problem[] => [
  ...refused.map((one) => one.problem),
  ...wider,
];

/** What a key itself is handed over for. Pure. */
function handedFor(plan: RunPlan, { keyId }: Account): readonly ('key-file' | 'key-to-agent')[] {
  const asFile =
    plan.kind !== 'transfer' &&
    plan.workerKeys.some(({ account, mode }) => mode === 'key-file' && account.keyId === keyId);
  const forAgent =
    plan.unattended && tokensNeeded(plan).some(({ account }) => account.keyId === keyId);
  return [
    ...(asFile ? (['key-file'] as const) : []),
    ...(forAgent ? (['key-to-agent'] as const) : []),
  ];
}

export const NO_NARROWING: NarrowingNews = { whole: [], refused: [], wider: [], sources: [] };
const NO_TOKENS: Minted = {
  granted: [],
  record: { format: 1, tokens: [] },
  narrowing: NO_NARROWING,
};

function tokensMissing(plan: RunPlan, why: Problem): Problem {
  return {
    ...why,
    message: `The job has no access to its buckets yet: ${why.message}`,
    hint: `It works as far as it can, and waits with its output safe on the disk. Once the network is there: trainyard retry ${plan.id}.`,
  };
}

export interface Minted {
  readonly granted: readonly GrantedToken[];
  readonly record: AccessRecord;
  readonly narrowing: NarrowingNews;
}

/** Fresh tokens for everything that a run still needs. */
export async function mintTokens(
  keys: KeyService,
  plan: RunPlan,
  clock: Clock,
  options: AccessOptions = {},
): Promise<Result<Minted>> {
  const { staged = false, signal, timeoutMs = MINT_TIME, decided = null } = options;
  const issuedAt = clock.now();
  const own: { readonly token: AgentToken; readonly use: WholeAccess }[] = [];
  const minted = await Promise.all(
    tokensNeeded(plan, staged).map(async ({ account, purpose }): Promise<Result<GrantedToken>> => {
      const card = await cardFor(keys, account, plan.id);
      if (!card.ok) return card;
      const { keyId } = account;
      const settings = { timeoutMs, ...(signal === undefined ? {} : { signal }) };
      if (purpose === 'worker') {
        const access = await mintForWorkers(keys, plan, card.value, settings);
        return access.ok ? ok({ keyId, purpose, access: access.value }) : access;
      }
      const need = { account, card: card.value, purpose };
      const token = await mintForAgent(keys, plan, need, decided, settings);
      if (!token.ok) return token;
      own.push({ token: token.value, use: { keyId, purpose } });
      return ok({ keyId, purpose, access: token.value.access });
    }),
  );
  const granted: GrantedToken[] = [];
  let failed: Result<never> | null = null;
  for (const one of minted) {
    if (one.ok) granted.push(one.value);
    else failed ??= one;
  }
  if (failed !== null && (options.some !== true || granted.length === 0)) return failed;
  const record = {
    format: 1 as const,
    tokens: granted.map(({ keyId, purpose, access }) => ({
      keyId,
      purpose,
      issuedAt,
      expiresAt: access.expiresAt,
    })),
  };
  return ok({ granted, record, narrowing: newsOf(own) });
}

/** Pure. */
function newsOf(
  own: readonly { readonly token: AgentToken; readonly use: WholeAccess }[],
): NarrowingNews {
  const refused: NotNarrowed[] = [];
  for (const { token, use } of own) {
    const why = token.whole;
    if (why !== null && !refused.some(({ problem: told }) => told.message === why.message))
      refused.push({ keyId: use.keyId, problem: why });
  }
  return {
    whole: own.filter(({ token }) => token.whole !== null).map(({ use }) => use),
    refused,
    wider: own.flatMap(({ token }) => token.wider),
    sources: own.flatMap(({ token: { source }, use }) =>
      source === null ? [] : [{ ...use, access: source }],
    ),
  };
}

/** What the workers are handed: the account's full token, or one narrowed to the job. It is narrowed here, so that the host never has more. */
async function mintForWorkers(
  keys: KeyService,
  plan: RunPlan,
  card: KeyCard,
  settings: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<Result<AccessToken>> {
  const started = performance.now();
  const narrows = plan.kind !== 'transfer' && plan.workerKeys[0]?.mode === 'token';
  const full = await keys.mint(card.id, [PLATFORM_SCOPE], plan.endpoints, {
    ...settings,
    use: {
      operation: narrows ? 'worker-token' : 'account-token',
      reason: 'job',
      job: plan.id,
    },
  });
  if (!full.ok || !narrows) return full;
  const boundary = jobBoundary(plan);
  if (!boundary.ok) return boundary;
  return downscope(full.value, boundary.value, plan.endpoints, {
    email: card.email,
    signal: settings.signal ?? new AbortController().signal,
    timeoutMs: Math.max(1_000, settings.timeoutMs - (performance.now() - started)),
  });
}

async function cardFor(
  keys: KeyService,
  account: Account,
  runId: string,
): Promise<Result<KeyCard>> {
  const cards = await keys.list();
  return cards.ok ? keyOfAccount(cards.value, account, runId) : cards;
}

export async function readAccessRecord(host: Host, id: string): Promise<AccessRecord | null> {
  const file = await host.readFile(id, ACCESS_FILE, 0, 65_536);
  if (!file.ok || file.value === null) return null;
  try {
    const parsed = keepUnknown(recordSchema).safeParse(
      JSON.parse(Buffer.from(file.value.bytes).toString()),
    );
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** The moment the first token runs out, milliseconds since 1970; null where none was needed. Pure. */
export function accessEnds(record: AccessRecord | null): number | null {
  const ends = record?.tokens.map(({ expiresAt }) => expiresAt) ?? [];
  return ends.length === 0 ? null : Math.min(...ends);
}

/** Whether a token has less than a quarter of its life left. Pure. */
export function isDue(record: AccessRecord, now: number): boolean {
  return record.tokens.some(
    ({ issuedAt, expiresAt }) => expiresAt - now <= (expiresAt - issuedAt) / 4,
  );
}
