import { createPrivateKey, createPublicKey } from 'node:crypto';
import * as z from 'zod';
import { variablesLeftOut, type GoogleEndpoints } from '../shared/endpoints.ts';
import type { ServiceAccountKey } from '../shared/key.ts';
import { fail, ok, problem, type Problem, type Result } from '../shared/problem.ts';
import { exchange } from './http.ts';

const keySetSchema = z.object({
  keys: z.array(z.object({ kid: z.string(), n: z.string() })),
});

/** Keys that an emulator of this process said it knows, with its address. */
const known = new Set<string>();

/**
 * Whether an emulated Google knows this very key: nothing is signed for one that does not, so that a genuine key is of no use to whoever listens
 * there. Asked as Google publishes the public halves of an account's keys: `/service_accounts/v1/jwk/EMAIL` (RFC 7517). Where Google is not
 * emulated there is nothing to ask. Errors: `input.partly-emulated`, `access.key-not-emulated`, `network.unexpected-answer`, those of `exchange`.
 */
export async function knownWhereEmulated(
  key: ServiceAccountKey,
  endpoints: GoogleEndpoints,
  options: { readonly op: string; readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Result<void>> {
  if (!endpoints.emulated) return ok();
  const { op } = options;
  const subject = key.clientEmail;
  const missing = variablesLeftOut(endpoints);
  if (missing.length > 0) return fail(partlyEmulated(missing, { op, subject }));
  const modulus = modulusOf(key);
  const name = `${endpoints.oauthToken} ${key.clientEmail} ${key.privateKeyId} ${modulus}`;
  if (known.has(name)) return ok();
  const { origin, host } = new URL(endpoints.oauthToken);
  const address = `${origin}/service_accounts/v1/jwk/${encodeURIComponent(key.clientEmail)}`;
  const asked = await exchange(
    address,
    { method: 'GET', headers: { accept: 'application/json' } },
    { ...options, subject },
  );
  if (!asked.ok) return asked;
  const { status, text } = asked.answer;
  if (status >= 500)
    return fail(
      problem({
        code: 'network.unavailable',
        op,
        subject,
        message: `The emulator at ${host} is not available (HTTP ${String(status)}).`,
        hint: 'Try again in a moment.',
        retryable: true,
      }),
    );
  const set = status === 200 ? parseKeySet(text) : { keys: [] };
  if (set === null)
    return fail(
      problem({
        code: 'network.unexpected-answer',
        op,
        subject,
        message: `${host} did not answer as an emulator of Google does.`,
        hint: 'Another program, or a proxy, may listen there. Start the emulator and use the addresses that it prints.',
      }),
    );
  if (!set.keys.some(({ kid, n }) => kid === key.privateKeyId && n === modulus))
    return fail(
      problem({
        code: 'access.key-not-emulated',
        op,
        subject,
        message: `The emulator at ${host} does not know this key of ${key.clientEmail}, so nothing was signed with it.`,
        hint: 'Start the emulator with --account FILE, and use the key in that file. To work with the real Google, unset STORAGE_EMULATOR_HOST and the TRAINYARD_..._ENDPOINT variables.',
      }),
    );
  known.add(name);
  return ok();
}

/** The public half, as a JWK has it. */
function modulusOf(key: ServiceAccountKey): string {
  const der = Buffer.from(key.privateKey, 'base64');
  const half = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  return half.export({ format: 'jwk' }).n ?? '';
}

function parseKeySet(text: string): z.infer<typeof keySetSchema> | null {
  try {
    return keySetSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

function partlyEmulated(
  missing: readonly string[],
  context: Pick<Problem, 'op' | 'subject'>,
): Problem {
  const names = missing.join(', ');
  return problem({
    code: 'input.partly-emulated',
    ...context,
    message: `Environment variables move only some of Google's addresses to this machine, so no key is used: ${names} ${missing.length === 1 ? 'is' : 'are'} not set.`,
    hint: 'An emulator of storage alone works without a key. To use a key with an emulator, start the one that comes with Trainyard and set all four variables that it prints; to work with the real Google, unset those that are set.',
  });
}
