import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { JWT } from 'google-auth-library';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, assertion, exchange, mint, readKeyFile, SCOPES, type KeyFile } from './ask.ts';
import { emailOf, startEmulator, type RunningEmulator } from './start.ts';

let emulator: RunningEmulator;
let address: string;
let folder: string;
let key: KeyFile;
let second: KeyFile;
const now = Math.floor(Date.now() / 1000);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-oauth-test-'));
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  // Another key of the same account, as the console gives one when keys are changed over.
  const other = {
    type: 'service_account',
    project_id: 'demo-project',
    private_key_id: 'second',
    private_key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    client_email: emailOf('trainer'),
    token_uri: 'https://oauth2.googleapis.com/token',
  };
  const path = join(folder, 'other.json');
  await writeFile(path, JSON.stringify(other));
  emulator = await startEmulator({
    accounts: [{ name: 'trainer' }, { name: 'other', path }],
    admins: [emailOf('trainer')],
    tokenLifetimeSeconds: 2,
  });
  address = emulator.environment['TRAINYARD_OAUTH_ENDPOINT'] ?? '';
  key = await readKeyFile(emulator.keyFiles['trainer'] ?? '');
  second = await readKeyFile(path);
});
afterAll(async () => {
  await emulator.stop();
  await rm(folder, { recursive: true, force: true });
});

const buckets = (token: string) =>
  ask(emulator.url, 'GET', '/storage/v1/b?project=demo-project', { token });

test('a signed JWT is exchanged for a token that works, for as long as it lives', async () => {
  for (const [signer, aud] of [
    [key, address],
    [key, 'https://oauth2.googleapis.com/token'],
    [second, address],
  ] as const) {
    const answer = await exchange(address, assertion(signer, { aud }));
    expect([answer.status, answer.json()]).toEqual([
      200,
      { access_token: expect.any(String) as string, expires_in: 2, token_type: 'Bearer' },
    ]);
  }
  const token = await mint(emulator, 'trainer');
  expect((await buckets(token)).status).toBe(200);
  await new Promise((resolve) => setTimeout(resolve, 2100));
  const late = await buckets(token);
  expect([late.status, late.json().error.errors[0]?.reason]).toEqual([401, 'authError']);
  expect((await buckets('invented')).status).toBe(401);
  const basic = await ask(emulator.url, 'GET', '/storage/v1/b?project=demo-project', {
    headers: { Authorization: 'Basic eDp5' },
  });
  expect(basic.status).toBe(401);
});

test("Google's own library signs what is accepted", async () => {
  // JWT takes no token address of its own: its signed assertion is sent by curl.
  const client = new JWT({
    email: key.client_email,
    key: key.private_key,
    keyId: key.private_key_id,
    scopes: [SCOPES.read],
  });
  const sent: string[] = [];
  client.transporter.request = ((options: { data?: unknown }) => {
    sent.push(new URLSearchParams(options.data as string).get('assertion') ?? '');
    return Promise.reject(new Error('not sent'));
  }) as typeof client.transporter.request;
  await client.getAccessToken().catch(() => undefined);
  expect(sent.length).toBeGreaterThan(0);
  const answer = await exchange(address, sent[0] ?? '');
  expect([answer.status, answer.json().token_type]).toEqual([200, 'Bearer']);
});

const SHORT_LIVED =
  'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.';

test.each<[string, Record<string, unknown>, Record<string, unknown>, string, string]>([
  [
    'another audience',
    { aud: 'https://example.com/token' },
    {},
    'invalid_grant',
    'Invalid JWT: Failed audience check.',
  ],
  [
    'a clock an hour behind',
    { iat: now - 7200, exp: now - 3600 },
    {},
    'invalid_grant',
    SHORT_LIVED,
  ],
  [
    'a clock ten minutes ahead',
    { iat: now + 600, exp: now + 4200 },
    {},
    'invalid_grant',
    SHORT_LIVED,
  ],
  ['two hours', { exp: now + 7200 }, {}, 'invalid_grant', SHORT_LIVED],
  ['no time at all', { iat: now, exp: now }, {}, 'invalid_grant', SHORT_LIVED],
  [
    'an unknown account',
    { iss: emailOf('nobody') },
    {},
    'invalid_grant',
    'Invalid grant: account not found',
  ],
  ['an unknown key', {}, { kid: 'unknown' }, 'invalid_grant', 'Invalid JWT Signature.'],
  ["another key's id", {}, { kid: 'second' }, 'invalid_grant', 'Invalid JWT Signature.'],
  [
    'no signature',
    {},
    { alg: 'none' },
    'invalid_grant',
    'Invalid JWT: the algorithm must be RS256.',
  ],
  [
    'a scope that is none',
    { scope: 'bogus' },
    {},
    'invalid_scope',
    'Invalid OAuth scope or ID token audience provided.',
  ],
  [
    'no scope',
    { scope: '' },
    {},
    'invalid_scope',
    'Invalid OAuth scope or ID token audience provided.',
  ],
])('refused: %s', async (_, claims, header, error, description) => {
  const answer = await exchange(address, assertion(key, { aud: address, ...claims }, header));
  expect([answer.status, answer.json()]).toEqual([400, { error, error_description: description }]);
});

test('a small skew is tolerated; a changed or cut assertion is not', async () => {
  const time = Math.floor(Date.now() / 1000);
  const skewed = assertion(key, { aud: address, iat: time + 30, exp: time + 3630 });
  expect((await exchange(address, skewed)).status).toBe(200);
  const good = assertion(key, { aud: address });
  const [head = '', , signature = ''] = good.split('.');
  const forged = Buffer.from(
    JSON.stringify({
      iss: key.client_email,
      aud: address,
      scope: SCOPES.full,
      iat: time,
      exp: time + 60,
    }),
  ).toString('base64url');
  expect((await exchange(address, `${head}.${forged}.${signature}`)).json().error_description).toBe(
    'Invalid JWT Signature.',
  );
  for (const broken of ['', 'a.b', 'a.b.c', good.slice(0, -9), `${good}.x`])
    expect((await exchange(address, broken)).json().error).toBe('invalid_grant');
  const other = await ask('', 'POST', address, {
    body: 'grant_type=refresh_token&refresh_token=x',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  });
  expect(other.json().error).toBe('unsupported_grant_type');
  expect((await ask('', 'GET', address)).status).toBe(405);
});
