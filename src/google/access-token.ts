import { createPrivateKey, sign } from 'node:crypto';
import * as z from 'zod';
import { GOOGLE_ENDPOINTS, type GoogleEndpoints } from '../shared/endpoints.ts';
import {
  ACCESS_SCOPES,
  type AccessPurpose,
  type AccessToken,
  type ServiceAccountKey,
} from '../shared/key.ts';
import { fail, ok, type Result } from '../shared/problem.ts';
import { knownWhereEmulated } from './emulated-key.ts';
import { cancelledProblem, exchange, isAborted, parseRetryAfter, raceAbort } from './http.ts';
import { withRetry, type Attempt, type RetryNews } from './retry.ts';
import { explainTokenRefusal } from './token-refusal.ts';

/** Where the tokens of one account come from. The account's e-mail is for messages. */
export interface TokenSource {
  readonly email: string | null;
  /**
   * A token that is valid for a while. `refused` names the token that a service just refused with 401: it is not given again.
   * Errors: those of {@link mintToken}; `job.cancelled`.
   */
  token(options?: {
    readonly signal?: AbortSignal;
    readonly refused?: string;
    /** Told of each wait of a mint under way. */
    readonly onRetry?: (news: RetryNews) => void;
  }): Promise<Result<AccessToken>>;
}

export interface MintOptions {
  readonly signal: AbortSignal;
  /** For the whole of it, retries included. Default 20,000. */
  readonly timeoutMs?: number;
  /** The local clock, milliseconds since 1970. */
  readonly now?: () => number;
  /** Called before each wait. */
  readonly onRetry?: (news: RetryNews) => void;
}

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
/** Google accepts at most an hour between `iat` and `exp`. */
const ASSERTION_SECONDS = 3_600;
const ATTEMPT_TIMEOUT_MS = 10_000;
const OP = 'get an access token';

const tokenAnswerSchema = z.object({
  access_token: z.string().min(1),
  expires_in: z.number().positive(),
});

/** The scopes of a purpose, or those given. */
function scopesOf(purpose: AccessPurpose | readonly string[]): readonly string[] {
  return typeof purpose === 'string' ? [ACCESS_SCOPES[purpose]] : purpose;
}

/** Builds and signs the assertion of the JWT-bearer grant (RFC 7523), as Google wants it (RS256). `now` in seconds. */
export function signAssertion(
  key: ServiceAccountKey,
  claims: { readonly scopes: readonly string[]; readonly audience: string; readonly now: number },
): string {
  const encode = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = encode({ alg: 'RS256', typ: 'JWT', kid: key.privateKeyId });
  const body = encode({
    iss: key.clientEmail,
    scope: claims.scopes.join(' '),
    aud: claims.audience,
    iat: claims.now,
    exp: claims.now + ASSERTION_SECONDS,
  });
  const privateKey = createPrivateKey({
    key: Buffer.from(key.privateKey, 'base64'),
    format: 'der',
    type: 'pkcs8',
  });
  const signature = sign('sha256', Buffer.from(`${header}.${body}`), privateKey);
  return `${header}.${body}.${signature.toString('base64url')}`;
}

/**
 * Exchanges a signed assertion for an access token, retrying what may pass. The audience is always the token endpoint in force: what is signed for
 * an emulated one is worth nothing at Google, and a key file can never direct an assertion elsewhere. An emulator is first asked whether it knows
 * the key.
 *
 * Errors: those of {@link knownWhereEmulated}; `access.key-signature` (deleted, disabled, or of another account), `access.account-unknown`, `access.key-disabled-or-deleted`, `access.clock` (this machine's clock is off: told by how much), `access.key-refused`,
 * `network.*` (see `http.ts`), `network.unexpected-answer`, `job.cancelled`.
 */
export async function mintToken(
  key: ServiceAccountKey,
  purpose: AccessPurpose | readonly string[],
  endpoints: GoogleEndpoints,
  options: MintOptions,
): Promise<Result<AccessToken>> {
  const minted = await mintWithClock(key, purpose, endpoints, options);
  return minted.ok ? ok(minted.value.access) : minted;
}

/** A token, and how far this machine's clock is off. */
export interface Minted {
  readonly access: AccessToken;
  /** This machine's clock less Google's as the answer had it, milliseconds; null where it had no date. */
  readonly skewMs: number | null;
}

/** {@link mintToken}, which also compares the clocks. */
export async function mintWithClock(
  key: ServiceAccountKey,
  purpose: AccessPurpose | readonly string[],
  endpoints: GoogleEndpoints,
  options: MintOptions,
): Promise<Result<Minted>> {
  const now = options.now ?? Date.now;
  const timeoutMs = options.timeoutMs ?? 20_000;
  const subject = key.clientEmail;
  const started = performance.now();

  const attempt = async (): Promise<Attempt<Minted>> => {
    const left = (): number =>
      Math.max(1, Math.min(ATTEMPT_TIMEOUT_MS, timeoutMs - (performance.now() - started)));
    const asked = { op: OP, subject, signal: options.signal };
    const known = await knownWhereEmulated(key, endpoints, { ...asked, timeoutMs: left() });
    if (!known.ok) return known;
    const sentAt = now();
    const assertion = signAssertion(key, {
      scopes: scopesOf(purpose),
      audience: endpoints.emulated ? endpoints.oauthToken : GOOGLE_ENDPOINTS.oauthToken,
      now: Math.floor(sentAt / 1_000),
    });
    const sent = await exchange(
      endpoints.oauthToken,
      {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          accept: 'application/json',
        },
        body: new URLSearchParams({ grant_type: GRANT_TYPE, assertion }).toString(),
      },
      { ...asked, timeoutMs: left() },
    );
    if (!sent.ok) return sent;
    const { status, headers, text } = sent.answer;
    const serverTime = Date.parse(headers.get('date') ?? '');
    const skewMs = Number.isNaN(serverTime) ? null : now() - serverTime;
    if (status === 200) {
      const parsed = tokenAnswerSchema.safeParse(parseJson(text));
      if (parsed.success)
        return {
          ok: true,
          value: {
            access: {
              token: parsed.data.access_token,
              expiresAt: sentAt + parsed.data.expires_in * 1_000,
            },
            skewMs,
          },
        };
    }
    return {
      ok: false,
      problem: explainTokenRefusal({
        status,
        text,
        skewMs,
        email: key.clientEmail,
        privateKeyId: key.privateKeyId,
        op: OP,
      }),
      retryAfterMs: parseRetryAfter(headers.get('retry-after'), now()),
    };
  };

  return withRetry(OP, attempt, {
    signal: options.signal,
    deadlineMs: timeoutMs,
    maxAttempts: 5,
    subject,
    ...(options.onRetry === undefined ? {} : { onRetry: options.onRetry }),
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** How long before its end a token is replaced: five minutes, or a quarter of its lifetime where that is less. Milliseconds. */
export function refreshMarginMs(lifetimeMs: number): number {
  return Math.min(5 * 60_000, lifetimeMs / 4);
}

/** Mints on one account of a key, kept while they last. */
interface Held {
  readonly access: AccessToken;
  readonly refreshAt: number;
}

/** One mint that several callers wait for; it is cancelled once none of them does any more. */
interface Flight {
  readonly result: Promise<Result<AccessToken>>;
  readonly controller: AbortController;
  /** Of those who wait and want to be told. */
  readonly listeners: Set<(news: RetryNews) => void>;
  waiting: number;
}

/** A token source from a key, see {@link cachedTokenSource}. */
export function keyTokenSource(
  key: ServiceAccountKey,
  purpose: AccessPurpose | readonly string[],
  endpoints: GoogleEndpoints,
  settings: { readonly timeoutMs?: number; readonly now?: () => number } = {},
): TokenSource {
  return cachedTokenSource(
    key.clientEmail,
    (signal, onRetry) => mintToken(key, purpose, endpoints, { ...settings, signal, onRetry }),
    settings,
  );
}

/**
 * A token source from a way to mint: caches, mints once for all who ask at the same time, and early (see {@link refreshMarginMs}).
 * Where an early refresh fails, the token in hand is given until it ends.
 */
export function cachedTokenSource(
  email: string,
  mint: (signal: AbortSignal, onRetry: (news: RetryNews) => void) => Promise<Result<AccessToken>>,
  settings: { readonly now?: () => number } = {},
): TokenSource {
  const now = settings.now ?? Date.now;
  let held: Held | null = null;
  let flight: Flight | null = null;

  const start = (): Flight => {
    const controller = new AbortController();
    const listeners = new Set<(news: RetryNews) => void>();
    const tell = (news: RetryNews): void => {
      for (const listener of listeners) listener(news);
    };
    const result = mint(controller.signal, tell)
      .then((minted) => {
        if (minted.ok) {
          const at = now();
          held = {
            access: minted.value,
            refreshAt: minted.value.expiresAt - refreshMarginMs(minted.value.expiresAt - at),
          };
        }
        return minted;
      })
      .finally(() => {
        if (flight?.controller === controller) flight = null;
      });
    return { result, controller, listeners, waiting: 0 };
  };

  return {
    email,
    async token({ signal, refused, onRetry } = {}) {
      const context = { op: OP, subject: email };
      if (isAborted(signal)) return fail(cancelledProblem(context));
      if (held !== null && held.access.token === refused) held = null;
      if (held !== null && now() < held.refreshAt) return ok(held.access);
      const mine = (flight ??= start());
      mine.waiting += 1;
      if (onRetry !== undefined) mine.listeners.add(onRetry);
      try {
        const minted = await (signal === undefined ? mine.result : raceAbort(mine.result, signal));
        const usable = stillGood(held, refused, now());
        return minted.ok || usable === null ? minted : ok(usable);
      } catch (error) {
        if (isAborted(signal)) return fail(cancelledProblem(context));
        throw error;
      } finally {
        mine.waiting -= 1;
        if (onRetry !== undefined) mine.listeners.delete(onRetry);
        if (mine.waiting === 0 && flight === mine) {
          flight = null;
          mine.controller.abort();
        }
      }
    },
  };
}

function stillGood(
  held: Held | null,
  refused: string | undefined,
  now: number,
): AccessToken | null {
  return held !== null && held.access.token !== refused && now < held.access.expiresAt
    ? held.access
    : null;
}
