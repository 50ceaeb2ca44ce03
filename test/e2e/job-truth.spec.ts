import { join } from 'node:path';
import type { ElectronApplication, Page } from '@playwright/test';
import { expect, test } from './support/test.ts';
import { writeDownload, writeRun } from './support/runs.ts';
import { FAILED, FINISHED, interrupted, running } from './support/samples.ts';

const MIB = 1_048_576;
const download = {
  id: '20261122-140000-abcdef',
  name: 'pictures',
  bucket: 'input-data-bucket',
  createdAt: '2026-11-22T14:00:00.000Z',
};
const downloading = [
  [
    1,
    {
      kind: 'agent-started',
      agent: { pid: 4_000, startTime: '1', bootId: 'b' },
      version: '0.1.0',
      attempt: 1,
    },
  ],
  [1, { kind: 'stage-started', stage: 'staging' }],
  [
    4,
    {
      kind: 'stage-progress',
      stage: 'staging',
      what: 'data',
      progress: {
        bytes: 6.34 * MIB,
        bytesTotal: 15.3 * MIB,
        objects: 0,
        objectsTotal: 1,
        bytesPerSecond: MIB,
        secondsLeft: 9,
      },
    },
  ],
] as const;
const paused = [
  ...downloading,
  [5, { kind: 'stop-requested', graceSeconds: 0 }],
  [6, { kind: 'ended', state: 'stopped', stage: 'staging', problem: null }],
] as const;

const row = (page: Page, id: string) => page.locator(`tr[data-job="${id}"]`);
const article = (page: Page, name: string) => page.getByRole('article', { name: `Job ${name}` });
const link = (application: ElectronApplication, id: string) =>
  application.evaluate(({ app }, job) => {
    app.emit('second-instance', {}, ['electron', `trainyard://job/${job}`]);
  }, id);
const resize = async (application: ElectronApplication, page: Page, size: [number, number]) => {
  await application.evaluate(({ BrowserWindow }, [width, height]) => {
    BrowserWindow.getAllWindows()[0]?.setContentSize(width, height);
  }, size);
  await expect.poll(() => page.evaluate(() => innerWidth)).toBe(size[0]);
};

test('what stands still is shown neither as done nor as going on; a transfer is told as one', async ({
  shared,
}) => {
  await writeDownload(shared.home, { ...download, events: paused });
  await writeRun(shared.home, interrupted);
  await writeRun(shared.home, { ...FINISHED, id: '20261119-080000-aaaaaa' });
  const { application, page } = await shared.launch({ theme: 'light' });
  const shoot = (name: string) =>
    page.screenshot({ path: join('test-results', 'screens', `truth-${name}.png`) });

  // As the list of transfers says it.
  await expect(row(page, download.id)).toContainText('paused');
  await expect(row(page, download.id).getByRole('img')).toHaveAttribute(
    'aria-label',
    '0 of 1 stage done, paused: Download, 41 %',
  );
  const detail = article(page, download.name);
  const stages = detail.getByRole('list', { name: 'Stages' }).getByRole('listitem');
  await expect(stages).toHaveCount(1);
  await expect(stages.first()).toHaveAttribute('data-state', 'stopped');
  await expect(stages.first()).toContainText('paused');
  await expect(stages.first()).toContainText('6.34 of 15.3 MiB, 0 of 1 object');
  await expect(detail.getByRole('button', { name: 'Resume' })).toBeVisible();
  await expect(detail.getByRole('button', { name: 'Retry' })).toHaveCount(0);
  const facts = detail.locator('.facts');
  await expect(facts).toContainText('gs://input-data-bucket/pictures/');
  await expect(facts).toContainText(join(shared.home, '..', 'pictures'));
  await expect(facts).not.toContainText('Output');
  expect(await detail.getByRole('tab').allInnerTexts()).toEqual(['Logs', 'Timeline', 'Request']);
  await shoot('paused-light');

  await row(page, interrupted.id).click();
  const workers = article(page, interrupted.name).getByRole('table', { name: 'Workers' });
  await expect(workers.locator('tbody tr')).toContainText('running when last seen');
  await expect(workers).not.toContainText('Took');
  await expect(
    article(page, interrupted.name).locator('.stages li[data-state="interrupted"]'),
  ).toContainText('Run workers');
  await shoot('interrupted-light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await shoot('interrupted-dark');
  await resize(application, page, [900, 600]);
  await shoot('interrupted-dark-900');
  await row(page, download.id).click();
  await expect(detail).toBeVisible();
  await shoot('paused-dark-900');
});

test('a job that was asked for is shown, or it is said that it is not here; keys and the palette reach it', async ({
  shared,
}) => {
  for (const run of [FINISHED, FAILED, running()]) await writeRun(shared.home, run);
  const { application, page } = await shared.launch({ theme: 'light' });
  await expect(article(page, running().name)).toBeVisible();
  const filters = page.getByRole('group', { name: 'Filter by state' });
  const search = page.getByLabel('Search jobs');

  // Never another job, with its Stop, in the place of one that is not there.
  await link(application, '20200101-000000-abcdef');
  await expect(page.getByRole('alert', { name: 'This job is not here' })).toBeVisible();
  await expect(page.getByRole('article')).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Stop' })).toHaveCount(0);
  await page.screenshot({ path: join('test-results', 'screens', 'truth-not-here-light.png') });
  await page.getByRole('button', { name: 'Show the newest job' }).click();
  await expect(article(page, running().name)).toBeVisible();

  // What the filter hides is said to be hidden, and a link shows it.
  await row(page, running().id).click();
  await filters.getByRole('button', { name: 'Finished' }).click();
  await expect(article(page, running().name)).toContainText('hidden by the filter');
  await page.screenshot({ path: join('test-results', 'screens', 'truth-hidden-light.png') });
  await page.getByRole('button', { name: 'show', exact: true }).click();
  await expect(row(page, running().id)).toBeVisible();
  await filters.getByRole('button', { name: 'Finished' }).click();
  await link(application, FAILED.id);
  await expect(row(page, FAILED.id)).toHaveAttribute('aria-selected', 'true');
  await expect(filters.getByRole('button', { name: 'All' })).toHaveAttribute(
    'aria-pressed',
    'true',
  );

  // The search is reached from wherever the focus is.
  for (const key of ['/', 'Control+f']) {
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await page.keyboard.press(key);
    await expect(search).toBeFocused();
  }
  await page.keyboard.type('a/b');
  await expect(search).toHaveValue('a/b');
  await page.keyboard.press('Escape');

  // What can be done with the job that is shown.
  const choose = (id: string) =>
    application.evaluate(({ Menu }, item) => {
      Menu.getApplicationMenu()?.getMenuItemById(item)?.click();
    }, id);
  const options = page.getByRole('listbox').getByRole('option');
  await row(page, running().id).click();
  await choose('palette');
  await page.keyboard.type('access');
  await expect(options).toHaveText([/^Ask for access/]);
  await page.keyboard.press('Control+a');
  await page.keyboard.type('stop resnet');
  await expect(options).toHaveText([/^Stop: resnet-baseline/]);
  await page.screenshot({ path: join('test-results', 'screens', 'truth-palette-light.png') });
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog', { name: 'Stop resnet-baseline?' })).toBeVisible();
  await page.keyboard.press('Escape');
  await choose('palette');
  await page.keyboard.type('theme dark');
  await page.keyboard.press('Enter');
  await expect
    .poll(() => application.evaluate(({ nativeTheme }) => nativeTheme.themeSource))
    .toBe('dark');

  // Who came by the keyboard goes on by the keyboard.
  await choose('go-hosts');
  await expect(page.getByRole('heading', { name: 'Hosts', level: 1 })).toBeVisible();
  await choose('palette');
  await page.keyboard.type(FINISHED.name);
  await page.keyboard.press('Enter');
  await expect(article(page, FINISHED.name)).toBeVisible();
  await expect(page.getByRole('group', { name: 'Jobs' })).toBeFocused();
});
