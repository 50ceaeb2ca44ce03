import * as z from 'zod';
import type { GoogleEndpoints } from '../shared/endpoints.ts';
import { PLATFORM_SCOPE, type AccessToken, type ServiceAccountKey } from '../shared/key.ts';
import { problem, type Problem, type Result } from '../shared/problem.ts';
import {
  cachedTokenSource,
  mintToken,
  type MintOptions,
  type TokenSource,
} from './access-token.ts';
import type { AccessBoundary } from './boundary.ts';
import { exchange, parseRetryAfter } from './http.ts';
import { withRetry, type Attempt } from './retry.ts';
import { quoteServer } from './token-refusal.ts';

const OP = 'narrow an access token';
const ATTEMPT_TIMEOUT_MS = 10_000;
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

const answerSchema = z.object({
  access_token: z.string().min(1),
  /** Seconds; may be missing, then the token lives as long as the one it was made of. */
  expires_in: z.number().positive().optional(),
});
const errorSchema = z.object({ error: z.string(), error_description: z.string().optional() });

/**
 * Exchanges a token of an account for one that may do no more than the boundary (OAuth 2.0 token exchange, RFC 8693, at Google's Security
 * Token Service), retrying what may pass. It never lives longer than the one it was made of.
 *
 * Errors: `access.narrowing-refused`, `network.*` (see `http.ts`), `network.server-busy`, `network.unexpected-answer`, `job.cancelled`.
 */
export async function downscope(
  source: AccessToken,
  boundary: AccessBoundary,
  endpoints: GoogleEndpoints,
  options: MintOptions & { readonly email: string },
): Promise<Result<AccessToken>> {
  const now = options.now ?? Date.now;
  const timeoutMs = options.timeoutMs ?? 20_000;
  const subject = options.email;
  const started = performance.now();
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    requested_token_type: ACCESS_TOKEN,
    subject_token_type: ACCESS_TOKEN,
    subject_token: source.token,
    options: JSON.stringify({ accessBoundary: { accessBoundaryRules: boundary.rules } }),
  }).toString();

  const attempt = async (): Promise<Attempt<AccessToken>> => {
    const sentAt = now();
    const left = timeoutMs - (performance.now() - started);
    const sent = await exchange(
      endpoints.securityTokenService,
      {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          accept: 'application/json',
        },
        body,
      },
      {
        op: OP,
        subject,
        signal: options.signal,
        timeoutMs: Math.max(1, Math.min(ATTEMPT_TIMEOUT_MS, left)),
      },
    );
    if (!sent.ok) return sent;
    const { status, headers, text } = sent.answer;
    const parsed = answerSchema.safeParse(parseJson(text));
    if (status === 200 && parsed.success) {
      const { access_token: token, expires_in: seconds } = parsed.data;
      const expiresAt =
        seconds === undefined
          ? source.expiresAt
          : Math.min(source.expiresAt, sentAt + seconds * 1_000);
      return { ok: true, value: { token, expiresAt } };
    }
    return {
      ok: false,
      problem: explainRefusal(status, text, subject),
      retryAfterMs: parseRetryAfter(headers.get('retry-after'), now()),
    };
  };

  return withRetry(OP, attempt, {
    signal: options.signal,
    deadlineMs: timeoutMs,
    maxAttempts: 5,
    subject,
  });
}

function explainRefusal(status: number, text: string, email: string): Problem {
  const about = { op: OP, subject: email } as const;
  if (status === 408 || status === 429 || status >= 500)
    return problem({
      ...about,
      code: 'network.server-busy',
      message: `Google’s Security Token Service answered ${status}.`,
      hint: 'It is usually over within minutes: try again.',
      retryable: true,
    });
  const parsed = errorSchema.safeParse(parseJson(text));
  if (!parsed.success)
    return problem({
      ...about,
      code: 'network.unexpected-answer',
      message: `The Security Token Service answered ${status} with something that is not its own answer.`,
      hint: 'A proxy or the sign-in page of a network may stand between: check the proxy settings, then try again.',
    });
  const { error, error_description: description } = parsed.data;
  return problem({
    ...about,
    code: 'access.narrowing-refused',
    message: `Google refuses to narrow the access of ${email} (${quoteServer(description === undefined ? error : `${error}: ${description}`)}).`,
    hint: 'Ask the administrator of the project whether a policy forbids it; or hand the key over in mode account-token or key-file.',
  });
}

/** A token of the key that may do no more than the boundary. Errors: those of {@link mintToken} and {@link downscope}. */
export async function mintNarrowed(
  key: ServiceAccountKey,
  boundary: AccessBoundary,
  endpoints: GoogleEndpoints,
  options: MintOptions,
): Promise<Result<AccessToken>> {
  const source = await mintToken(key, [PLATFORM_SCOPE], endpoints, options);
  return source.ok
    ? downscope(source.value, boundary, endpoints, { ...options, email: key.clientEmail })
    : source;
}

/** The tokens of {@link mintNarrowed}, cached and renewed early. */
export function narrowedTokenSource(
  key: ServiceAccountKey,
  boundary: AccessBoundary,
  endpoints: GoogleEndpoints,
): TokenSource {
  return cachedTokenSource(key.clientEmail, (signal) =>
    mintNarrowed(key, boundary, endpoints, { signal }),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
