import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { startEmulator } from '../emulator/start.ts';
import { ISSUER, startConnectProxy, startGoogleFront } from '../support/connect-proxy.ts';
import { expect, test } from './support/test.ts';

test.describe.configure({ timeout: 120_000 });

test('the proxy of the desktop’s settings leads the window, and the agent that it starts', async ({
  profile,
}) => {
  const emulator = await startEmulator({ open: true });
  const front = await startGoogleFront(emulator.url);
  const proxy = await startConnectProxy(front.url);
  try {
    const json = { 'content-type': 'application/json' };
    const made = await fetch(`${emulator.url}/storage/v1/b?project=p`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ name: 'the-bucket' }),
    });
    expect(made.status).toBe(200);
    const upload = `${emulator.url}/upload/storage/v1/b/the-bucket/o?uploadType=media&name=a.txt`;
    await fetch(upload, { method: 'POST', body: 'alpha' });

    // As KDE's settings keep it.
    const folder = dirname(profile.home);
    await mkdir(join(folder, 'user', '.config'), { recursive: true });
    const { hostname, port } = new URL(proxy.url);
    await writeFile(
      join(folder, 'user', '.config', 'kioslaverc'),
      `[Proxy Settings]\nProxyType=1\nhttpsProxy=http://${hostname} ${port}\n`,
    );
    const { application, page } = await profile.launch({
      env: {
        XDG_CURRENT_DESKTOP: 'KDE',
        KDE_SESSION_VERSION: '5',
        SHELL: '/bin/sh',
        SSL_CERT_FILE: ISSUER,
      },
    });
    await page.getByRole('button', { name: 'Buckets', exact: true }).click();
    await page.getByLabel('Address').fill('gs://the-bucket/');
    await page.getByLabel('Address').press('Enter');
    const row = page.getByRole('grid', { name: 'Objects' }).getByRole('row', { name: 'a.txt' });
    await expect(row).toBeVisible();
    expect(proxy.asked()).toContain('storage.googleapis.com:443');

    proxy.forget();
    const target = join(folder, 'down');
    await mkdir(target);
    await application.evaluate(
      ({ dialog }, filePaths) => {
        dialog.showOpenDialog = async () => ({ canceled: false, filePaths });
      },
      [target],
    );
    await row.click();
    await page.getByRole('button', { name: 'Download…' }).click();
    await expect
      .poll(() => readFile(join(target, 'a.txt'), 'utf8').catch(() => ''), { timeout: 60_000 })
      .toBe('alpha');
    expect(proxy.asked()).toContain('storage.googleapis.com:443');
  } finally {
    await proxy.stop();
    await front.stop();
    await emulator.stop();
  }
});
