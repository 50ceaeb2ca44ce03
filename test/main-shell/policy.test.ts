import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { environmentForChildren } from '../../src/main/app/environment.ts';
import {
  assetFile,
  contentType,
  isPageAddress,
  isWithin,
  mayCall,
  mayHaveInNotebook,
  mayHavePermission,
  mayLoad,
  mayLoadInNotebook,
  mayOpenOutside,
} from '../../src/main/app/policy.ts';
import { fc } from '../support/properties.ts';

const ROOT = resolve('/application/renderer');

describe('addresses', () => {
  it('takes the page for its own at the exact origin alone', () => {
    expect(isPageAddress('app://trainyard/index.html')).toBe(true);
    for (const other of [
      'app://trainyard.example/index.html',
      'app://trainyard:80/',
      'app://x@trainyard/',
      'app:trainyard/',
      'apps://trainyard/',
      'https://trainyard/',
      'file:///app://trainyard/',
      'null',
      '',
    ])
      expect(isPageAddress(other), other).toBe(false);
  });

  it('opens https alone outside, and nothing that carries a name or password', () => {
    expect(mayOpenOutside('https://cloud.google.com/storage')).toBe(true);
    for (const other of [
      'http://cloud.google.com/',
      'file:///etc/passwd',
      'smb://host/share',
      'javascript:alert(1)',
      'https://user:word@example.com/',
      'https://user@example.com/',
      'ms-settings:',
      'not an address',
    ])
      expect(mayOpenOutside(other), other).toBe(false);
  });

  it('loads from the application and from memory alone', () => {
    expect(mayLoad('app://trainyard/assets/index.js')).toBe(true);
    expect(mayLoad('blob:app://trainyard/1')).toBe(true);
    for (const other of ['https://example.com/', 'ws://127.0.0.1/', 'file:///etc/passwd', ''])
      expect(mayLoad(other), other).toBe(false);
  });
});

describe('assetFile', () => {
  it('names files below the root', () => {
    expect(assetFile(ROOT, 'app://trainyard/')).toBe(resolve(ROOT, 'index.html'));
    expect(assetFile(ROOT, 'app://trainyard/assets/a%20b.js?x#y')).toBe(
      resolve(ROOT, 'assets/a b.js'),
    );
  });

  it('refuses other hosts, NUL, backslashes and broken escapes', () => {
    for (const address of [
      'app://elsewhere/index.html',
      'https://trainyard/index.html',
      'app://trainyard/%00',
      'app://trainyard/..%5c..%5cx',
      'app://trainyard/%E0%A4%A',
    ])
      expect(assetFile(ROOT, address), address).toBeNull();
  });

  it('never leaves the root, whatever the path', () => {
    const segment = fc.oneof(
      fc.constantFrom('..', '.', '', '%2e%2e', '%2E%2e', '..%2f', '%2f', '%252e%252e', '~', 'a'),
      fc.string({ maxLength: 6 }),
    );
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 8 }), (segments) => {
        const file = assetFile(ROOT, `app://trainyard/${segments.join('/')}`);
        fc.pre(file !== null);
        expect(file.startsWith(`${ROOT}/`), file).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('knows the types of what a window is made of', () => {
    expect(contentType('/x/index.HTML')).toBe('text/html; charset=utf-8');
    expect(contentType('/x/a.js')).toBe('text/javascript; charset=utf-8');
    expect(contentType('/x/unknown')).toBe('application/octet-stream');
  });
});

describe('who may call', () => {
  const caller = { origin: 'app://trainyard', isMainFrame: true, isOwnWindow: true };
  it('is the main frame of the own window at the exact origin', () => {
    expect(mayCall(caller)).toBe(true);
    expect(mayCall({ ...caller, isMainFrame: false })).toBe(false);
    expect(mayCall({ ...caller, isOwnWindow: false })).toBe(false);
    for (const origin of ['app://trainyard/', 'app://trainyard.example', 'null', 'file://', ''])
      expect(mayCall({ ...caller, origin }), origin).toBe(false);
  });

  it('grants the page to write the clipboard, and nothing else to anyone', () => {
    expect(mayHavePermission('clipboard-sanitized-write', 'app://trainyard/')).toBe(true);
    expect(mayHavePermission('clipboard-sanitized-write', 'https://example.com/')).toBe(false);
    for (const permission of ['clipboard-read', 'media', 'geolocation', 'openExternal', 'hid'])
      expect(mayHavePermission(permission, 'app://trainyard/'), permission).toBe(false);
  });
});

it('leaves the switches of Electron out of the environment of children', () => {
  expect(
    environmentForChildren({
      ELECTRON_RUN_AS_NODE: '1',
      CHROME_DESKTOP: 'x',
      PATH: '/bin',
      TRAINYARD_HOME: '/h',
    }),
  ).toEqual({ PATH: '/bin', TRAINYARD_HOME: '/h' });
});

describe('a notebook', () => {
  const origin = 'http://127.0.0.1:30123';

  it.each([
    `${origin}/tree`,
    'ws://127.0.0.1:30123/api/kernels/1/channels',
    'blob:http://127.0.0.1:30123/1',
    'data:text/plain,1',
    'about:blank',
    'about:srcdoc',
  ])('may load %s', (address) => expect(mayLoadInNotebook(address, origin)).toBe(true));

  it.each([
    'app://trainyard/index.html',
    'file:///etc/passwd',
    'http://127.0.0.1:30124/',
    'http://127.0.0.1/',
    'https://127.0.0.1:30123/',
    'http://localhost:30123/',
    'http://user@127.0.0.1:30123/',
    'http://127.0.0.1:30123@evil.example/',
    'http://127.0.0.1:30123.evil.example/',
    'wss://127.0.0.1:30123/',
    'https://example.com/',
    'about:srcdoc?',
    'javascript:1',
    '',
  ])('may not load %s', (address) => {
    expect(mayLoadInNotebook(address, origin)).toBe(false);
    expect(isWithin(address, origin)).toBe(false);
  });

  it('may ask for copying to the clipboard alone, from its own pages', () => {
    expect(mayHaveInNotebook('clipboard-sanitized-write', `${origin}/tree`, origin)).toBe(true);
    expect(mayHaveInNotebook('clipboard-sanitized-write', 'app://trainyard', origin)).toBe(false);
    for (const permission of [
      'clipboard-read',
      'media',
      'geolocation',
      'notifications',
      'openExternal',
    ])
      expect(mayHaveInNotebook(permission, `${origin}/tree`, origin)).toBe(false);
  });
});
