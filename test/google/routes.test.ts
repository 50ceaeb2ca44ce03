import { describe, expect, it } from 'vitest';
import {
  DESKTOP,
  FOUND,
  isExempt,
  isLoopback,
  readProxy,
  routeFor,
  routeOfPac,
  shownProxy,
  type Route,
} from '../../src/google/routes.ts';

const GOOGLE = 'https://storage.googleapis.com/storage/v1/b';
const PLAIN = 'http://storage.example.org/';

/** `direct`, `unusable` or the shown address, and where it comes from. */
const told = (route: Route): string =>
  route.kind === 'proxy' ? `${shownProxy(route.proxy)} ${route.proxy.from}` : route.kind;

describe('the variables of proxies', () => {
  it.each<[string, Record<string, string>, string, string]>([
    ['none', {}, GOOGLE, 'direct'],
    ['an empty one', { HTTPS_PROXY: ' ', NO_PROXY: 'x' }, GOOGLE, 'direct'],
    ['without a scheme', { HTTPS_PROXY: 'proxy:3128' }, GOOGLE, 'http://proxy:3128 HTTPS_PROXY'],
    ['HTTP_PROXY is not about https', { HTTP_PROXY: 'http://a:1' }, GOOGLE, 'direct'],
    ['HTTP_PROXY is about http', { HTTP_PROXY: 'http://a:1' }, PLAIN, 'http://a:1 HTTP_PROXY'],
    ['HTTPS_PROXY is not about http', { HTTPS_PROXY: 'http://a:1' }, PLAIN, 'direct'],
    [
      'small letters win',
      { https_proxy: 'http://a:1', HTTPS_PROXY: 'http://b:1' },
      GOOGLE,
      'http://a:1 https_proxy',
    ],
    ['ALL_PROXY is about both', { ALL_PROXY: 'http://a:1' }, GOOGLE, 'http://a:1 ALL_PROXY'],
    ['all_proxy, too', { all_proxy: 'http://a:1' }, PLAIN, 'http://a:1 all_proxy'],
    [
      'the scheme’s own comes before it',
      { ALL_PROXY: 'http://a:1', HTTPS_PROXY: 'https://b:2' },
      GOOGLE,
      'https://b:2 HTTPS_PROXY',
    ],
    ['SOCKS', { ALL_PROXY: 'socks5h://a' }, GOOGLE, 'socks5://a:1080 ALL_PROXY'],
    ['SOCKS 4', { ALL_PROXY: 'socks4://a:1080' }, GOOGLE, 'unusable'],
    ['no address', { HTTPS_PROXY: 'http://' }, GOOGLE, 'unusable'],
    ['no port', { HTTPS_PROXY: 'http://a:99999' }, GOOGLE, 'unusable'],
    ['this machine', { ALL_PROXY: 'http://a:1' }, 'http://127.0.0.1:4443/', 'direct'],
    ['NO_PROXY', { HTTPS_PROXY: 'a:1', NO_PROXY: 'googleapis.com' }, GOOGLE, 'direct'],
    ['no_proxy', { HTTPS_PROXY: 'a:1', no_proxy: '*' }, GOOGLE, 'direct'],
    ['what the window found', { [FOUND.proxy]: 'http://a:1' }, GOOGLE, `http://a:1 ${DESKTOP}`],
    [
      'what is exempt in it',
      { [FOUND.proxy]: 'http://a:1', [FOUND.exempt]: 'storage.googleapis.com' },
      GOOGLE,
      'direct',
    ],
    ['variables come before it', { [FOUND.proxy]: 'a:1', HTTP_PROXY: 'b:1' }, GOOGLE, 'direct'],
  ])('%s', (_, env, address, route) => {
    expect(told(routeFor(address, env))).toBe(route);
  });

  it.each([
    ['http://user:hunter2@proxy:3128', 'user', 'hunter2'],
    ['user:hunter2@proxy:3128', 'user', 'hunter2'],
    ['http://DOMAIN%5Cuser:p%40ss%3Aword%25@proxy:3128/', 'DOMAIN\\user', 'p@ss:word%'],
    // As people write them: not percent-encoded.
    ['http://user:p@ss#w/rd%@proxy:3128', 'user', 'p@ss#w/rd%'],
    ['http://user@proxy:3128', 'user', null],
    ['http://proxy:3128', null, null],
  ])('%s has its user name and password, which are not shown', (text, user, password) => {
    const route = readProxy(text, 'HTTPS_PROXY');
    expect(route).toMatchObject({ kind: 'proxy', proxy: { user, password } });
    expect(told(route)).toBe('http://proxy:3128 HTTPS_PROXY');
  });

  it('say of an unusable one what is wrong, without its password', () => {
    const route = readProxy('ftp://user:hunter2@proxy:21', 'ALL_PROXY');
    expect(route).toMatchObject({ kind: 'unusable', from: 'ALL_PROXY' });
    expect(JSON.stringify(route)).toContain('ftp://');
    expect(JSON.stringify(route)).not.toContain('hunter2');
  });
});

describe('NO_PROXY', () => {
  it.each([
    ['*', 'storage.googleapis.com', 443],
    ['example.org, googleapis.com', 'storage.googleapis.com', 443],
    ['example.org googleapis.com', 'storage.googleapis.com', 443],
    ['.googleapis.com', 'storage.googleapis.com', 443],
    ['*.googleapis.com', 'storage.googleapis.com', 443],
    ['.googleapis.com', 'googleapis.com', 443],
    ['Storage.GoogleAPIs.com.', 'storage.googleapis.com', 443],
    ['storage.googleapis.com:443', 'storage.googleapis.com', 443],
    ['10.0.0.0/8', '10.20.30.40', 80],
    ['10.20.30.40', '10.20.30.40', 80],
    ['fd00::/8', '[fd00::1]', 443],
    ['[fd00::1]:443', '[fd00::1]', 443],
    ['fd00:0::1', '[fd00::1]', 443],
    ['<local>', 'intranet', 80],
  ])('%s names %s', (list, host, port) => {
    expect(isExempt(host, port, list)).toBe(true);
  });
  it.each([
    ['', 'storage.googleapis.com', 443],
    ['apis.com', 'storage.googleapis.com', 443],
    ['*.googleapis.com', 'googleapis.com', 443],
    ['storage.googleapis.com:80', 'storage.googleapis.com', 443],
    ['10.0.0.0/8', '11.0.0.1', 80],
    ['10.0.0.0/8', 'storage.googleapis.com', 443],
    ['10.0.0.0/99', '10.0.0.1', 80],
    ['<local>', 'storage.googleapis.com', 443],
  ])('%s does not name %s', (list, host, port) => {
    expect(isExempt(host, port, list)).toBe(false);
  });
});

it.each([
  ['DIRECT', 'direct'],
  ['', 'direct'],
  ['PROXY proxy:3128; DIRECT', `http://proxy:3128 ${DESKTOP}`],
  ['HTTPS proxy:443', `https://proxy:443 ${DESKTOP}`],
  ['SOCKS5 proxy:1080;DIRECT', `socks5://proxy:1080 ${DESKTOP}`],
  ['SOCKS4 old:1080; PROXY proxy:3128', `http://proxy:3128 ${DESKTOP}`],
  ['SOCKS4 old:1080', 'unusable'],
])('a desktop that answers %j leads there', (answer, route) => {
  expect(told(routeOfPac(answer))).toBe(route);
});

it('this machine is known', () => {
  expect(['localhost', '127.0.0.1', '127.8.0.1', '[::1]'].every(isLoopback)).toBe(true);
  expect(
    ['127.evil.example', 'localhost.example', 'x.localhost', '10.0.0.1'].some(isLoopback),
  ).toBe(false);
});
