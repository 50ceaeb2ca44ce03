import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, test } from './support/test.ts';

/** Goes on by the Tab key until a field has the focus, as somebody without a mouse does. */
async function tabTo(page: Page, id: string): Promise<void> {
  for (let step = 0; step < 60; step += 1) {
    if ((await page.evaluate(() => document.activeElement?.id)) === id) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`The Tab key does not lead to ${id}.`);
}

test('from the form to a started job by the keyboard alone; closed and opened again in the middle, it goes on to its end', async ({
  profile,
}) => {
  test.setTimeout(120_000);
  const code = join(profile.home, '..', 'code');
  const go = join(profile.home, '..', 'go');
  await mkdir(code);
  await writeFile(
    join(code, 'train.sh'),
    `for i in $(seq 900); do [ -e "${go}" ] && break; sleep 0.1; done; echo "all of it"\n`,
  );
  const { page, application } = await profile.launch();
  await expect(page.getByRole('heading', { name: 'No jobs yet' })).toBeVisible();
  await application.evaluate(({ BrowserWindow }) => {
    const window = BrowserWindow.getAllWindows()[0];
    window?.focus();
    for (const type of ['keyDown', 'keyUp'] as const)
      window?.webContents.sendInputEvent({ type, keyCode: 'n', modifiers: ['control'] });
  });
  // The form has the keyboard.
  await expect(page.getByRole('heading', { name: 'New job', level: 1 })).toBeFocused();
  await tabTo(page, 'new-job-name');
  await page.keyboard.type('by-keyboard');
  await tabTo(page, 'new-job-code-dir');
  await page.keyboard.type(code);
  await tabTo(page, 'new-job-workers-0-command');
  await page.keyboard.type('bash train.sh');
  await page.keyboard.press('Control+Enter');

  const row = (shown: Page) => shown.locator('tr[data-job]');
  await expect(row(page)).toContainText('by-keyboard', { timeout: 40_000 });
  await expect(page.getByRole('group', { name: 'Jobs' })).toBeFocused();
  await expect(row(page)).toContainText('running', { timeout: 40_000 });
  await application.close();

  const again = await profile.launch();
  await expect(row(again.page)).toContainText('running');
  await writeFile(go, '');
  await expect(row(again.page)).toContainText('finished', { timeout: 40_000 });
  await expect(again.page.getByRole('log')).toContainText('all of it');
});
