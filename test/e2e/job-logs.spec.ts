import { appendFile, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { workerLog } from '../../src/shared/run-directory.ts';
import { expect, test } from './support/test.ts';
import { frames } from './support/frames.ts';
import { writeRichRun, richRun } from './support/rich-run.ts';
import { writeRun } from './support/runs.ts';
import { FINISHED, running } from './support/samples.ts';

const log = (page: Page) => page.getByRole('log');
const line = (number: number) => `line ${String(number).padStart(7, '0')} ${'x'.repeat(40)}\n`;

/** Writes lines in pieces: a million are sixty megabytes. */
async function writeLines(file: string, count: number): Promise<void> {
  const handle = await open(file, 'w');
  for (let begin = 0; begin < count; begin += 20_000) {
    const piece = Array.from({ length: Math.min(20_000, count - begin) }, (_, i) =>
      line(begin + i),
    );
    await handle.write(piece.join(''));
  }
  await handle.close();
}

test('a log is followed while it grows, and stands still when the user looks back', async ({
  shared,
}) => {
  const folder = await writeRun(shared.home, running());
  const { page } = await shared.launch();
  await expect(log(page)).toContainText('step 199');
  const file = join(folder, workerLog(0));
  await appendFile(file, 'step 200 loss 0.0099\nbar 1%\rbar 2%');
  await expect(log(page)).toContainText('bar 2%');
  await appendFile(file, '\rbar 3% of größe ✓\n'.repeat(2));
  await expect(log(page)).toContainText('bar 3% of größe ✓');
  await expect(log(page)).not.toContainText('bar 2%');

  await log(page).hover();
  await page.mouse.wheel(0, -800);
  await expect(page.getByLabel('Follow')).not.toBeChecked();
  const seen = await log(page).innerText();
  await appendFile(file, 'step 201\n');
  await expect(page.getByText(/KiB$/)).toBeVisible();
  await page.waitForTimeout(1_200);
  expect(await log(page).innerText()).toBe(seen);
  await page.getByLabel('Follow').check();
  await expect(log(page)).toContainText('step 201');
});

test('a log that asks for hundreds of millions of anything is shown at once', async ({
  shared,
}) => {
  const folder = await writeRun(shared.home, running());
  const { page } = await shared.launch();
  await expect(log(page)).toContainText('step 199');
  const file = join(folder, workerLog(0));
  for (const final of 'bSTLMZI@PX')
    for (const begin of ['\u001b[', '\u009b'])
      await appendFile(file, `x${begin}400000000${final}${begin}40\n0000000${final}\r`);
  await appendFile(file, '\u001b[2J\u001b[Hall of it was read\n');
  await expect(log(page)).toContainText('all of it was read', { timeout: 15_000 });
});

test('colours are shown, and a control sequence in a log does nothing else', async ({ shared }) => {
  await writeRichRun(shared.home);
  const { page } = await shared.launch();
  await expect(log(page)).toContainText('loss 0.333');
  const colour = (text: string) =>
    log(page)
      .locator('span', { hasText: text })
      .last()
      .evaluate((element) => getComputedStyle(element).color);
  expect(await colour('loss 0.333')).not.toBe(await colour('lr 2e-5'));
  const title = await page.title();
  const folder = join(shared.home, 'runs', richRun().id);
  await appendFile(
    join(folder, workerLog(0)),
    '\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b[8;1;1t\x1b[6n\x1b]8;;https://example.com\x07link\x1b]8;;\x07 done\n',
  );
  await expect(log(page)).toContainText('link done');
  expect(await page.title()).toBe(title);
});

test('a million lines: the end at once, the start, any line by a search, and back', async ({
  shared,
}) => {
  test.setTimeout(120_000);
  const folder = await writeRun(shared.home, { ...FINISHED, logs: {} });
  const file = join(folder, workerLog(0));
  await writeLines(file, 1_000_000);
  const { page } = await shared.launch();
  await expect(log(page)).toContainText('line 0999999');
  await expect(page.getByText('The last')).toBeVisible();

  const moved = await frames(page, async () => {
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await expect(log(page)).toContainText('line 0000000');
    await page.getByLabel('Search the log').fill('LINE 0654321');
    await page.keyboard.press('Enter');
    await expect(log(page)).toContainText('line 0654321');
    await page.getByLabel('Search the log').fill('not in this log');
    await page.keyboard.press('Enter');
    await expect(page.getByText('Not found')).toBeVisible();
    // Past the edge of what is loaded, by the wheel.
    await log(page).hover();
    for (let turn = 0; turn < 40; turn += 1) {
      await page.mouse.wheel(0, -8_000);
      await page.waitForTimeout(20);
    }
    await expect(page.getByText(/From \d+\.\d % to/)).toBeVisible();
    await page.getByRole('button', { name: 'End', exact: true }).click();
    await expect(log(page)).toContainText('line 0999999');
  });
  test.info().annotations.push({ type: 'frames', description: JSON.stringify(moved) });
  // That it does not stand still; how smooth it is, `npm run bench:window` measures.
  expect(moved.longest).toBeLessThan(3_000);
  const rows = await page.locator('.xterm-rows > *').count();
  expect(rows).toBeLessThan(120);
});

test('ten thousand lines a second are followed, and the window stays quick', async ({ shared }) => {
  test.setTimeout(90_000);
  const folder = await writeRun(shared.home, running());
  const { page } = await shared.launch();
  await expect(log(page)).toContainText('step 199');
  const file = join(folder, workerLog(0));
  let number = 0;
  const seen = await frames(page, async () => {
    for (let burst = 0; burst < 50; burst += 1) {
      const lines = Array.from({ length: 1_000 }, () => line((number += 1)));
      await appendFile(file, lines.join(''));
      await page.waitForTimeout(80);
    }
  });
  await expect(log(page)).toContainText(line(number).slice(0, 12));
  test.info().annotations.push({ type: 'frames', description: JSON.stringify(seen) });
  // That it does not stand still; how smooth it is, `npm run bench:window` measures.
  expect(seen.median).toBeLessThan(200);
  expect(seen.longest).toBeLessThan(3_000);
});

test('a log is saved whole where the user says, and copied', async ({ shared }) => {
  const folder = await writeRun(shared.home, running());
  const { application, page } = await shared.launch();
  await expect(log(page)).toContainText('step 199');
  const target = join(shared.home, 'saved.log');
  await application.evaluate(({ dialog }, filePath) => {
    dialog.showSaveDialog = async () => ({ canceled: false, filePath });
  }, target);
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText(`Saved as ${target}`)).toBeVisible();
  expect(await readFile(target)).toEqual(await readFile(join(folder, workerLog(0))));
  expect((await stat(target)).mode & 0o777).toBe(0o600);
  await page.getByRole('button', { name: 'Copy' }).click();
  await expect(page.getByRole('status').getByText('Copied')).toBeVisible();
  const copied = await application.evaluate(({ clipboard }) => clipboard.readText());
  expect(copied.split('\n')[5]).toBe('step 5 loss 0.3333');
});

test('the keyboard scrolls the log, and leaves it', async ({ shared }) => {
  await writeRun(shared.home, running());
  const { page } = await shared.launch();
  await expect(log(page)).toContainText('step 199');
  await page.getByLabel('Log of worker 0').last().focus();
  await page.keyboard.press('Home');
  await expect(log(page)).toContainText('step 0 loss');
  await page.keyboard.press('PageDown');
  await expect(log(page)).not.toContainText('step 0 loss');
  await page.keyboard.press('End');
  await expect(log(page)).toContainText('step 199');
  await page.keyboard.press('/');
  await expect(page.getByLabel('Search the log')).toBeFocused();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  expect(await log(page).evaluate((box) => box.contains(document.activeElement))).toBe(false);
});
