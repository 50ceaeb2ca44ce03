import { expect, test } from 'vitest';
import { acceptedTokenUris, endpointsFromEnvironment } from '../../src/google/endpoints.ts';
import { GOOGLE_ENDPOINTS, googleEndpointsSchema } from '../../src/shared/endpoints.ts';
import { problemOf, valueOf } from '../main/temp.ts';
import { fc } from '../support/properties.ts';

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
  const endpoints = valueOf(endpointsFromEnvironment({ STORAGE_EMULATOR_HOST: value }));
  expect(endpoints).toEqual({ ...GOOGLE_ENDPOINTS, storage, emulated: true });
  expect(googleEndpointsSchema.safeParse(endpoints).success).toBe(true);
});

test.each([
  ['nonsense', 'STORAGE_EMULATOR_HOST is not an address.'],
  ['my-emulator', 'STORAGE_EMULATOR_HOST is not an address.'],
  [
    'http//127.0.0.1',
    "STORAGE_EMULATOR_HOST points to another machine; Trainyard moves Google's addresses only to this one (localhost, 127.0.0.0/8, [::1]).",
  ],
])(
  'STORAGE_EMULATOR_HOST=%s is no address of this machine, and none is made of it: %s',
  (value, message) => {
    const read = endpointsFromEnvironment({ STORAGE_EMULATOR_HOST: value });
    expect(read).toMatchObject({ ok: false, problem: { code: 'input.endpoint', message } });
  },
);

test('the token address keeps its path and is accepted in key files', () => {
  const endpoints = valueOf(
    endpointsFromEnvironment({ TRAINYARD_OAUTH_ENDPOINT: 'http://127.0.0.1:9/token/' }),
  );
  expect(endpoints.oauthToken).toBe('http://127.0.0.1:9/token');
  expect(acceptedTokenUris(endpoints)).toEqual([
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

const read = (url: string) => endpointsFromEnvironment({ TRAINYARD_OAUTH_ENDPOINT: url });
const path = fc.array(fc.stringMatching(/^[a-z0-9]{1,8}$/), { maxLength: 3 });
const port = fc.integer({ min: 1, max: 65_535 });

test('every host of this machine passes, at any port and path', () => {
  const host = fc.oneof(
    fc.constantFrom('localhost', '[::1]'),
    fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => `127.${parts.join('.')}`),
  );
  fc.assert(
    fc.property(fc.constantFrom('http', 'https'), host, port, path, (scheme, name, at, parts) => {
      const url = new URL(`${scheme}://${name}:${at}/${['token', ...parts].join('/')}`).href;
      expect(valueOf(read(url)).oauthToken).toBe(url);
    }),
  );
});

test('no other host passes, whatever it is', () => {
  const host = fc.oneof(
    fc.domain().filter((name) => name !== 'localhost'),
    fc.domain().map((name) => `127.0.0.1.${name}`),
    fc.domain().map((name) => `localhost.${name}`),
    fc.ipV4().filter((address) => !address.startsWith('127.')),
    fc.ipV6().map((address) => `[${address}]`),
  );
  fc.assert(
    fc.property(host, port, path, (name, at, parts) => {
      const text = `http://${name}:${at}/${parts.join('/')}`;
      // What is one of this machine's in another writing is none of this.
      fc.pre(!URL.canParse(text) || !/^(127\..*|\[::1\])$/.test(new URL(text).hostname));
      expect(problemOf(read(text)).code).toBe('input.endpoint');
    }),
  );
});
