import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from '@playwright/test';
import { RUN } from '../../src/shared/run-directory.ts';
import type { Profile } from '../e2e/support/application.ts';
import { expect, test } from '../e2e/support/test.ts';
import { startBucketWorld } from '../e2e/support/bucket-world.ts';
import { dragFiles } from '../e2e/support/drag.ts';
import { writeKeyFile } from '../e2e/support/key-files.ts';
import { downloads, openVault } from '../e2e/support/keys.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { richRun, samplesFrom } from '../e2e/support/rich-run.ts';
import { writeRun } from '../e2e/support/runs.ts';
import { FAILED, FINISHED, interrupted, running, stagingNow } from '../e2e/support/samples.ts';

/** The window's main screens with plausible data, 1280 by 800. */

const SIZE = { width: 1280, height: 800 } as const;
const folder = join(import.meta.dirname, '../../docs/screenshots');

const take = async (page: Page, name: string): Promise<void> => {
  // Nothing blinks, nothing is pointed at.
  await page.mouse.move(0, 0);
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(folder, `${name}.png`), caret: 'hide' });
};
const rail = (page: Page, place: string) =>
  page
    .getByRole('navigation', { name: 'Places' })
    .getByRole('button', { name: place, exact: true })
    .click();

const LOG = [
  '\x1b[1mbert-finetune\x1b[0m on \x1b[36mNVIDIA A100\x1b[0m, 2 workers\r\n',
  'reading $TRAINYARD_DATA_PATH: 2,001 files, 100 MiB\r\n',
  ...Array.from({ length: 60 }, (_, step) => {
    const loss = (2.4 / Math.sqrt(step + 1)).toFixed(4);
    const [epoch, number] = [1 + Math.floor(step / 20), String((step % 20) * 50).padStart(4)];
    return `epoch ${epoch}  step ${number}/1000  \x1b[32mloss ${loss}\x1b[0m  \x1b[33mlr 2e-5\x1b[0m  312 samples/s\r\n`;
  }),
].join('');

async function writeJobs(profile: Profile): Promise<void> {
  const rich = richRun();
  const busy = await writeRun(profile.home, {
    ...rich,
    events: rich.events.filter(([, { kind }]) => kind !== 'warning'),
    logs: { 0: LOG, 1: LOG },
  });
  const samples = samplesFrom(Date.now() - 600_000, 300);
  const lines = samples.map((sample) => `${JSON.stringify(sample)}\n`);
  await writeFile(join(busy, RUN.samples), lines.join(''));
  const others = [FINISHED, { ...FAILED, name: 'vit-large-lr-sweep' }, running(), stagingNow()];
  for (const run of [...others, interrupted]) await writeRun(profile.home, run);
}

for (const [theme, name] of [
  ['light', 'job'],
  ['dark', 'logs-dark'],
] as const)
  test(`jobs, ${theme}`, async ({ profile }) => {
    await writeJobs(profile);
    const env = await openVault(profile);
    const { page } = await profile.launch({ env, theme, size: SIZE });
    await page.locator('tr[data-job]').filter({ hasText: 'bert-finetune' }).click();
    await page.getByRole('tab', { name: theme === 'light' ? 'Charts' : 'Logs' }).click();
    await expect(
      theme === 'light'
        ? page.getByText('GPU temperature').first()
        : page.getByText('epoch 3').first(),
    ).toBeVisible();
    await take(page, name);
  });

test('first start, and a key', async ({ profile }) => {
  const env = await openVault(profile);
  const { page } = await profile.launch({ env, theme: 'light', size: SIZE });
  await expect(page.getByRole('button', { name: 'Try it with sample data' })).toBeVisible();
  await take(page, 'first-start');

  await rail(page, 'Keys');
  const file = join(await downloads(profile), 'lab-1234.json');
  await writeKeyFile(file);
  await dragFiles(page, [file]);
  await expect(page.getByRole('button', { name: 'Take in' })).toBeVisible();
  await take(page, 'key-found');
});

test('a bucket, and a new job', async ({ profile }) => {
  const world = await startBucketWorld();
  try {
    const rows = Array.from(
      { length: 400 },
      (_, row) => `${row},images/${String(row).padStart(5, '0')}.png,${row % 10},train`,
    );
    const csv = `id,file,label,split\n${rows.join('\n')}\n`;
    await world.put('input-data-bucket', 'data/labels.csv', csv, 'text/csv');
    await world.put('input-data-bucket', 'data/README.md', 'Digits, 28 by 28.\n');
    await world.put('input-data-bucket', 'data/train.bin', new Uint8Array(12_000_000));
    await world.put('input-data-bucket', 'data/test.bin', new Uint8Array(2_000_000));
    await world.put('input-data-bucket', 'data/config.json', '{"classes": 10}', 'application/json');
    await world.put('input-data-bucket', 'data/images/00000.png', 'x', 'image/png');
    const env = await world.environment(profile);
    await promisify(execFile)(
      process.execPath,
      [COMMAND_LINE, 'keys', 'add', world.emulator.keyFiles['trainer'] ?? '', '--name', 'lab'],
      { env: profile.command({ env }).env },
    );
    const code = join(profile.home, '..', 'user', 'digits');
    await mkdir(code);
    await writeFile(join(code, 'train.py'), 'print("training")\n');

    const { page } = await profile.launch({ env, theme: 'light', size: SIZE });
    await rail(page, 'Buckets');
    await page.getByPlaceholder('gs://bucket/path').fill('gs://input-data-bucket/data/');
    await page.keyboard.press('Enter');
    await page.getByRole('row', { name: /labels\.csv/ }).click();
    await expect(page.getByRole('group', { name: 'Rows' })).toBeVisible();
    await take(page, 'buckets');

    await rail(page, 'New job');
    const field = (label: string) => page.getByLabel(label, { exact: true });
    await field('Name').fill('digits-sweep');
    await field('Folder').fill(code);
    await field('Command of worker 0').fill('python train.py --lr 0.1');
    await page.getByRole('button', { name: 'Add a worker' }).click();
    await field('Command of worker 1').fill('python train.py --lr 0.01');
    await field('Input type').selectOption('Google Cloud Storage');
    await page.locator('#new-job-input-gcs').fill('gs://input-data-bucket/data/');
    await page.locator('#new-job-input-key').selectOption('lab');
    await field('Output type').selectOption('Google Cloud Storage');
    await page.locator('#new-job-output-gcs').fill('gs://artifacts-bucket/results');
    await page.locator('#new-job-output-key').selectOption('lab');
    const checks = page.locator('.nj-checks li');
    await expect(checks.filter({ hasText: 'Output' })).toContainText('gets access');
    await expect(checks.filter({ hasText: 'This machine' })).toContainText('free on its disk');
    await field('Name').focus();
    await page.locator('#new-job-input-gcs').scrollIntoViewIfNeeded();
    await take(page, 'new-job');
  } finally {
    await world.emulator.stop();
  }
});
