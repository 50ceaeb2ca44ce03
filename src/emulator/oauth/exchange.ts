import type { IncomingMessage } from 'node:http';
import { readBody } from '../body.ts';
import { readBoundary } from '../iam/boundary.ts';
import type { CustomRoles } from '../iam/roles.ts';
import { plainJson, type Reply } from '../reply.ts';
import { readForm, refuse, type TokenRegister } from './token.ts';

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/**
 * Token exchange (RFC 8693) as https://sts.googleapis.com/v1/token answers it for Credential Access Boundaries: a token that lives as long as the
 * one it was made of and may do no more than the boundary. `tellExpiry`: the answer holds `expires_in`, which Google leaves out here.
 */
export async function answerExchange(
  request: IncomingMessage,
  tokens: TokenRegister,
  roles: CustomRoles,
  tellExpiry: boolean,
): Promise<Reply> {
  if (request.method !== 'POST') return refuse('invalid_request', 'Use POST.', 405);
  const body = await readBody(request, 256 * 1024);
  if (body === null) return refuse('invalid_request', 'The request is too large.');
  const form = readForm(body, request.headers['content-type'] ?? '');
  const field = (name: string): string => form[name] ?? form[camelCase(name)] ?? '';
  if (field('grant_type') !== GRANT_TYPE)
    return refuse('unsupported_grant_type', `Invalid grant_type: ${field('grant_type')}`);
  if (
    field('subject_token_type') !== ACCESS_TOKEN ||
    field('requested_token_type') !== ACCESS_TOKEN
  )
    return refuse('invalid_request', 'Only access tokens are exchanged for access tokens.');
  const source = tokens.find(field('subject_token'));
  if (source === null) return refuse('invalid_grant', 'The subject token is unknown or expired.');
  if (source.boundary !== null)
    return refuse('invalid_request', 'The subject token is narrowed already.');
  const read = readBoundary(decodeOnce(field('options')), roles);
  if (!read.ok) return refuse('invalid_request', read.message);
  const { email, scopes, expiresAt } = source;
  const token = tokens.mint({ email, scopes, boundary: read.boundary }, expiresAt);
  return plainJson(
    {
      access_token: token,
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      ...(tellExpiry
        ? { expires_in: Math.max(1, Math.floor((expiresAt - Date.now()) / 1000)) }
        : {}),
    },
    200,
    { 'cache-control': 'no-store' },
  );
}

/** `grant_type` as `grantType`: JSON requests spell it so. */
const camelCase = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Some clients encode the JSON before they encode the form. */
function decodeOnce(text: string): string {
  try {
    return text.startsWith('%') ? decodeURIComponent(text) : text;
  } catch {
    return text;
  }
}
