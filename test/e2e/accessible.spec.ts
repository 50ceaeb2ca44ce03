import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, test } from './support/application.ts';
import { writeRun } from './support/runs.ts';
import { FAILED, FINISHED, running } from './support/samples.ts';

/** What axe-core finds wrong, in words. */
async function mistakes(page: Page): Promise<readonly string[]> {
  const found = await new AxeBuilder({ page }).setLegacyMode().analyze();
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ''}`),
  );
}

for (const theme of ['light', 'dark'] as const)
  test(`the window can be used by everyone, ${theme}`, async ({ profile }) => {
    const empty = await profile.launch({ theme, env: { TRAINYARD_HOME: `${profile.home}-empty` } });
    await expect(empty.page.getByRole('heading')).toBeVisible();
    expect(await mistakes(empty.page)).toEqual([]);

    for (const run of [FINISHED, FAILED, running()]) await writeRun(profile.home, run);
    const { page } = await profile.launch({
      theme,
      env: { STORAGE_EMULATOR_HOST: 'http://127.0.0.1:49999' },
    });
    for (const id of [FAILED.id, running().id]) {
      await page.locator(`tr[data-job="${id}"]`).click();
      await expect(page.getByRole('log')).toContainText(/Traceback|step/);
      expect(await mistakes(page)).toEqual([]);
    }
    await page.getByRole('button', { name: 'Stop' }).click();
    await expect(page.getByRole('button', { name: 'Let it run' })).toBeVisible();
    await page.waitForTimeout(400);
    expect(await mistakes(page)).toEqual([]);
  });
