import { readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { ElectronApplication, Page } from '@playwright/test';
import type {} from '../../src/renderer/client.ts';
import type { Profile } from './support/application.ts';
import { expect, test } from './support/test.ts';

const shoot = (page: Page, name: string) =>
  page.screenshot({ path: join('test-results', 'screens', `${name}.png`) });
const rail = (page: Page, place: string) =>
  page
    .getByRole('navigation', { name: 'Places' })
    .getByRole('button', { name: place, exact: true });
const size = (application: ElectronApplication, width: number, height: number) =>
  application.evaluate(
    ({ BrowserWindow }, [w, h]) => BrowserWindow.getAllWindows()[0]?.setContentSize(w, h),
    [width, height] as const,
  );

/** A vault that opens by itself; all else is as a first start finds it. */
async function openedVault(profile: Profile): Promise<Record<string, string>> {
  const passphrase = join(profile.home, '..', 'passphrase');
  await writeFile(passphrase, 'four words in order\n', { mode: 0o600 });
  return { TRAINYARD_VAULT: 'passphrase', TRAINYARD_PASSPHRASE_FILE: passphrase };
}

test('from nothing to a finished job with sample data, by clicks alone; it is there after a restart, and goes', async ({
  profile,
}) => {
  test.setTimeout(180_000);
  const env = await openedVault(profile);
  const { application, page } = await profile.launch({ env, theme: 'light' });
  const step = (name: string) => page.getByRole('listitem', { name });
  await expect(step('Key: to do')).toBeVisible();
  await expect(step('Bucket: to do')).toBeVisible();
  await shoot(page, 'first-start-light');
  const axe = await new AxeBuilder({ page }).setLegacyMode().analyze();
  expect(
    axe.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical'),
  ).toEqual([]);

  await page.getByRole('button', { name: 'Try it with sample data' }).click();
  await expect(page.getByRole('status').filter({ hasText: '…' })).toBeVisible();
  const card = page.getByRole('region', { name: 'Key found in trainer.json' });
  await expect(card).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText('Sample data: an emulated Google Cloud.')).toBeVisible();
  await shoot(page, 'first-start-sample-light');
  await size(application, 900, 600);
  await page.emulateMedia({ colorScheme: 'dark' });
  await shoot(page, 'first-start-sample-dark-900');
  await page.emulateMedia({ colorScheme: 'light' });
  await size(application, 1280, 800);

  await card.getByRole('button', { name: 'Take in' }).click();
  await expect(step('Key: done')).toBeVisible();
  await page.getByRole('button', { name: 'Open the sample’s job' }).click();
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('digits-sweep');
  await page.getByRole('button', { name: 'Start job' }).click();
  await expect(page.locator('[data-job]').first()).toContainText('finished', { timeout: 120_000 });
  await page.getByRole('tab', { name: 'Files' }).click();
  await shoot(page, 'first-start-files-light');
  await page.getByRole('button', { name: 'worker-0/metrics.json' }).click();
  await expect(page.getByRole('complementary')).toContainText('accuracy');
  await shoot(page, 'first-start-buckets-light');

  // What the embedded Google knows the account by has no secret in it.
  const account = await readFile(join(profile.home, 'sample', 'account.json'), 'utf8');
  expect(account).toContain('PUBLIC KEY');
  expect(account).not.toContain('PRIVATE KEY');
  await application.close();

  const again = await profile.launch({ env, theme: 'light' });
  await expect(again.page.getByText('Sample data: an emulated Google Cloud.')).toBeVisible();
  await again.page.getByRole('button', { name: 'Stop using sample data…' }).click();
  await shoot(again.page, 'first-start-stop-light');
  await again.page.getByRole('button', { name: 'Stop using it' }).click();
  await expect(again.page.getByText('Sample data: an emulated Google Cloud.')).toBeHidden();
  expect(existsSync(join(profile.home, 'sample'))).toBe(false);
  await rail(again.page, 'Keys').click();
  await expect(again.page.getByRole('heading', { name: 'No keys yet' })).toBeVisible();
  const about = await again.page.evaluate(() => window.trainyard.call('about', {}));
  expect(about).toMatchObject({ ok: true, value: { emulated: false } });
});
