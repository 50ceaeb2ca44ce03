import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, test } from './support/test.ts';
import { writeRun } from './support/runs.ts';
import { FAILED, FINISHED, interrupted, running, stagingNow } from './support/samples.ts';

const LEAST_SIZE = 12;
const LEAST_CONTRAST = 4.5;
/** Milliseconds. */
const LONGEST_MOTION = 149;

/** Texts that are too small, fields that are too pale, buttons that are cut, in words. */
const faults = (page: Page): Promise<readonly string[]> =>
  page.evaluate(
    ({ leastSize, leastContrast }) => {
      const found: string[] = [];
      const isShown = (element: Element) =>
        element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) &&
        element.closest('[aria-hidden="true"], .hidden-heading, .for-readers') === null;
      const brightness = (color: string): number => {
        const parts = (/rgba?\(([^)]+)\)/.exec(color)?.[1] ?? '').split(/[ ,/]+/).map(Number);
        const [red = 0, green = 0, blue = 0] = parts.map((value) => {
          const part = value / 255;
          return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
      };
      const behind = (element: Element | null): string => {
        for (let at = element; at !== null; at = at.parentElement) {
          const color = getComputedStyle(at).backgroundColor;
          if (!/, 0\)$|transparent/.test(color)) return color;
        }
        return 'rgb(255, 255, 255)';
      };
      for (const element of document.querySelectorAll('.application *')) {
        const text = [...element.childNodes]
          .filter(({ nodeType }) => nodeType === Node.TEXT_NODE)
          .map(({ textContent }) => textContent?.trim() ?? '')
          .join('');
        const size = Number.parseFloat(getComputedStyle(element).fontSize);
        const isField = element.matches('input, textarea, select');
        if ((text !== '' || isField) && isShown(element) && size < leastSize)
          found.push(`${size} px: ${element.outerHTML.slice(0, 120)}`);
        if (element.matches('button') && isShown(element)) {
          const label = element.querySelector('.mantine-Button-label') ?? element;
          if (label.scrollWidth > label.clientWidth + 1 && !label.closest('.crumbs, td, .objects'))
            found.push(`cut: ${element.outerHTML.slice(0, 120)}`);
        }
        if (
          (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement) &&
          element.placeholder !== '' &&
          !element.disabled &&
          isShown(element)
        ) {
          const [one, other] = [
            brightness(getComputedStyle(element, '::placeholder').color),
            brightness(behind(element)),
          ].sort((a, b) => b - a);
          const contrast = ((one ?? 0) + 0.05) / ((other ?? 0) + 0.05);
          if (contrast < leastContrast)
            found.push(`contrast ${contrast.toFixed(2)}: ${element.placeholder}`);
        }
      }
      return found;
    },
    { leastSize: LEAST_SIZE, leastContrast: LEAST_CONTRAST },
  );

/** The longest transition from one state to another, in milliseconds; what turns while something is awaited is none. */
const longestMotion = (page: Page): Promise<number> =>
  page.evaluate(() =>
    Math.max(
      ...[...document.querySelectorAll('*')].flatMap((element) =>
        getComputedStyle(element)
          .transitionDuration.split(',')
          .map((time) => Number.parseFloat(time) * (time.trim().endsWith('ms') ? 1 : 1_000)),
      ),
    ),
  );

test('everything is large enough, pale nowhere, cut nowhere, and still where the system asks for it', async ({
  shared,
}) => {
  test.setTimeout(120_000);
  for (const run of [FINISHED, FAILED, interrupted, stagingNow(), running()])
    await writeRun(shared.home, run);
  const { application, page } = await shared.launch({ size: { width: 900, height: 600 } });
  // No smaller: a screen may count on it.
  await expect.poll(() => page.evaluate(() => innerWidth)).toBe(900);
  expect(
    await application.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows()[0]?.getMinimumSize(),
    ),
  ).toEqual([900, 600]);
  const places = page.getByRole('navigation', { name: 'Places' });
  for (const [place, sign] of [
    ['New job', 'What will happen'],
    ['Buckets', 'Open a place in a bucket'],
    ['Keys', 'Add key files…'],
    ['Hosts', 'After a logout'],
    ['Settings', 'Theme'],
    ['Jobs', 'digits-sweep'],
  ] as const) {
    await places.getByRole('button', { name: place, exact: true }).click();
    await expect(page.getByText(sign).first()).toBeVisible({ timeout: 20_000 });
    if (place === 'Jobs') await page.locator(`tr[data-job="${FAILED.id}"]`).click();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'no-preference' });
      await expect(page.locator(`html[data-mantine-color-scheme="${colorScheme}"]`)).toBeAttached();
      expect(await faults(page), `${place}, ${colorScheme}`).toEqual([]);
      await page.screenshot({
        path: join('test-results', 'screens', `readable-${place}-${colorScheme}.png`),
      });
    }
    expect(await longestMotion(page), place).toBeLessThanOrEqual(LONGEST_MOTION);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await expect.poll(() => longestMotion(page), place).toBe(0);
  }
  // No two heads of the workers' table stand over each other.
  const table = page.getByRole('table', { name: 'Workers' });
  expect(
    await table.evaluate((element) => {
      const pane = element.closest('.detail-left');
      const heads = [...element.querySelectorAll('th')].filter((head) => head.checkVisibility());
      return [
        (pane?.scrollWidth ?? 0) - (pane?.clientWidth ?? 0),
        ...heads.map((head) => Math.max(0, head.scrollWidth - head.clientWidth)),
      ].filter((over) => over > 0);
    }),
  ).toEqual([]);

  // A dialog is there at once: its first frame is its last one.
  await page.locator(`tr[data-job="${running().id}"]`).click();
  await page.getByRole('button', { name: 'Stop' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toBeVisible();
  expect(await dialog.evaluate((element) => getComputedStyle(element).opacity)).toBe('1');
  expect(await longestMotion(page)).toBe(0);
});
