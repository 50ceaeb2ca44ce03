import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { keyTokenSource, mintWithClock } from '../../src/google/access-token.ts';
import { checkAccess, oneToken } from '../../src/google/check-access.ts';
import { findPower, POWER_SCOPE } from '../../src/google/power.ts';
import { readObjectStart } from '../../src/google/read-object.ts';
import type { AccessUse } from '../../src/shared/access-check.ts';
import { ok } from '../../src/shared/problem.ts';
import { emailOf } from '../emulator/start.ts';
import { PROXY_VARIABLES, startConnectProxy, type ConnectProxy } from '../support/connect-proxy.ts';
import { startGrantWorld, type GrantWorld } from './grant-world.ts';

/** Google at names that no name server knows: only the proxy can reach them. */
const away = (name: string): string => `http://${name}.trainyard-test.invalid`;
const IN = 'input-data-bucket';
const OUT = 'artifacts-bucket';
const before = PROXY_VARIABLES.map((name) => [name, process.env[name]] as const);
const signal = new AbortController().signal;
const clear = (): void => {
  for (const name of PROXY_VARIABLES) Reflect.deleteProperty(process.env, name);
};

let world: GrantWorld;
let proxy: ConnectProxy;
beforeAll(async () => {
  clear();
  world = await startGrantWorld({
    accounts: ['lab'],
    grants: [
      `${emailOf('lab')}=roles/storage.objectViewer@${IN}`,
      `${emailOf('lab')}=roles/storage.objectCreator@${OUT}`,
    ],
    buckets: [IN, OUT],
  });
  await world.put(IN, 'data/a', 'content');
  proxy = await startConnectProxy(world.emulator.url);
  process.env['HTTP_PROXY'] = proxy.url;
}, 60_000);
afterEach(() => proxy.forget());
afterAll(async () => {
  clear();
  for (const [name, was] of before) if (was !== undefined) process.env[name] = was;
  await proxy.stop();
  await world.emulator.stop();
});

/** The emulator's paths, at the names that only the proxy knows. */
const endpoints = () => ({
  ...world.endpoints,
  storage: away('storage'),
  oauthToken: `${away('oauth2')}${new URL(world.endpoints.oauthToken).pathname}`,
  resourceManager: away('resources'),
  // None of them is on this machine.
  emulated: false,
});
const ladder = (address: string, use: AccessUse) => {
  const key = world.key('lab');
  return checkAccess({
    address,
    for: use,
    endpoints: endpoints(),
    signal,
    account: key.clientEmail,
    mint: async () => {
      const purpose = use === 'input' ? 'read' : 'write';
      const minted = await mintWithClock(key, purpose, endpoints(), { signal });
      if (!minted.ok) return minted;
      const { access, skewMs } = minted.value;
      return ok({ tokens: oneToken(key.clientEmail, access), skewMs });
    },
  });
};

it('every step of the ladder passes behind a proxy, the reading of an object too', async () => {
  const input = await ladder(`gs://${IN}/data/`, 'input');
  expect(input.rungs.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'address pass',
    'token pass',
    'permissions pass',
    'list pass',
    'read pass',
  ]);
  expect(new Set(proxy.asked())).toEqual(
    new Set(['oauth2.trainyard-test.invalid:80', 'storage.trainyard-test.invalid:80']),
  );
  const output = await ladder(`gs://${OUT}/results/`, 'output');
  expect(output.rungs.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'address pass',
    'token pass',
    'permissions pass',
    'create pass',
  ]);
}, 30_000);

it('the start of an object and the question about power go through it as well', async () => {
  const tokens = keyTokenSource(world.key('lab'), [POWER_SCOPE], endpoints());
  const read = await readObjectStart({
    endpoints: endpoints(),
    tokens,
    bucket: IN,
    name: 'data/a',
    maxBytes: 4,
    signal,
    deadlineMs: 5_000,
  });
  expect(read.ok ? Buffer.from(read.value.bytes).toString() : read.problem).toBe('cont');
  const power = await findPower({
    endpoints: endpoints(),
    signal,
    tokens,
    project: 'demo-project',
    bucket: null,
    deadlineMs: 5_000,
  });
  expect(power.state).toBe('nothing-found');
  expect(proxy.asked()).toContain('resources.trainyard-test.invalid:80');
}, 30_000);
