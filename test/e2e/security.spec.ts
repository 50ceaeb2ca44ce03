import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ElectronApplication, Page } from '@playwright/test';
import type {} from '../../src/renderer/client.ts';
import { PAGE_ORIGIN } from '../../src/shared/page-origin.ts';
import { expect, test } from './support/test.ts';
import { writeRun } from './support/runs.ts';
import { FINISHED } from './support/samples.ts';

/** What the page can reach beyond the web's own: read by text, so that a page that lacks it does not stop the test. */
const inPage = <T>(page: Page, code: string): Promise<T> => page.evaluate<T>(code);

const openAddress = (application: ElectronApplication) =>
  application.evaluate(({ BrowserWindow }) =>
    BrowserWindow.getAllWindows()[0]?.webContents.getURL(),
  );

test('the window has the preferences that the security list names', async ({ shared }) => {
  const { application, page } = await shared.launch();
  const preferences = await application.evaluate(({ BrowserWindow }) => {
    const contents = BrowserWindow.getAllWindows()[0]?.webContents as unknown as {
      getLastWebPreferences: () => Record<string, unknown>;
    };
    return contents.getLastWebPreferences();
  });
  expect(preferences).toMatchObject({
    contextIsolation: true,
    sandbox: true,
    nodeIntegration: false,
    webSecurity: true,
    webviewTag: false,
  });
  expect(preferences['nodeIntegrationInWorker'] ?? false).toBe(false);
  expect(preferences['nodeIntegrationInSubFrames'] ?? false).toBe(false);
  expect(preferences['allowRunningInsecureContent'] ?? false).toBe(false);
  expect(
    await inPage(page, `[typeof require, typeof process, typeof module, typeof Buffer].join()`),
  ).toBe('undefined,undefined,undefined,undefined');
  expect(await inPage(page, `Object.keys(window.trainyard).sort().join()`)).toBe(
    'call,pathOf,subscribe',
  );
  expect(await inPage(page, `location.origin`)).toBe(PAGE_ORIGIN);
  expect(await inPage(page, `isSecureContext`)).toBe(true);
});

test('the page is served with its policy, and the policy holds', async ({ shared }) => {
  const { page } = await shared.launch();
  const headers = await page.evaluate(async () => {
    const answer = await fetch('/index.html');
    return Object.fromEntries(answer.headers.entries());
  });
  expect(headers['content-security-policy']).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  expect(headers['x-content-type-options']).toBe('nosniff');

  const inline = await page.evaluate(async () => {
    const script = document.createElement('script');
    script.textContent = 'window.__ran = true';
    document.body.append(script);
    await new Promise((resolve) => setTimeout(resolve, 50));
    return '__ran' in window;
  });
  expect(inline).toBe(false);
  expect(
    // The page's own evaluation of text, not Playwright's.
    await inPage(
      page,
      `new Promise((resolve) => {
        addEventListener('securitypolicyviolation', (event) => resolve(event.blockedURI), { once: true });
        setTimeout('window.__ran = true', 0);
        setTimeout(() => resolve('nothing was blocked'), 1000);
      })`,
    ),
  ).toBe('eval');
});

test('the page breaks none of its own rules', async ({ shared }) => {
  await writeRun(shared.home, FINISHED);
  const { page } = await shared.launch();
  const messages: string[] = [];
  page.on('console', (message) => messages.push(message.text()));
  page.on('pageerror', (error) => messages.push(error.message));
  await page.reload();
  await expect(page.getByRole('log')).toContainText('accuracy');
  expect(messages).toEqual([]);
});

test('app:// serves the built window and nothing beside it', async ({ shared }) => {
  const { page } = await shared.launch();
  const status = (path: string) =>
    page.evaluate(
      (address) =>
        fetch(address).then(
          (answer) => answer.status,
          () => 'refused',
        ),
      path,
    );
  expect(await status('/index.html')).toBe(200);
  expect(await status('/nothing.js')).toBe(404);
  for (const path of [
    '/../main/index.mjs',
    '/%2e%2e/main/index.mjs',
    '/..%2fmain%2findex.mjs',
    '/..%5cmain%5cindex.mjs',
    '/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    '//etc/passwd',
    '/%00',
    'app://elsewhere/index.html',
  ])
    expect(await status(path), path).not.toBe(200);
  expect(
    await page.evaluate(() => fetch('/index.html', { method: 'POST' }).then((a) => a.status)),
  ).toBe(405);
});

test('the page reaches no network and no file', async ({ profile }) => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.end('seen');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const outside = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const secret = join(profile.home, 'secret.html');
    await writeFile(secret, '<title>secret</title>');
    const { application, page } = await profile.launch();
    const attempt = (address: string) =>
      page.evaluate(async (target) => {
        const load = (element: HTMLImageElement | HTMLIFrameElement) =>
          new Promise<string>((resolve) => {
            element.onload = () => resolve('loaded');
            element.onerror = () => resolve('refused');
            setTimeout(() => resolve('refused'), 500);
            element.src = target;
            document.body.append(element);
          });
        return {
          fetch: await fetch(target).then(
            () => 'loaded',
            () => 'refused',
          ),
          image: await load(new Image()),
        };
      }, address);
    for (const address of [outside, `file://${secret}`, outside.replace('http', 'ws')])
      expect(await attempt(address), address).toEqual({ fetch: 'refused', image: 'refused' });

    // Not by the page's policy alone: the session refuses what the main process itself asks it to load.
    const loads = await application.evaluate(
      async ({ BrowserWindow }, addresses) => {
        const window = new BrowserWindow({ show: false });
        const seen: string[] = [];
        for (const address of addresses)
          seen.push(
            await window.loadURL(address).then(
              () => 'loaded',
              () => 'refused',
            ),
          );
        window.destroy();
        return seen;
      },
      [outside, `file://${secret}`],
    );
    expect(loads).toEqual(['refused', 'refused']);
    expect(asked).toBe(0);
  } finally {
    server.close();
  }
});

test('the page goes nowhere, opens nothing and embeds nothing', async ({ profile }) => {
  const { application, page } = await profile.launch();
  const opened = () =>
    application.evaluate(({ shell }) => {
      const calls: string[] = [];
      shell.openExternal = async (address: string) => {
        calls.push(address);
      };
      (globalThis as unknown as { outside: string[] }).outside = calls;
    });
  await opened();
  const before = await openAddress(application);
  await page.evaluate('window.stillHere = true');
  for (const target of [
    'https://example.com/',
    'file:///etc/passwd',
    'app://elsewhere/',
    'app://trainyard/assets/',
    'data:text/html,hello',
    'javascript:document.title="x"',
  ])
    await page.evaluate((address) => {
      const link = document.createElement('a');
      link.href = address;
      document.body.append(link);
      link.click();
      link.remove();
    }, target);
  await page.waitForTimeout(300);
  expect(await openAddress(application)).toBe(before);
  expect(await inPage(page, '[window.stillHere, document.title].join()')).toBe('true,Trainyard');

  for (const target of [
    'https://example.com/help',
    'http://example.com/',
    'https://name:word@example.com/',
    'file:///etc/passwd',
    'smb://host/share',
    'about:blank',
  ])
    expect(await page.evaluate((address) => window.open(address) === null, target)).toBe(true);
  expect(application.windows()).toHaveLength(1);
  expect(
    await application.evaluate(() => (globalThis as unknown as { outside: string[] }).outside),
  ).toEqual(['https://example.com/help']);

  // A server's redirection is followed by no contents, not even in a session without our guards.
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(request.url === '/from' ? 302 : 200, { location: '/to' }).end('here');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const port = (server.address() as AddressInfo).port;
    const loads = await application.evaluate(async ({ BrowserWindow }, origin) => {
      const window = new BrowserWindow({ show: false, webPreferences: { partition: 'other' } });
      const seen: string[] = [];
      for (const path of ['/plain', '/from'])
        seen.push(
          await window.loadURL(`${origin}${path}`).then(
            () => 'loaded',
            () => 'refused',
          ),
        );
      window.destroy();
      return seen;
    }, `http://127.0.0.1:${port}`);
    expect(loads).toEqual(['loaded', 'refused']);
    expect(asked).not.toContain('/to');
  } finally {
    server.close();
    server.closeAllConnections();
  }

  await page.evaluate(() => {
    const frame = document.createElement('iframe');
    frame.src = 'app://trainyard/index.html';
    document.body.append(frame);
  });
  await page.waitForTimeout(300);
  // A frame that had loaded would be of the page's own origin and open to it.
  expect(await inPage(page, `document.querySelector('iframe').contentDocument === null`)).toBe(
    true,
  );
});

test('every permission is refused but writing the clipboard', async ({ profile }) => {
  const { page } = await profile.launch();
  const states = await page.evaluate(async () => {
    const ask = async (name: string) => {
      try {
        return (await navigator.permissions.query({ name: name as PermissionName })).state;
      } catch {
        return 'unknown';
      }
    };
    return {
      geolocation: await ask('geolocation'),
      notifications: await ask('notifications'),
      camera: await ask('camera'),
      microphone: await ask('microphone'),
      midi: await ask('midi'),
      clipboardRead: await ask('clipboard-read'),
      notification: await Notification.requestPermission(),
      media: await navigator.mediaDevices.getUserMedia({ audio: true }).then(
        () => 'granted',
        () => 'denied',
      ),
      clipboard: await navigator.clipboard.readText().then(
        () => 'granted',
        () => 'denied',
      ),
    };
  });
  expect(new Set(Object.values(states))).toEqual(new Set(['denied']));
});

test('the door rejects unknown calls, wrong arguments and other frames', async ({ profile }) => {
  const { application, page } = await profile.launch();
  const call = (name: string, args: unknown) =>
    page.evaluate(
      ([channel, value]) =>
        window.trainyard.call(channel as 'about', value as Record<string, never>).then(
          () => 'answered',
          (error: unknown) => String(error),
        ),
      [name, args] as const,
    );
  expect(await call('about', {})).toBe('answered');
  expect(await call('about', { more: 1 })).toContain('refused');
  expect(await call('jobs-stop', { id: 7 })).toContain('refused');
  expect(
    await call('jobs-read-log', { id: 'x', source: '../plan.json', offset: 0, maxBytes: 9 }),
  ).toContain('refused');
  expect(await call('jobs-read-log', { id: 'x', source: 0, offset: -1, maxBytes: 9 })).toContain(
    'refused',
  );
  expect(await call('jobs-read-log', { id: 'x', source: 0, offset: 0, maxBytes: 1e12 })).toContain(
    'refused',
  );
  expect(await call('ELECTRON_BROWSER_GET_VERSION', {})).toContain('refused');
  expect(
    await page.evaluate(() => {
      try {
        window.trainyard.subscribe('ELECTRON' as 'jobs-gone', () => undefined);
        return 'subscribed';
      } catch (error) {
        return String(error);
      }
    }),
  ).toContain('refused');

  // A page of another window, with our preload: it may ask, and is refused; at another address the same.
  const preload = join(import.meta.dirname, '..', '..', 'out', 'preload', 'index.cjs');
  const answers = await application.evaluate(
    async ({ BrowserWindow }, [file, address]) => {
      const other = new BrowserWindow({
        show: false,
        webPreferences: { preload: file, contextIsolation: true, sandbox: true },
      });
      const seen: unknown[] = [];
      for (const target of [address, 'data:text/html,elsewhere']) {
        await other.loadURL(target);
        seen.push(
          await other.webContents.executeJavaScript(
            `window.trainyard.call('jobs-list', {}).then(() => 'answered', (error) => String(error))`,
          ),
        );
      }
      other.destroy();
      return seen;
    },
    [preload, `${PAGE_ORIGIN}/index.html`] as const,
  );
  expect(answers).toHaveLength(2);
  for (const answer of answers) expect(answer).toContain('refused: not the window');
});

test('what is not a job answers with a problem', async ({ profile }) => {
  const { page } = await profile.launch();
  for (const id of ['../../etc', '20260101-000000-zzzzzz']) {
    const stop = await page.evaluate((job) => window.trainyard.call('jobs-stop', { id: job }), id);
    expect(stop).toMatchObject({ ok: false, problem: { code: expect.stringMatching(/^input\./) } });
    const read = await page.evaluate(
      (job) =>
        window.trainyard.call('jobs-read-log', { id: job, source: 0, offset: 0, maxBytes: 10 }),
      id,
    );
    expect(read.ok).toBe(false);
  }
});
