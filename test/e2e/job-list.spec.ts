import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, test } from './support/test.ts';
import { frames } from './support/frames.ts';
import { writeManyRuns, writeRun } from './support/runs.ts';
import { FAILED, FINISHED, interrupted, running, stagingNow } from './support/samples.ts';

const rows = (page: Page) => page.locator('tr[data-job]');
const ids = (page: Page) =>
  rows(page).evaluateAll((all) => all.map((one) => one.getAttribute('data-job')));

test('the list is filtered by state, searched and sorted', async ({ shared }) => {
  for (const run of [FINISHED, FAILED, running(), stagingNow(), interrupted])
    await writeRun(shared.home, run);
  const { page } = await shared.launch();
  await expect(rows(page)).toHaveCount(5);

  const filters = page.getByRole('group', { name: 'Filter by state' });
  expect(await filters.getByRole('button').allInnerTexts()).toEqual([
    'All 5',
    'Active 2',
    'Finished 1',
    'Failed 1',
    'Interrupted 1',
  ]);
  await filters.getByRole('button', { name: 'Active' }).click();
  expect(await ids(page)).toEqual([stagingNow().id, running().id]);
  await filters.getByRole('button', { name: 'All' }).click();

  // Control and F goes to the search; words may be of the name, the ID, the state or the output.
  await page.getByRole('group', { name: 'Jobs' }).focus();
  await page.keyboard.press('Control+f');
  await expect(page.getByLabel('Search jobs')).toBeFocused();
  await page.keyboard.type('DIGITS aaaaaa');
  await expect(rows(page)).toHaveCount(1);
  expect(await ids(page)).toEqual([FINISHED.id]);
  await page.getByLabel('Search jobs').fill('no such job');
  await expect(page.getByText('No jobs match.')).toBeVisible();
  await page.getByRole('button', { name: 'Show all' }).click();
  await expect(rows(page)).toHaveCount(5);

  const byName = page.getByRole('columnheader', { name: 'Name' }).getByRole('button');
  await byName.click();
  await expect(page.getByRole('columnheader', { name: 'Name' })).toHaveAttribute(
    'aria-sort',
    'ascending',
  );
  expect((await ids(page))[0]).toBe(FAILED.id);
  await byName.click();
  expect((await ids(page)).at(-1)).toBe(FAILED.id);
});

test('the row of a job says how far it is', async ({ shared }) => {
  await writeRun(shared.home, stagingNow());
  const { page } = await shared.launch();
  await expect(rows(page).first()).toContainText('43 %, 7 s left');
  await expect(rows(page).first().getByRole('img')).toHaveAttribute(
    'aria-label',
    /0 of 4 stages done, now: Stage code and data, 43 %/,
  );
});

test('ten thousand jobs: the list stands, scrolls and is searched at once', async ({ profile }) => {
  test.setTimeout(240_000);
  await writeManyRuns(profile.home, 10_000);
  const begin = Date.now();
  const { page } = await profile.launch();
  await expect(page.getByRole('grid')).toHaveAttribute('aria-rowcount', '10001', {
    timeout: 120_000,
  });
  const first = Date.now() - begin;
  expect(await rows(page).count()).toBeLessThan(80);

  const box = page.getByRole('group', { name: 'Jobs' });
  const scrolled = await frames(page, async () => {
    for (let step = 1; step <= 40; step += 1) {
      await box.evaluate((element, part) => {
        element.scrollTop = (element.scrollHeight - element.clientHeight) * part;
      }, step / 40);
      await page.waitForTimeout(25);
    }
  });
  expect(await rows(page).count()).toBeLessThan(80);
  await expect(rows(page).last()).toContainText('many-00000');

  await page.getByLabel('Search jobs').fill('many-07123');
  await expect(rows(page)).toHaveCount(1);
  const said = `shown after ${first} ms; scrolling: ${JSON.stringify(scrolled)}`;
  test.info().annotations.push({ type: '10,000 jobs', description: said });
  // That it does not stand still; how smooth it is, `npm run bench:window` measures.
  expect(scrolled.longest).toBeLessThan(3_000);
});

for (const theme of ['light', 'dark'] as const)
  test(`the parts of a job, ${theme}`, async ({ shared }) => {
    const { writeRichRun } = await import('./support/rich-run.ts');
    await writeRichRun(shared.home);
    for (const run of [FINISHED, FAILED, running(), stagingNow()]) await writeRun(shared.home, run);
    for (const size of [
      { width: 1280, height: 800 },
      { width: 900, height: 600 },
    ]) {
      const { page } = await shared.launch({ theme, size });
      await expect.poll(() => page.evaluate(() => innerWidth)).toBe(size.width);
      await page.getByRole('row', { name: /bert-finetune/ }).click();
      for (const [tab, seen] of [
        ['Logs', 'epoch 3'],
        ['Charts', 'GPU memory'],
        ['Timeline', 'Worker 0 started'],
        ['Files', 'metrics.json'],
        ['Job file', 'name: bert-finetune'],
      ] as const) {
        await page.getByRole('tab', { name: tab }).click();
        await expect(page.getByRole('tabpanel')).toContainText(seen);
        await page.waitForTimeout(250);
        await page.screenshot({
          path: join(
            'test-results',
            'screens',
            `job-${tab.toLowerCase().replace(' ', '-')}-${theme}-${size.width}.png`,
          ),
        });
      }
    }
  });
