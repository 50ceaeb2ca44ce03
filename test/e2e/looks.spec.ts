import { join } from 'node:path';
import { test, expect } from './support/application.ts';
import { writeRun } from './support/runs.ts';
import { FAILED, FINISHED, interrupted, running, stagingNow } from './support/samples.ts';

const SIZES = [
  { width: 1280, height: 800 },
  { width: 900, height: 600 },
] as const;

for (const theme of ['light', 'dark'] as const)
  test(`the window in ${theme} colours`, async ({ profile }) => {
    for (const run of [FINISHED, FAILED, running(), stagingNow(), interrupted])
      await writeRun(profile.home, run);
    const { application, page } = await profile.launch({ theme });
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
