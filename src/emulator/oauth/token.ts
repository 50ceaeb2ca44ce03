import { randomBytes, verify } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import { readBody } from '../body.ts';
import { plainJson, type Reply } from '../reply.ts';
import type { Boundary } from '../iam/boundary.ts';
import type { AccountRegister } from './accounts.ts';

/** How far a client's clock may be off, seconds. */
const SKEW = 60;
const LONGEST = 3600;
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
export const GOOGLE_TOKEN_ADDRESS = 'https://oauth2.googleapis.com/token';

export interface Access {
  readonly email: string;
  readonly scopes: readonly string[];
  /** What a narrowed token may do at most; null: it is not narrowed. */
  readonly boundary: Boundary | null;
}

export interface LiveAccess extends Access {
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** What serves as a credential until it ends: `assertion` is a signed one that a token is asked for with, `narrowed` a token with a boundary. */
export type TokenKind = 'assertion' | 'token' | 'narrowed';

/** The access tokens that were handed out and still live. */
export class TokenRegister {
  readonly lifetimeSeconds: number;
  readonly #tokens = new Map<string, LiveAccess>();
  readonly #ended = new Set<string>();
  readonly #note: (kind: TokenKind, token: string) => void;

  /** `note` hears of every token that is handed out or taken in. */
  constructor(
    lifetimeSeconds: number,
    note: (kind: TokenKind, token: string) => void = () => undefined,
  ) {
    this.lifetimeSeconds = lifetimeSeconds;
    this.#note = note;
  }

  /** A signed assertion came in, whether it is then accepted or not. */
  noteAssertion(assertion: string): void {
    this.#note('assertion', assertion);
  }

  /** `expiresAt`: its end where that is another than a whole lifetime from now, milliseconds since 1970. */
  mint(access: Access, expiresAt?: number): string {
    const now = Date.now();
    for (const [token, { expiresAt }] of this.#tokens) if (expiresAt <= now) this.revoke(token);
    const token = `ya29.c.${randomBytes(96).toString('base64url')}`;
    this.#tokens.set(token, {
      ...access,
      expiresAt: expiresAt ?? now + this.lifetimeSeconds * 1000,
    });
    this.#note(access.boundary === null ? 'token' : 'narrowed', token);
    return token;
  }

  /** Ends a token before its time. False: it was unknown. */
  revoke(token: string): boolean {
    const wasKnown = this.#tokens.delete(token);
    if (wasKnown) this.#ended.add(token);
    return wasKnown;
  }

  /** Whether a token was handed out here, and counts no more. */
  hasEnded(token: string): boolean {
    return this.find(token) === null && (this.#ended.has(token) || this.#tokens.has(token));
  }

  /** `null`: unknown or expired. */
  find(token: string): LiveAccess | null {
    const known = this.#tokens.get(token);
    return known === undefined || known.expiresAt <= Date.now() ? null : known;
  }
}

const headerSchema = z.object({ alg: z.string(), kid: z.string().optional() });

/** What Google takes for a scope, as far as service accounts use them. */
const SCOPE = /^(https:\/\/www\.googleapis\.com\/auth\/[a-z0-9._-]+|openid|email|profile)$/;

const claimsSchema = z.object({
  iss: z.string(),
  aud: z.string(),
  iat: z.number(),
  exp: z.number(),
  scope: z.string().optional(),
  sub: z.string().optional(),
});

/** An OAuth error (RFC 6749). */
export const refuse = (error: string, description: string, status = 400): Reply =>
  plainJson({ error, error_description: description }, status);
const invalidGrant = (description: string): Reply => refuse('invalid_grant', description);

function decode<T>(part: string, schema: z.ZodType<T>): T | null {
  try {
    return schema.parse(JSON.parse(Buffer.from(part, 'base64url').toString('utf8')));
  } catch {
    return null;
  }
}

/**
 * The JWT-bearer grant (RFC 7523) as https://oauth2.googleapis.com/token answers it. Checked: audience, times (one hour at most, a minute of skew),
 * account, RS256 signature by a registered key, scope.
 */
export function exchange(
  assertion: string,
  accounts: AccountRegister,
  tokens: TokenRegister,
  ownAddress: string,
  nowMs: number = Date.now(),
): Reply {
  const parts = assertion.split('.');
  const [head = '', body = '', signature = ''] = parts;
  const header = decode(head, headerSchema);
  const claims = decode(body, claimsSchema);
  if (parts.length !== 3 || header === null || claims === null)
    return invalidGrant('Invalid JWT: Failed to parse the assertion.');
  if (header.alg !== 'RS256') return invalidGrant('Invalid JWT: the algorithm must be RS256.');
  if (claims.aud !== ownAddress && claims.aud !== GOOGLE_TOKEN_ADDRESS)
    return invalidGrant('Invalid JWT: Failed audience check.');
  const now = nowMs / 1000;
  const short = claims.exp > claims.iat && claims.exp - claims.iat <= LONGEST;
  if (!short || claims.iat > now + SKEW || claims.exp < now - SKEW)
    return invalidGrant(
      'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.',
    );
  if (!accounts.has(claims.iss)) return invalidGrant('Invalid grant: account not found');
  const signed = Buffer.from(`${head}.${body}`);
  const bytes = Buffer.from(signature, 'base64url');
  if (
    !accounts.keys(claims.iss, header.kid).some((key) => verify('RSA-SHA256', signed, key, bytes))
  )
    return invalidGrant('Invalid JWT Signature.');
  if (claims.sub !== undefined && claims.sub !== claims.iss)
    return refuse(
      'unauthorized_client',
      'Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.',
      401,
    );
  const scopes = (claims.scope ?? '').split(/\s+/).filter((scope) => scope !== '');
  if (scopes.length === 0 || !scopes.every((scope) => SCOPE.test(scope)))
    return refuse('invalid_scope', 'Invalid OAuth scope or ID token audience provided.');
  return plainJson(
    {
      access_token: tokens.mint({ email: claims.iss, scopes, boundary: null }),
      expires_in: tokens.lifetimeSeconds,
      token_type: 'Bearer',
    },
    200,
    { 'cache-control': 'no-store' },
  );
}

/** Answers a request to the token endpoint. `nowMs`: what the server's clock says, milliseconds since 1970. */
export async function answerToken(
  request: IncomingMessage,
  accounts: AccountRegister,
  tokens: TokenRegister,
  ownAddress: string,
  nowMs: number = Date.now(),
): Promise<Reply> {
  if (request.method !== 'POST') return refuse('invalid_request', 'Use POST.', 405);
  const body = await readBody(request, 64 * 1024);
  if (body === null) return refuse('invalid_request', 'The request is too large.');
  const form = readForm(body, request.headers['content-type'] ?? '');
  if (form['grant_type'] !== GRANT_TYPE)
    return refuse('unsupported_grant_type', `Invalid grant_type: ${form['grant_type'] ?? ''}`);
  const assertion = form['assertion'];
  if (assertion === undefined) return refuse('invalid_request', 'Missing parameter: assertion');
  tokens.noteAssertion(assertion);
  return exchange(assertion, accounts, tokens, ownAddress, nowMs);
}

/** A form, or the same fields as JSON, which some of Google's clients send. */
export function readForm(body: Buffer, contentType: string): Readonly<Record<string, string>> {
  if (!contentType.startsWith('application/json'))
    return Object.fromEntries(new URLSearchParams(body.toString('utf8')));
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(body.toString('utf8')));
  } catch {
    return {};
  }
}
