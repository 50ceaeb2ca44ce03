import { join } from 'node:path';
import { expect, test } from './support/test.ts';
import { writeRun } from './support/runs.ts';
import { FAILED, FINISHED, interrupted, running, stagingNow } from './support/samples.ts';

const SIZES = [
  { width: 1280, height: 800 },
  { width: 900, height: 600 },
] as const;

for (const theme of ['light', 'dark'] as const)
  test(`the window in ${theme} colours`, async ({ shared }) => {
    for (const run of [FINISHED, FAILED, running(), stagingNow(), interrupted])
      await writeRun(shared.home, run);
    const { application, page } = await shared.launch({ theme });
    await expect(page.getByRole('row')).not.toHaveCount(0);
    for (const size of SIZES) {
      await application.evaluate(({ BrowserWindow }, { width, height }) => {
        BrowserWindow.getAllWindows()[0]?.setContentSize(width, height);
      }, size);
      await expect.poll(() => page.evaluate(() => innerWidth)).toBe(size.width);
      for (const run of [FAILED, running(), stagingNow()]) {
        await page.locator(`tr[data-job="${run.id}"]`).click();
        await expect(page.getByRole('article')).toBeVisible();
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - innerWidth,
        );
        expect(overflow).toBeLessThanOrEqual(0);
        await page.screenshot({
          path: join(
            'test-results',
            'screens',
            `${run.name.slice(0, 12)}-${theme}-${size.width}.png`,
          ),
        });
      }
    }
  });

test('the states without a job: empty, failed, asking', async ({ profile, shared }) => {
  const shoot = (name: string) => join('test-results', 'screens', `${name}.png`);
  const empty = await shared.launch({ theme: 'light', size: SIZES[1] });
  await expect(empty.page.getByRole('heading', { name: 'No jobs yet' })).toBeVisible();
  await empty.page.screenshot({ path: shoot('empty') });

  const wrong = { TRAINYARD_OAUTH_ENDPOINT: 'http://elsewhere.example/token' };
  const failed = await profile.launch({ env: wrong, theme: 'dark', size: SIZES[1] });
  await expect(failed.page.getByRole('alert')).toBeVisible();
  await failed.page.screenshot({ path: shoot('error') });
  await failed.application.close();

  await writeRun(shared.home, running());
  const asking = await shared.launch({ theme: 'dark', size: SIZES[1] });
  await asking.page.getByRole('button', { name: 'Stop' }).click();
  await expect(asking.page.getByRole('dialog')).toBeVisible();
  await expect(asking.page.getByRole('button', { name: 'Let it run' })).toBeInViewport();
  await asking.page.screenshot({ path: shoot('stop') });
});
