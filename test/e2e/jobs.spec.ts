import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { RUN } from '../../src/shared/run-directory.ts';
import { expect, test } from './support/test.ts';
import { writeEvents, writeRun } from './support/runs.ts';
import { FAILED, FINISHED, interrupted, running, stagingNow } from './support/samples.ts';

const row = (page: Page, id: string) => page.locator(`tr[data-job="${id}"]`);

test('an empty home says how to start', async ({ shared }) => {
  const { page } = await shared.launch();
  await expect(page.getByRole('heading', { name: 'No jobs yet' })).toBeVisible();
  await expect(page.getByText('trainyard run job.yaml')).toBeVisible();
  await expect(page.getByText(shared.home)).toBeVisible();
});

test('lists the jobs of the home, newest first', async ({ shared }) => {
  for (const run of [FINISHED, FAILED, interrupted]) await writeRun(shared.home, run);
  const { page } = await shared.launch();
  const rows = page.locator('tr[data-job]');
  await expect(rows).toHaveCount(3);
  expect(await rows.evaluateAll((all) => all.map((one) => one.dataset['job']))).toEqual([
    FAILED.id,
    FINISHED.id,
    interrupted.id,
  ]);
  const cells = await row(page, FINISHED.id).locator('td').allInnerTexts();
  expect(cells.map((cell) => cell.trim())).toEqual([
    'finished',
    FINISHED.name,
    '',
    '2',
    'local',
    expect.stringContaining('21 Nov'),
    '1 m 25 s',
    // Below the button for the columns.
    '',
  ]);
  await expect(row(page, interrupted.id)).toContainText('interrupted');
});

test('shows the stages, the workers, the problem and the output of a job', async ({ shared }) => {
  const folder = await writeRun(shared.home, FAILED);
  const { page } = await shared.launch();
  const detail = page.getByRole('article');
  await expect(detail.getByRole('heading', { name: FAILED.name })).toBeVisible();
  await expect(detail.getByRole('alert')).toContainText('Worker 1 ended with exit status 3.');
  await expect(detail.getByRole('alert')).toContainText('Repair the cause');
  const stages = detail.getByRole('list', { name: 'Stages' }).getByRole('listitem');
  await expect(stages).toHaveCount(4);
  expect(await stages.evaluateAll((all) => all.map((one) => one.dataset['state']))).toEqual([
    'done',
    'done',
    'failed',
    'done',
  ]);
  await expect(stages.first()).toContainText('100 of 100 MiB, 2,001 of 2,001 objects');
  const workers = detail.getByRole('table', { name: 'Workers' }).locator('tbody tr');
  await expect(workers.nth(0)).toContainText('exit 0');
  await expect(workers.nth(1)).toContainText('exit 3');
  await expect(detail).toContainText(`gs://artifacts-bucket/results/${FAILED.name}/${FAILED.id}/`);
  await expect(detail).toContainText(folder);
  // The log of the worker that failed is the one wanted.
  await expect(page.getByRole('log')).toContainText('Traceback: no such layer');
  await expect(detail.getByRole('button', { name: 'Stop' })).toHaveCount(0);
  await expect(detail.getByRole('button', { name: 'Retry' })).toBeVisible();
});

test('a stage that goes on shows bytes, objects, rate and time left', async ({ shared }) => {
  await writeRun(shared.home, stagingNow());
  const { page } = await shared.launch();
  const stage = page.getByRole('listitem').filter({ hasText: 'Stage code and data' });
  await expect(stage).toContainText('43.2 of 100 MiB');
  await expect(stage).toContainText('863 of 2,001 objects');
  await expect(stage).toContainText('8.10 MiB/s');
  await expect(stage).toContainText('7 s left');
  await expect(stage.getByRole('progressbar')).toHaveAttribute('aria-valuenow', /^43/);
});

test('a progress bar in a log is one line, and each worker has its log', async ({ shared }) => {
  await writeRun(shared.home, FINISHED);
  const { page } = await shared.launch();
  const log = page.getByRole('log');
  await expect(log).toContainText('accuracy 0.961');
  await expect(log).toContainText('epoch 20/20 100%');
  await expect(log).not.toContainText('epoch 10/20');
  await page.getByRole('table', { name: 'Workers' }).locator('tbody tr').nth(1).click();
  await expect(log).toContainText('worker one');
  await page.getByLabel('Log of', { exact: true }).selectOption('Stages');
  await expect(log).toContainText('data: 2,001 objects');
});

test('what an agent writes appears by itself', async ({ shared }) => {
  const run = running();
  const folder = await writeRun(shared.home, run);
  const { page } = await shared.launch();
  await expect(row(page, run.id)).toContainText('running');
  await writeEvents(folder, {
    ...run,
    events: [
      ...run.events,
      [60, { kind: 'worker-ended', worker: 0, exitCode: 0, signal: null, stopped: false }],
      [61, { kind: 'worker-ended', worker: 1, exitCode: 0, signal: null, stopped: false }],
      [62, { kind: 'stage-ended', stage: 'running' }],
      [62, { kind: 'stage-started', stage: 'uploading' }],
      [64, { kind: 'stage-ended', stage: 'uploading' }],
      [64, { kind: 'output-uploaded', objects: 4, bytes: 2_048, seconds: 2 }],
      [64, { kind: 'ended', state: 'finished', stage: null, problem: null }],
    ],
  });
  await expect(row(page, run.id)).toContainText('finished');
  await expect(page.getByRole('article')).toContainText('4 objects, 2.00 KiB');
  await expect(page.getByRole('button', { name: 'Stop' })).toHaveCount(0);
});

test('a job that another program submits appears by itself', async ({ shared }) => {
  await writeRun(shared.home, FINISHED);
  const { page } = await shared.launch();
  await expect(page.locator('tr[data-job]')).toHaveCount(1);
  await writeRun(shared.home, stagingNow());
  await expect(page.locator('tr[data-job]')).toHaveCount(2);
  // Nothing was chosen: the newest is shown.
  await expect(row(page, stagingNow().id)).toHaveAttribute('aria-selected', 'true');
});

test('Stop asks first, then asks the agent to stop', async ({ shared }) => {
  const run = running();
  const folder = await writeRun(shared.home, run);
  const { page } = await shared.launch();
  const request = join(folder, RUN.stopRequest);
  const isAsked = () =>
    access(request).then(
      () => true,
      () => false,
    );
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'Let it run' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  expect(await isAsked()).toBe(false);
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'Stop the job' }).click();
  await expect.poll(isAsked).toBe(true);
});

test('Retry takes a failed job up again, and its end appears', async ({ shared }) => {
  const run = {
    ...FAILED,
    workers: 1,
    output: undefined,
    command: 'echo mended',
    logs: {},
    events: FAILED.events.filter(([, event]) => !('worker' in event) || event.worker === 0),
  };
  await writeRun(shared.home, run);
  const { page } = await shared.launch();
  await page.getByRole('button', { name: 'Retry' }).click();
  await expect(row(page, run.id)).toContainText('finished', { timeout: 30_000 });
  await expect(page.getByRole('log')).toContainText('mended');
  await expect(page.getByRole('article').getByRole('alert')).toHaveCount(0);
});

test('a retry that cannot work says why, in the window', async ({ shared }) => {
  await writeRun(shared.home, { ...FAILED, key: 'a-key-that-went-away' });
  const { page } = await shared.launch();
  const alerts = page.getByRole('article').getByRole('alert');
  await expect(alerts).toHaveCount(1);
  await page.getByRole('button', { name: 'Retry' }).click();
  await expect(alerts).toHaveCount(2);
  await expect(alerts.first()).toContainText('a-key-that-went-away');
});

test('the keyboard moves through the jobs', async ({ shared }) => {
  for (const run of [FINISHED, FAILED, interrupted]) await writeRun(shared.home, run);
  const { page } = await shared.launch();
  await expect(row(page, FAILED.id)).toHaveAttribute('aria-selected', 'true');
  await page.getByRole('group', { name: 'Jobs' }).focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await expect(page.getByRole('article', { name: `Job ${interrupted.name}` })).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await expect(page.getByRole('article', { name: `Job ${FINISHED.name}` })).toBeVisible();
  await page.keyboard.press('End');
  await expect(row(page, interrupted.id)).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Home');
  await expect(row(page, FAILED.id)).toHaveAttribute('aria-selected', 'true');
});

test('an interrupted job says so and offers the retry', async ({ shared }) => {
  await writeRun(shared.home, interrupted);
  const { page } = await shared.launch();
  await expect(page.getByRole('article').getByRole('alert')).toHaveCount(1);
  await expect(page.getByRole('article').getByRole('alert')).toContainText(/agent/);
  await expect(page.getByRole('button', { name: 'Retry' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Stop' })).toHaveCount(0);
});

test('an emulated Google is told in a banner, the real one is not', async ({ profile, shared }) => {
  const real = await profile.launch();
  await expect(real.page.getByRole('heading', { name: 'No jobs yet' })).toBeVisible();
  await expect(real.page.getByText('Emulated Google Cloud.', { exact: true })).toHaveCount(0);
  const emulated = await shared.launch();
  await expect(emulated.page.getByText('Emulated Google Cloud.', { exact: true })).toBeVisible();
  await expect(emulated.page.getByRole('status')).toContainText(shared.google.emulator.url);
});

test('a home that cannot be opened is told with its reason', async ({ profile }) => {
  const { page } = await profile.launch({
    env: { TRAINYARD_OAUTH_ENDPOINT: 'http://elsewhere.example/token' },
  });
  await expect(page.getByRole('alert')).toContainText('TRAINYARD_OAUTH_ENDPOINT');
  // Nothing in the window could mend it.
  await expect(page.getByRole('main').getByRole('button')).toHaveCount(0);
});
