import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from './support/test.ts';
import { dragFiles } from './support/drag.ts';
import { writeKeyFile } from './support/key-files.ts';
import {
  answerDialog,
  downloads,
  goToKeys,
  keysInTerminal,
  WITHOUT_KEYCHAIN,
} from './support/keys.ts';
import { lookOf, mistakes } from './support/mistakes.ts';
import { writeRun } from './support/runs.ts';
import { FAILED, running } from './support/samples.ts';

const SIZES = [
  { width: 1280, height: 800 },
  { width: 900, height: 600 },
] as const;

for (const theme of ['light', 'dark'] as const)
  test(`every state of the keys is readable by everyone, ${theme}`, async ({ profile, shared }) => {
    test.setTimeout(180_000);
    const folder = await downloads(shared);
    const path = (name: string) => join(folder, name);
    const long = 'a-very-long-name-of-a-file-that-somebody-downloaded-many-times-over (17).json';
    await writeKeyFile(path('trainer.json'));
    await writeKeyFile(path(long), {
      account: 'hyperparameter-search-of-the-vision-group',
      mode: 0o644,
    });
    await writeKeyFile(path('newer.json'));
    await writeFile(path('login.json'), JSON.stringify({ type: 'authorized_user' }));

    const closed = await profile.launch({ env: WITHOUT_KEYCHAIN, theme });
    const shootIn = async (launched: typeof closed, name: string) => {
      for (const size of SIZES) {
        await launched.application.evaluate(({ BrowserWindow }, { width, height }) => {
          BrowserWindow.getAllWindows()[0]?.setContentSize(width, height);
        }, size);
        await expect.poll(() => launched.page.evaluate(() => innerWidth)).toBe(size.width);
        expect(
          await launched.page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
        ).toBeLessThanOrEqual(0);
        await launched.page.screenshot({
          path: join('test-results', 'screens', `keys-${name}-${theme}-${size.width}.png`),
        });
      }
      expect(await mistakes(launched.page, lookOf(theme)), name).toEqual([]);
    };
    await goToKeys(closed.page);
    await closed.page.getByRole('button', { name: 'Use a passphrase vault instead…' }).click();
    await shootIn(closed, 'vault');
    await closed.application.close();

    const open = await shared.launch({ theme });
    const { page } = open;
    const shoot = (name: string) => shootIn(open, name);
    await goToKeys(page);
    await expect(page.getByRole('heading', { name: 'No keys yet' })).toBeVisible();
    await shoot('empty');
    await dragFiles(page, [path('trainer.json')], { hold: true });
    await shoot('drop');
    await dragFiles(page, [path('trainer.json')]);
    await expect(page.getByRole('button', { name: 'Take in' })).toBeVisible();
    await shoot('found');
    await page.getByRole('button', { name: 'Take in' }).click();
    await expect(page.getByRole('status', { name: 'Kept: trainer' })).toBeVisible();
    await shoot('kept');
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await dragFiles(page, [path(long)]);
    await page.getByRole('textbox', { name: 'Name' }).fill('l'.repeat(63));
    await page.getByRole('button', { name: 'Take in' }).click();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    const [, second] = await keysInTerminal(shared.env);
    for (const job of [running(), FAILED])
      await writeRun(shared.home, { ...job, key: 'trainer', keyId: second?.id ?? '' });
    await page.getByRole('row', { name: /^trainer / }).click();
    await shoot('list');
    const database = new DatabaseSync(join(shared.home, 'trainyard.db'));
    database.exec(
      `UPDATE keys SET card = json_set(card, '$.addedAt', '2026-01-02T03:04:05.000Z') WHERE name = 'trainer'`,
    );
    database.close();
    await page.evaluate(() => window.dispatchEvent(new Event('focus')));
    const notice = page.getByRole('region', { name: 'Keys that should be replaced' });
    await notice.getByRole('button', { name: 'Show trainer' }).click();
    await expect(page.getByRole('row', { name: /^trainer / })).toContainText('!');
    await expect(page.getByRole('region', { name: 'How to replace it' })).toBeVisible();
    await page.getByRole('button', { name: 'Show the log' }).click();
    await page.getByRole('group', { name: 'Log of trainer' }).scrollIntoViewIfNeeded();
    await shoot('old');
    await dragFiles(page, [path('newer.json'), path('login.json')]);
    await expect(page.getByRole('alert', { name: 'Refused: login.json' })).toBeVisible();
    await shoot('arrivals');
    await page.getByRole('button', { name: 'Discard' }).click();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await page.getByRole('row', { name: /^lll/ }).click();
    await page.getByRole('article').getByRole('button', { name: 'Rename' }).click();
    await shoot('rename');
    await page.getByRole('button', { name: 'Remove…' }).click();
    await expect(page.getByRole('dialog')).toBeVisible();
    await shoot('remove');
  });

test('keys are kept with the keyboard alone', async ({ shared }) => {
  const folder = await downloads(shared);
  for (const name of ['a.json', 'b.json']) await writeKeyFile(join(folder, name));
  const { application, page } = await shared.launch();
  await answerDialog(application, [join(folder, 'a.json'), join(folder, 'b.json')]);
  /** Presses Tab until what has the focus is called so. */
  const tabTo = async (name: RegExp) => {
    for (let presses = 0; presses < 40; presses += 1) {
      await page.keyboard.press('Tab');
      const focused = await page.evaluate(() => {
        const element = document.activeElement;
        return element?.getAttribute('aria-label') ?? element?.textContent ?? '';
      });
      if (!name.test(focused)) continue;
      const outlined = await page.evaluate(() => {
        const style = getComputedStyle(document.activeElement ?? document.body);
        return style.outlineStyle !== 'none' && style.outlineWidth !== '0px';
      });
      expect(outlined, `${name.source} shows its focus`).toBe(true);
      return;
    }
    throw new Error(`Tab never came to ${name.source}.`);
  };
  await tabTo(/^Keys$/);
  await page.keyboard.press('Enter');
  // A screen is loaded when it is asked for: Tab before it stands goes round the rail.
  await expect(page.getByRole('button', { name: 'Add key files…' })).toBeVisible();
  await tabTo(/^Add key files…$/);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Take in' })).toHaveCount(2);
  await tabTo(/^Take in$/);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Take in' })).toHaveCount(1);
  await tabTo(/^Take in$/);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('row')).toHaveCount(3);
  await tabTo(/^Keys$/);
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('row').nth(2)).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Home');
  await expect(page.getByRole('row').nth(1)).toHaveAttribute('aria-selected', 'true');
});
