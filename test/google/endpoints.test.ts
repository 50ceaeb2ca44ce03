import fc from 'fast-check';
import { expect, test } from 'vitest';
import { acceptedTokenUris, endpointsFromEnvironment } from '../../src/google/endpoints.ts';
import { GOOGLE_ENDPOINTS, googleEndpointsSchema } from '../../src/shared/endpoints.ts';

const VARIABLES = [
  'STORAGE_EMULATOR_HOST',
  'TRAINYARD_OAUTH_ENDPOINT',
  'TRAINYARD_STS_ENDPOINT',
  'TRAINYARD_RESOURCE_MANAGER_ENDPOINT',
];

test('without variables, and with empty ones, Google’s own addresses are in force', () => {
  expect(endpointsFromEnvironment({})).toEqual({ ok: true, value: GOOGLE_ENDPOINTS });
  expect(endpointsFromEnvironment({ STORAGE_EMULATOR_HOST: '' })).toEqual({
    ok: true,
    value: GOOGLE_ENDPOINTS,
  });
  expect(acceptedTokenUris(GOOGLE_ENDPOINTS)).toEqual([GOOGLE_ENDPOINTS.oauthToken]);
});

test.each([
  ['127.0.0.1:9199', 'http://127.0.0.1:9199'],
  ['localhost:9199', 'http://localhost:9199'],
  ['http://127.0.0.1:9199/', 'http://127.0.0.1:9199'],
  ['http://127.3.2.1:80', 'http://127.3.2.1'],
  ['https://localhost:8443', 'https://localhost:8443'],
  ['http://[::1]:9199', 'http://[::1]:9199'],
  ['[::1]:9199', 'http://[::1]:9199'],
  ['http://127.1:9199', 'http://127.0.0.1:9199'],
])('STORAGE_EMULATOR_HOST=%s is %s', (value, storage) => {
  const read = endpointsFromEnvironment({ STORAGE_EMULATOR_HOST: value });
  expect(read).toEqual({ ok: true, value: { ...GOOGLE_ENDPOINTS, storage, emulated: true } });
  if (read.ok) expect(googleEndpointsSchema.safeParse(read.value).success).toBe(true);
});

test.each(['nonsense', 'http//127.0.0.1', 'my-emulator'])(
  'STORAGE_EMULATOR_HOST=%s is no address of this machine, and none is made of it',
  (value) => {
    const read = endpointsFromEnvironment({ STORAGE_EMULATOR_HOST: value });
    expect(read).toMatchObject({ ok: false, problem: { code: 'input.endpoint' } });
    if (!read.ok && !value.includes('.'))
      expect(read.problem.message).toBe('STORAGE_EMULATOR_HOST is not an address.');
  },
);

test('the token address keeps its path and is accepted in key files', () => {
  const read = endpointsFromEnvironment({ TRAINYARD_OAUTH_ENDPOINT: 'http://127.0.0.1:9/token/' });
  if (!read.ok) throw new Error(read.problem.message);
  expect(read.value.oauthToken).toBe('http://127.0.0.1:9/token');
  expect(acceptedTokenUris(read.value)).toEqual([
    GOOGLE_ENDPOINTS.oauthToken,
    'http://127.0.0.1:9/token',
  ]);
});

test.each([
  'http://storage.example',
  'http://10.0.0.1:9199',
  'http://127.0.0.1.evil.example',
  'http://localhost.evil.example:80',
  'http://evil.localhost:9199',
  'http://[::ffff:10.0.0.1]',
  'http://0.0.0.0:9199',
  'http://user:pass@127.0.0.1:9199',
  'http://user@127.0.0.1:9199',
  'http://127.0.0.1@evil.example',
  'http://evil.example#127.0.0.1',
  'http://127.0.0.1:9199/?x=1',
  'ftp://127.0.0.1/',
  'file:///etc/passwd',
  'http://',
  'http://127.0.0.1:99999',
])('%s is refused in every variable, which is named; the value is not repeated', (value) => {
  for (const variable of VARIABLES) {
    const read = endpointsFromEnvironment({ [variable]: value });
    if (read.ok) throw new Error('It was accepted.');
    expect(read.problem.code).toBe('input.endpoint');
    expect(read.problem.subject).toBe(variable);
    expect(read.problem.message).toContain(variable);
    expect(JSON.stringify(read.problem)).not.toContain('evil');
  }
});

test('only loopback hosts pass, whatever they are', () => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: false }), (url) => {
      const read = endpointsFromEnvironment({ TRAINYARD_OAUTH_ENDPOINT: url });
      if (read.ok) expect(new URL(url).hostname).toMatch(/^(localhost|127\..*|\[::1\])$/);
    }),
  );
});
