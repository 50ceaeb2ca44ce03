import * as z from 'zod';
import { KEYS_FORBIDDEN } from '../shared/make-a-key.ts';
import { problem, type Problem } from '../shared/problem.ts';

const errorSchema = z.object({
  error: z.string(),
  error_description: z.string().optional(),
});

/** From here on a clock counts as the cause of a refusal, milliseconds: Google tolerates a few minutes. */
export const SKEW_TOLERATED_MS = 60_000;

/** `61 minutes`, `2 hours`, `3 days`: a length of time as a person would say it. */
export function describeDuration(milliseconds: number): string {
  const units: readonly (readonly [number, string])[] = [
    [86_400_000 * 2, 'day'],
    [3_600_000 * 2, 'hour'],
    [60_000 * 2, 'minute'],
    [0, 'second'],
  ];
  const sizes: Readonly<Record<string, number>> = {
    day: 86_400_000,
    hour: 3_600_000,
    minute: 60_000,
    second: 1_000,
  };
  const absolute = Math.abs(milliseconds);
  const unit = units.find(([from]) => absolute >= from)?.[1] ?? 'second';
  const count = Math.round(absolute / (sizes[unit] ?? 1_000));
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** A server's own words, fit for one line: no control characters, nothing that looks like a token or assertion, at most 200 characters. */
export function quoteServer(text: string): string {
  const line = text
    .replace(/\p{C}+/gu, ' ')
    .replace(/\s+/g, ' ')
    .replace(/\b(ya29\.|eyJ)[A-Za-z0-9._~+/=-]+/g, '[removed]')
    .trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}

export interface TokenRefusal {
  readonly status: number;
  readonly text: string;
  /** This machine's clock less the server's, milliseconds; null where the answer had no date. */
  readonly skewMs: number | null;
  readonly email: string;
  readonly privateKeyId: string;
  readonly op: string;
}

/** `3 minutes ahead of Google’s`: this machine's clock less Google's, milliseconds. */
export function describeSkew(skewMs: number): string {
  return `${describeDuration(skewMs)} ${skewMs > 0 ? 'ahead of' : 'behind'} Google’s`;
}

/** The problem of a clock that Google does not accept. `skewMs`: this machine's less the server's. */
export function clockProblem(
  refusal: Pick<TokenRefusal, 'op' | 'email'>,
  skewMs: number | null,
): Problem {
  const off =
    skewMs === null || Math.abs(skewMs) < 1_000
      ? 'does not agree with Google’s'
      : `is ${describeSkew(skewMs)}`;
  return problem({
    code: 'access.clock',
    op: refusal.op,
    subject: refusal.email,
    message: `The clock of this machine ${off}, so the key’s signature is not accepted.`,
    hint: 'Set the clock of this machine right (switch time synchronisation on, for example `sudo timedatectl set-ntp true`), then try again. The key itself may be fine.',
  });
}

/**
 * Explains an answer of the token endpoint that holds no token. Google's words are those its documentation lists under "JWT error codes".
 * The text is matched only to choose the advice; the class of the error is the status and the OAuth error name.
 */
export function explainTokenRefusal(refusal: TokenRefusal): Problem {
  const { status, text, skewMs, email, privateKeyId, op } = refusal;
  const make = (fields: Pick<Problem, 'code' | 'message' | 'hint'>, retryable = false): Problem =>
    problem({ ...fields, op, subject: email, retryable });

  const parsed = errorSchema.safeParse(parse(text));
  if (status === 429 || status === 408 || status >= 500)
    return make(
      {
        code: 'network.server-busy',
        message: `Google’s token service answered ${status}.`,
        hint: 'It is usually over within minutes: try again.',
      },
      true,
    );
  if (!parsed.success)
    return make({
      code: 'network.unexpected-answer',
      message: `The token service answered ${status} with something that is not its own answer.`,
      hint: 'A proxy or the sign-in page of a network may stand between: open a web page to sign in, or check the proxy settings, then try again.',
    });

  const { error, error_description: description = '' } = parsed.data;
  const words = `${error} ${description}`.toLowerCase();
  const offBy = skewMs !== null && Math.abs(skewMs) >= SKEW_TOLERATED_MS;
  if (error === 'invalid_grant' || error === 'invalid_request') {
    if (/timeframe|short-lived|\biat\b|\bexp\b|expired|in the future/.test(words))
      return clockProblem(refusal, skewMs);
    if (/account not found|invalid email|not a valid email/.test(words))
      return make({
        code: 'access.account-unknown',
        message: `Google does not know the account ${email}: it was deleted or disabled, or its address is wrong.`,
        hint: 'Ask the administrator of the project whether the service account still exists and is enabled, or add a key of another one.',
      });
    if (/signature/.test(words))
      return make({
        code: 'access.key-signature',
        message: `Google does not accept the signature of this key of ${email}: the key was deleted or disabled, or does not belong to this account.`,
        hint: `Look for key ${privateKeyId} in the list of the account’s keys (console: IAM & Admin, Service Accounts, Keys). Where it is gone or disabled, enable it or make a new key and replace this one. ${KEYS_FORBIDDEN}`,
      });
  }
  if (offBy && error === 'invalid_grant') return clockProblem(refusal, skewMs);
  if (/disabled|deleted/.test(words))
    return make({
      code: 'access.key-disabled-or-deleted',
      message: `Google says that the account or key of ${email} is disabled or deleted.`,
      hint: 'Enable it in the console (IAM & Admin, Service Accounts), or add a key of another account.',
    });
  return make({
    code: 'access.key-refused',
    message: `Google refuses to give ${email} a token (${quoteServer(description === '' ? error : `${error}: ${description}`)}).`,
    hint: 'Ask the administrator of the project whether an organisation policy forbids keys of this account, or add a key of another one.',
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
