import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ElectronApplication, Page } from '@playwright/test';
import type { Launched, LaunchOptions, Profile } from './support/application.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { expect, test } from './support/test.ts';
import type { LoggedRequest } from '../emulator/start.ts';
import type { Shared } from './support/shared.ts';
import { startBucketWorld, type BucketWorld } from './support/bucket-world.ts';
import { dragFiles } from './support/drag.ts';
import { lookOf, mistakes } from './support/mistakes.ts';

const run = promisify(execFile);
const shoot = (name: string) => join('test-results', 'screens', `buckets-${name}.png`);

test.describe.configure({ timeout: 120_000 });

type WithQuery = LoggedRequest & { readonly query?: Readonly<Record<string, string>> };

const toBuckets = async (page: Page): Promise<void> => {
  await page.getByRole('button', { name: 'Buckets', exact: true }).click();
  await expect(page.getByLabel('Key')).toContainText('trainer');
};

/** The window on the screen of buckets, with the trainer's key in its vault. */
async function openBuckets(
  shared: Shared,
  options: Pick<LaunchOptions, 'theme'> = {},
): Promise<Launched> {
  await shared.addKey('trainer');
  const launched = await shared.launch(options);
  await toBuckets(launched.page);
  return launched;
}

/** One of its own, that can be closed and opened again. */
async function openOwn(profile: Profile, world: BucketWorld): Promise<Launched> {
  const env = await world.environment(profile);
  await run(
    process.execPath,
    [COMMAND_LINE, 'keys', 'add', world.emulator.keyFiles['trainer'] ?? ''],
    { env: profile.command({ env }).env },
  );
  const launched = await profile.launch({ env });
  await toBuckets(launched.page);
  return launched;
}

async function open(page: Page, address: string): Promise<void> {
  await page.getByLabel('Address').fill(address);
  await page.getByLabel('Address').press('Enter');
}

const row = (page: Page, name: string) =>
  page.getByRole('grid', { name: 'Objects' }).getByRole('row', { name });

/** Native dialogs cannot be driven: this answers in the user's place. */
const answerDialog = (application: ElectronApplication, files: readonly string[]) =>
  application.evaluate(
    ({ dialog }, filePaths) => {
      dialog.showOpenDialog = async () => ({ canceled: false, filePaths });
    },
    [...files],
  );

/** 64 by 64, a gradient. */
const IMAGE = `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64" fill="teal"/></svg>`;

async function fill({ put }: BucketWorld): Promise<void> {
  await put('input-data-bucket', 'data/notes.txt', 'first line\nsecond line\n');
  await put('input-data-bucket', 'data/labels.csv', 'name,label\n"a, b",3\nc,4\n', 'text/csv');
  await put(
    'input-data-bucket',
    'data/config.json',
    '{"depth":50,"name":"resnet"}',
    'application/json',
  );
  await put('input-data-bucket', 'data/picture.svg', IMAGE, 'image/svg+xml');
  await put('input-data-bucket', 'data/weights.bin', new Uint8Array([0, 1, 2, 3, 255, 254]));
  await put('input-data-bucket', 'data/long.txt', 'x'.repeat(200_000));
  await put('input-data-bucket', 'data/empty', '');
  await put('input-data-bucket', 'data/train/deep/a.txt', 'a');
  await put('input-data-bucket', 'data/train/b.txt', 'bb');
  await put('input-data-bucket', `data/${'a-very-long-name-'.repeat(12)}.txt`, 'long');
  await put('input-data-bucket', 'secret/other.txt', 'not for the trainer');
}

test('a key that may see one prefix looks there, and nothing above it is ever listed', async ({
  shared,
}) => {
  await fill(shared.google);
  const { page } = await openBuckets(shared);
  await open(page, 'gs://input-data-bucket/data');
  await expect(row(page, 'train/')).toBeVisible();
  await expect(row(page, 'notes.txt')).toContainText('23 B');
  // The bucket is named, and is no way up.
  const path = page.getByRole('navigation', { name: 'Path' });
  await expect(path).toHaveText('input-data-bucket/data');
  await expect(path.getByRole('button')).toHaveCount(0);

  // By keyboard: down to the folder, in, and up again, where it ends.
  const table = page.getByRole('grid', { name: 'Objects' });
  await table.focus();
  await table.press('End');
  await expect(row(page, 'weights.bin')).toHaveAttribute('aria-selected', 'true');
  await table.press('ArrowUp');
  await expect(row(page, 'train/')).toHaveAttribute('aria-selected', 'true');
  await table.press('Enter');
  await expect(row(page, 'b.txt')).toBeVisible();
  await expect(page.getByLabel('Address')).toHaveValue('gs://input-data-bucket/data/train/');
  await table.press('Backspace');
  await expect(row(page, 'notes.txt')).toBeVisible();
  await table.press('Backspace');
  await expect(row(page, 'notes.txt')).toBeVisible();

  const lines: readonly WithQuery[] = await shared.google.emulator.requestLog();
  const listed = lines.filter(
    ({ path: asked, account }) =>
      asked.endsWith('/b/input-data-bucket/o') && account?.startsWith('trainer') === true,
  );
  expect(listed.length).toBeGreaterThan(2);
  for (const { query } of listed) expect(query?.['prefix']).toMatch(/^data\//);

  // What it may not, it is told, with the grant to ask for.
  await open(page, 'gs://artifacts-bucket/results');
  await expect(page.getByRole('alert')).toContainText('may not list');
  await expect(page.getByRole('alert')).toContainText('storage.objects.list');
  await open(page, 'https://example.com/x');
  await expect(page.getByRole('alert').first()).toContainText('web address');
  await open(page, 'gs://input-data-bucket/data/nothing');
  await expect(page.getByRole('heading', { name: 'Nothing here' })).toBeVisible();
  // One object, by its name without a slash.
  await open(page, 'gs://input-data-bucket/data/notes.txt');
  await expect(page.getByLabel('Content')).toContainText('second line');
});

test('details and a preview of text, tables, JSON, images and what is neither', async ({
  shared,
}) => {
  await fill(shared.google);
  await shared.google.put('input-data-bucket', 'data/damaged.png', 'no image', 'image/png');
  const { page } = await openBuckets(shared);
  await open(page, 'input-data-bucket/data/');
  await row(page, 'notes.txt').click();
  const details = page.getByRole('complementary', { name: 'Details' });
  await expect(details).toContainText('gs://input-data-bucket/data/notes.txt');
  for (const text of ['23 B', 'text/plain', 'Generation', 'CRC32C', 'first line'])
    await expect(details).toContainText(text);
  await row(page, 'labels.csv').click();
  await expect(details.getByRole('cell', { name: 'a, b' })).toBeVisible();
  await expect(details.getByRole('columnheader', { name: 'label' })).toBeVisible();
  await row(page, 'config.json').click();
  await expect(details.getByLabel('Content')).toContainText('"depth": 50');
  await row(page, 'picture.svg').click();
  await expect
    .poll(() => details.getByRole('img').evaluate((img: HTMLImageElement) => img.naturalWidth))
    .toBe(64);
  await row(page, 'damaged.png').click();
  await expect(details).toContainText('Not an image that this window can show');
  await expect(details.getByLabel('Content')).toContainText('no image');
  await expect(details.getByRole('img')).toHaveCount(0);
  await row(page, 'weights.bin').click();
  await expect(details.getByLabel('Content')).toContainText('00 01 02 03 ff fe');
  await row(page, 'long.txt').click();
  await expect(details).toContainText('the first 64.0 KiB');
  expect((await details.getByLabel('Content').innerText()).length).toBe(65_536);
  await row(page, 'empty').click();
  await expect(details).toContainText('The object is empty.');
});

test('filter this page, search below here, count a size, and keep a place', async ({
  profile,
  shared: { google: world },
}) => {
  await fill(world);
  const { application, page } = await openOwn(profile, world);
  await open(page, 'gs://input-data-bucket/data/');
  await page.getByLabel('Filter this page').fill('TXT');
  await expect(page.getByText('3 of 9 entries match.')).toBeVisible();
  await expect(row(page, 'labels.csv')).toBeHidden();
  await page.getByLabel('Filter this page').press('Escape');
  await expect(row(page, 'labels.csv')).toBeVisible();

  await page.getByLabel('Search below here').fill('deep');
  await page.getByLabel('Search below here').press('Enter');
  await expect(page.getByText('1 found in 10 objects.')).toBeVisible();
  await row(page, 'train/deep/a.txt').click();
  await expect(page.getByLabel('Content')).toHaveText('a');
  await page.getByRole('button', { name: 'Leave the search' }).click();
  await expect(row(page, 'labels.csv')).toBeVisible();

  await row(page, 'train/').click();
  await page.getByRole('button', { name: 'Count size' }).click();
  await expect(page.getByText('3 B in 2 objects')).toBeVisible();

  await page.getByRole('button', { name: 'Bookmarks' }).click();
  await page.getByRole('button', { name: 'Keep this place' }).click();
  await expect(page.getByRole('list', { name: 'Bookmarks' })).toContainText(
    'gs://input-data-bucket/data/',
  );
  await page.keyboard.press('Escape');

  // It is there at the next start, and opens with its key.
  await application.close();
  const again = await profile.launch({ env: await world.environment(profile) });
  await again.page.getByRole('button', { name: 'Buckets', exact: true }).click();
  await again.page
    .getByRole('button', { name: /^gs:\/\/input-data-bucket\/data\/ trainer/ })
    .click();
  await expect(row(again.page, 'notes.txt')).toBeVisible();
});

test('a long count is stopped, and says how far it came', async ({ shared }) => {
  for (let batch = 0; batch < 21; batch += 1)
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        shared.google.put(
          'input-data-bucket',
          `data/many/${String(batch * 100 + index).padStart(6, '0')}`,
          'x',
        ),
      ),
    );
  const { page } = await openBuckets(shared);
  await open(page, 'gs://input-data-bucket/data/many/');
  await expect(row(page, '000000')).toBeVisible();
  // Only what is visible is in the page.
  expect(await page.getByRole('row').count()).toBeLessThan(120);
  await page.getByRole('grid', { name: 'Objects' }).press('End');
  await page.getByRole('grid', { name: 'Objects' }).evaluate((box) => box.scrollTo(0, 1e9));
  await expect(page.getByText('2,100 entries.')).toBeVisible();
  await page.getByRole('grid', { name: 'Objects' }).press('End');
  await expect(row(page, '002099')).toBeVisible();
  await shared.google.emulator.setFaults([
    { operation: 'list', fault: { kind: 'delay', milliseconds: 1_500 } },
  ]);
  await open(page, 'gs://input-data-bucket/data/');
  await page.getByRole('button', { name: 'Count size' }).click();
  await expect(page.getByText('in 1,000 objects so far')).toBeVisible();
  await page.getByRole('button', { name: 'Stop counting' }).click();
  await expect(page.getByText(/in \d,000 objects counted, not all/)).toBeVisible();
  // The bucket is not asked further, though it answers at once now: only what was under way ends.
  const counted = async () =>
    ((await shared.google.emulator.requestLog()) as readonly WithQuery[]).filter(
      ({ path, query }) => path.endsWith('/o') && query?.['delimiter'] === undefined,
    ).length;
  const before = await counted();
  await shared.google.emulator.setFaults([]);
  await open(page, 'gs://input-data-bucket/data/many/');
  await expect(row(page, '000000')).toBeVisible();
  expect(await counted()).toBeLessThanOrEqual(before + 1);
});

test('a folder of 60,000 objects shows its first page at once, and scrolls to its end', async ({
  profile,
}) => {
  // Twice as many pages as the window keeps.
  const world = await startBucketWorld(60_000);
  try {
    const { page } = await openOwn(profile, world);
    const began = Date.now();
    await open(page, 'gs://input-data-bucket/data/');
    await expect(row(page, '0000000.bin')).toBeVisible();
    expect(Date.now() - began).toBeLessThan(20_000);
    const table = page.getByRole('grid', { name: 'Objects' });
    await expect(page.getByText('60,000 entries.')).toBeHidden();
    // As with the bar at the edge pulled down, again and again, to the end.
    await table.evaluate(async (box) => {
      const text = () => box.closest('.browser')?.querySelector('.browser-note')?.textContent ?? '';
      while (!text().includes('60,000 entries.')) {
        box.scrollTop = box.scrollHeight;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
    await table.press('End');
    await expect(row(page, '0059999.bin')).toBeVisible();
    expect(await page.getByRole('row').count()).toBeLessThan(120);
    // What was forgotten on the way comes again.
    await table.press('Home');
    await expect(row(page, '0000000.bin')).toBeVisible();
    await table.evaluate((box) => (box.scrollTop = 28 * 30_000));
    await expect(row(page, '0030005.bin')).toBeVisible();
  } finally {
    await world.emulator.stop();
  }
});

test('download and upload are runs: listed with their progress, paused and taken up again', async ({
  shared,
}) => {
  await fill(shared.google);
  const { application, page } = await openBuckets(shared);
  const target = join(shared.home, '..', 'fetched');
  await mkdir(target);
  await answerDialog(application, [target]);
  await open(page, 'gs://input-data-bucket/data/train/');
  await expect(row(page, 'b.txt')).toBeVisible();
  await page.getByRole('button', { name: 'Download…' }).click();
  const transfers = page.getByRole('region', { name: 'Transfers' });
  const first = transfers.getByRole('listitem').first();
  await expect(first).toContainText('Download gs://input-data-bucket/data/train/');
  await expect(first).toContainText('done', { timeout: 30_000 });
  await expect(first).toContainText('3 B, 2 objects');
  expect(await readFile(join(target, 'train', 'deep', 'a.txt'), 'utf8')).toBe('a');
  // Once more: nothing is left to fetch, and that is told.
  await page.getByRole('button', { name: 'Download…' }).click();
  await expect(first).toContainText('2 objects, all there already', { timeout: 30_000 });

  // A drop is asked about, then goes up as one run.
  const folder = join(shared.home, '..', 'up');
  await mkdir(join(folder, 'run'), { recursive: true });
  await writeFile(join(folder, 'one.txt'), 'one');
  await writeFile(join(folder, 'other.txt'), 'not dropped');
  await writeFile(join(folder, 'run', 'two.txt'), 'two');
  await open(page, 'gs://artifacts-bucket/results/window');
  await expect(page.getByRole('alert')).toContainText('may not list');
  await dragFiles(page, [join(folder, 'one.txt'), join(folder, 'run')]);
  const asked = page.getByRole('dialog');
  await expect(asked).toContainText(join(folder, 'run'));
  await expect(asked).toContainText('gs://artifacts-bucket/results/window/');
  await asked.getByRole('button', { name: 'Upload' }).click();
  await expect(asked).toBeHidden();
  await expect(first).toContainText('Upload');
  await expect(first).toContainText('done', { timeout: 30_000 });
  expect(await shared.google.names('artifacts-bucket')).toEqual([
    'results/window/one.txt',
    'results/window/run/two.txt',
  ]);

  // The same again meets what is there: failed, with the reason, and a retry is offered.
  await answerDialog(application, [join(folder, 'one.txt')]);
  await page.getByRole('button', { name: 'Upload…' }).click();
  await page.getByRole('menuitem', { name: 'Files' }).click();
  await expect(first).toContainText('failed', { timeout: 30_000 });
  await expect(first.getByRole('alert')).toBeVisible();
  await expect(first.getByRole('button', { name: /^Retry/ })).toBeVisible();
});

test('a transfer is paused and goes on where it was', async ({ shared }) => {
  await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      shared.google.put('input-data-bucket', `data/slow/${index}.bin`, new Uint8Array(100_000)),
    ),
  );
  const { application, page } = await openBuckets(shared);
  const target = join(shared.home, '..', 'fetched');
  await mkdir(target);
  await answerDialog(application, [target]);
  await open(page, 'gs://input-data-bucket/data/slow/');
  await expect(row(page, '39.bin')).toBeVisible();
  await shared.google.emulator.setFaults([
    { operation: 'media', fault: { kind: 'delay', milliseconds: 1_500 } },
  ]);
  await page.getByRole('button', { name: 'Download…' }).click();
  const first = page.getByRole('region', { name: 'Transfers' }).getByRole('listitem').first();
  await expect(first).toContainText('running', { timeout: 30_000 });
  await first.getByRole('button', { name: /^Pause/ }).click();
  await expect(first).toContainText('paused', { timeout: 30_000 });
  await shared.google.emulator.setFaults([]);
  await first.getByRole('button', { name: /^Resume/ }).click();
  await expect(first).toContainText('done', { timeout: 30_000 });
  await expect(first).toContainText('40 objects');
});

for (const theme of ['light', 'dark'] as const)
  test(`the screen of buckets, ${theme}`, async ({ shared }) => {
    await fill(shared.google);
    const look = lookOf(theme);
    const { application, page } = await openBuckets(shared, { theme });
    await page.screenshot({ path: shoot(`start-${theme}`) });
    expect(await mistakes(page, { ...look, part: '.application' })).toEqual([]);
    await page.getByRole('button', { name: 'Bookmarks' }).click();
    await expect(page.getByRole('dialog', { name: 'Bookmarks' })).toBeVisible();
    expect(await mistakes(page, { ...look, part: '.mantine-Popover-dropdown' })).toEqual([]);
    await page.keyboard.press('Escape');
    const target = join(shared.home, '..', 'fetched');
    await mkdir(target);
    await answerDialog(application, [target]);
    for (const size of [
      { width: 1280, height: 800 },
      { width: 900, height: 600 },
    ]) {
      await application.evaluate(({ BrowserWindow }, { width, height }) => {
        BrowserWindow.getAllWindows()[0]?.setContentSize(width, height);
      }, size);
      await expect.poll(() => page.evaluate(() => innerWidth)).toBe(size.width);
      const name = `${theme}-${size.width}`;
      await open(page, 'gs://input-data-bucket/data/');
      await row(page, 'labels.csv').click();
      await expect(page.getByRole('cell', { name: 'a, b' })).toBeVisible();
      await page.screenshot({ path: shoot(`table-${name}`) });
      await row(page, 'train/').click();
      await page.getByRole('button', { name: 'Count size' }).click();
      await page.getByRole('button', { name: 'Download…' }).click();
      await expect(
        page.getByRole('region', { name: 'Transfers' }).getByRole('listitem').first(),
      ).toContainText('done', { timeout: 30_000 });
      await page.screenshot({ path: shoot(`transfers-${name}`) });
      expect(await mistakes(page, { ...look, part: '.application' })).toEqual([]);
      await open(page, 'gs://artifacts-bucket/results');
      await expect(page.getByRole('alert')).toBeVisible();
      await page.screenshot({ path: shoot(`refused-${name}`) });
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    }
  });
