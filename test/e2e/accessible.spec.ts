import { lookOf, mistakes } from './support/mistakes.ts';
import { expect, test } from './support/test.ts';
import { writeRun } from './support/runs.ts';
import { FAILED, FINISHED, running, stagingNow } from './support/samples.ts';

for (const theme of ['light', 'dark'] as const)
  test(`the window can be used by everyone, ${theme}`, async ({ shared }) => {
    test.setTimeout(120_000);
    const look = lookOf(theme);
    const empty = await shared.launch({ theme });
    await expect(empty.page.getByRole('heading', { name: 'No jobs yet' })).toBeVisible();
    expect(await mistakes(empty.page, look)).toEqual([]);

    for (const run of [FINISHED, FAILED, running(), stagingNow()]) await writeRun(shared.home, run);
    const { page } = await shared.launch({ theme });
    for (const id of [FAILED.id, running().id]) {
      await page.locator(`tr[data-job="${id}"]`).click();
      await expect(page.getByRole('log')).toContainText(/Traceback|step/);
      expect(await mistakes(page, look)).toEqual([]);
    }
    await expect(page.getByRole('button', { name: /1 run copies now/ })).toBeVisible();
    for (const [tab, sign] of [
      ['Charts', 'amples'],
      ['Timeline', 'Worker 0 started'],
      ['Files', 'In the bucket'],
      ['Job file', 'name: resnet-baseline'],
    ] as const) {
      await page.getByRole('tab', { name: tab }).click();
      await expect(page.getByRole('tabpanel').filter({ visible: true })).toContainText(sign);
      expect(await mistakes(page, look), tab).toEqual([]);
    }
    await page.getByRole('button', { name: 'New notebook' }).click();
    await expect(page.getByRole('dialog').getByLabel('Name')).toBeFocused();
    expect(await mistakes(page, look), 'New notebook').toEqual([]);
    await page.keyboard.press('Escape');
    const places = page.getByRole('navigation', { name: 'Places' });
    for (const [place, sign] of [
      ['Hosts', 'After a logout'],
      ['Settings', 'Logs of Trainyard'],
    ] as const) {
      await places.getByRole('button', { name: place }).click();
      await expect(page.getByText(sign)).toBeVisible({ timeout: 20_000 });
      expect(await mistakes(page, look), place).toEqual([]);
    }
    await places.getByRole('button', { name: 'Jobs' }).click();
    await page.locator(`tr[data-job="${running().id}"]`).click();
    await page.getByRole('button', { name: 'Stop' }).click();
    await expect(page.getByRole('button', { name: 'Let it run' })).toBeVisible();
    expect(await mistakes(page, look)).toEqual([]);
  });
