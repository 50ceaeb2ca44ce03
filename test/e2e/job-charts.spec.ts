import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sample } from '../../src/shared/gpu.ts';
import { RUN } from '../../src/shared/run-directory.ts';
import { expect, test } from './support/test.ts';
import { frames } from './support/frames.ts';
import { writeRun, type WrittenRun } from './support/runs.ts';
import { ago, runningOn } from './support/samples.ts';

const CARDS = Array.from({ length: 8 }, (_, index) => ({
  uuid: `GPU-${index}`,
  index,
  name: 'NVIDIA H100',
}));

const eightWorkers = (): WrittenRun => ({
  id: '20261122-150000-abcdef',
  name: 'long-run',
  workers: 8,
  createdAt: ago(30_000),
  alive: true,
  events: runningOn(CARDS),
});

const begin = Date.now() - 25_000_000;
const sample = (index: number): Sample => ({
  time: new Date(begin + index * 2_000).toISOString(),
  gpus: CARDS.map(({ uuid }, card) => ({
    uuid,
    memoryUsed: 50_000 + 2_000 * card,
    // One card that does less than the others.
    utilization: Math.round((card === 5 ? 20 : 80) + 12 * Math.sin(index / 90 + card)),
    temperature: 60 + card,
    power: 500 + 40 * Math.sin(index / 50 + card),
  })),
  cpu: 35,
  memoryUsed: 20_000,
  memoryTotal: 128_000,
  disk: { in: 40_000_000, out: 5_000_000 },
  network: { in: 90_000_000, out: 2_000_000 },
});
const linesOf = (from: number, count: number): string =>
  Array.from({ length: count }, (_, index) => `${JSON.stringify(sample(from + index))}\n`).join('');

test('a burst of samples onto a long run of eight cards is followed, and the charts stay quick and readable', async ({
  shared,
}) => {
  const folder = await writeRun(shared.home, eightWorkers());
  const file = join(folder, RUN.samples);
  await writeFile(file, linesOf(0, 5_000));
  const { page, application } = await shared.launch({ theme: 'light' });
  await page.getByRole('tab', { name: 'Charts' }).click();
  const use = page.getByRole('img', { name: /^GPU use/ });
  await expect(use).toBeVisible({ timeout: 30_000 });

  let number = 5_000;
  const seen = await frames(page, async () => {
    for (let burst = 0; burst < 20; burst += 1) {
      await appendFile(file, linesOf(number, 1_000));
      number += 1_000;
      await page.waitForTimeout(80);
    }
    // What came last is drawn.
    await appendFile(
      file,
      `${JSON.stringify({ ...sample(number), gpus: sample(number).gpus.map((gpu) => ({ ...gpu, utilization: 7 })) })}\n`,
    );
    await expect(use).toHaveAttribute('aria-label', /mean 7 %/, { timeout: 20_000 });
  });
  test.info().annotations.push({ type: 'frames', description: JSON.stringify(seen) });
  // That it does not stand still, on a machine without a graphics card that others use, too.
  expect(seen.median).toBeLessThan(200);
  expect(seen.longest).toBeLessThan(3_000);

  // Eight cards are a mean and a range, and the lines of those that are chosen.
  const picker = page.getByRole('group', { name: 'Cards with a line of their own' });
  await expect(picker.getByRole('button')).toHaveCount(8);
  await expect(use.locator('figcaption')).toContainText('mean 7 %, 7 to 7 %');
  for (const name of ['GPU 5', 'GPU 0']) await picker.getByRole('button', { name }).click();
  await expect(use.locator('figcaption')).toContainText('GPU 5 7 %');
  const plots = page.locator('.chart .uplot');
  const tops = await plots.evaluateAll((all) =>
    all.map((one) => Math.round(one.getBoundingClientRect().top)),
  );
  expect(tops[0]).toBe(tops[1]);
  for (const [theme, width, height] of [
    ['light', 1280, 800],
    ['dark', 1280, 800],
    ['dark', 900, 600],
  ] as const) {
    await page.emulateMedia({ colorScheme: theme });
    await application.evaluate(
      ({ BrowserWindow }, [w, h]) => BrowserWindow.getAllWindows()[0]?.setContentSize(w, h),
      [width, height] as const,
    );
    await expect.poll(() => page.evaluate(() => innerWidth)).toBe(width);
    await page.screenshot({
      path: join('test-results', 'screens', `charts-eight-${theme}-${width}.png`),
    });
  }
});
