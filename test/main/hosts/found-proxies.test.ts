import { expect, it } from 'vitest';
import { foundProxy, proxyForPrograms } from '../../../src/agent/found-proxy.ts';
import { withoutControls } from '../../../src/agent/own-environment.ts';
import { DESKTOP, readProxy, routeFor, type Route } from '../../../src/google/routes.ts';
import { codeAddresses, foundVariables } from '../../../src/main/hosts/local/found-proxies.ts';

const DIRECT: Route = { kind: 'direct' };
const routes = [
  { host: 'storage.googleapis.com', route: readProxy('http://proxy:3128', DESKTOP) },
  { host: 'git.example.org', route: DIRECT },
];

it('an agent reaches what it asks as the window does', () => {
  const found = foundVariables(routes);
  const inAgent = { ...withoutControls(found), ...foundProxy(found) };
  expect(routeFor('https://storage.googleapis.com/', inAgent)).toEqual(routes[0]?.route);
  expect(routeFor('https://git.example.org/', inAgent)).toEqual(DIRECT);
  expect(foundVariables([{ host: 'storage.googleapis.com', route: DIRECT }])).toEqual({});
});

it('git is told in its own words, unless the login shell names a proxy; workers are not told', () => {
  const found = { ...foundVariables(routes) };
  expect(proxyForPrograms(found, { HOME: '/home/u' })).toEqual({
    HOME: '/home/u',
    http_proxy: 'http://proxy:3128',
    https_proxy: 'http://proxy:3128',
    no_proxy: 'localhost,127.0.0.1,::1,git.example.org',
  });
  expect(proxyForPrograms(found, { https_proxy: 'http://other:1' })).toEqual({
    https_proxy: 'http://other:1',
  });
  expect(proxyForPrograms({}, { HOME: '/home/u' })).toEqual({ HOME: '/home/u' });
  expect(withoutControls(found)).toEqual({});
});

it('the address of a plan’s code is asked about where it is one of the web', () => {
  const plan = (url: string) => ({ code: { kind: 'git', url, ref: null } });
  expect(codeAddresses(plan('https://git.example.org/a.git'))).toEqual([
    'https://git.example.org/a.git',
  ]);
  expect(codeAddresses(plan('git@example.org:a.git'))).toEqual([]);
  expect(codeAddresses({ code: { kind: 'dir', path: '/x' } })).toEqual([]);
  expect(codeAddresses(null)).toEqual([]);
});
