import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RUN } from '../../src/shared/run-directory.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { expect, test } from './support/test.ts';
import { startBucketWorld } from './support/bucket-world.ts';
import { keysInTerminal } from './support/keys.ts';
import { writeRun } from './support/runs.ts';
import { FINISHED } from './support/samples.ts';

const run = promisify(execFile);
const BELOW = `results/${FINISHED.name}/${FINISHED.id}/`;

test('a link from a job looks with the key of its output, in its folder; without a network nothing hangs', async ({
  profile,
}) => {
  test.setTimeout(120_000);
  const world = await startBucketWorld();
  try {
    const env = await world.environment(profile);
    // The screen of buckets would take the first one.
    for (const [key, name] of [
      ['admin', 'aaa-admin'],
      ['trainer', 'trainer'],
    ] as const)
      await run(
        process.execPath,
        [
          ...[COMMAND_LINE, 'keys', 'add', world.emulator.keyFiles[key] ?? '', '--name', name],
          ...(key === 'admin'
            ? ['--accept-admin', 'admin@demo-project.iam.gserviceaccount.com']
            : []),
        ],
        { env: profile.command({ env }).env },
      );
    const card = (await keysInTerminal(profile.command({ env }).env)).find(
      ({ name }) => name === 'trainer',
    );
    const folder = await writeRun(profile.home, {
      ...FINISHED,
      key: 'trainer',
      keyId: card?.id ?? '',
    });
    const objects = ['worker-0/a.txt', 'worker-0/r1.txt', 'worker-1/r2.txt'].map((name) => ({
      name: `${BELOW}${name}`,
      size: 3,
      crc32c: 'AAAAAA==',
      generation: '1',
      assumed: false,
    }));
    for (const { name } of objects) await world.put('artifacts-bucket', name, 'one');
    await writeFile(
      join(folder, RUN.manifest),
      JSON.stringify({
        format: 1,
        job: { id: FINISHED.id, name: FINISHED.name },
        bucket: 'artifacts-bucket',
        prefix: BELOW,
        createdAt: FINISHED.createdAt,
        state: 'finished',
        workers: [],
        objects,
      }),
    );

    const { page } = await profile.launch({ env, size: { width: 900, height: 600 } });
    await page.locator(`tr[data-job="${FINISHED.id}"]`).click();
    await page.getByRole('tab', { name: 'Files' }).click();
    await page.getByRole('button', { name: 'worker-0/r1.txt' }).click();
    // The key may create there and not read: it is told of the object, and not of a listing that nobody asked for.
    await expect(page.getByLabel('Key')).toContainText('trainer');
    await expect(page.getByRole('alert')).toContainText('may not read');
    await expect(page.getByRole('alert')).toContainText('worker-0/r1.txt');
    await page.screenshot({ path: join('test-results', 'screens', 'buckets-link-refused.png') });
    await page.getByRole('button', { name: 'Ask for access…' }).click();
    await expect(page.getByRole('heading', { name: 'Ask for access' })).toBeVisible();
    await expect(page.getByLabel('It reads')).toHaveValue(`gs://artifacts-bucket/${BELOW}`);

    // With a key that may, it stands chosen among its neighbours.
    await page.getByRole('button', { name: 'Buckets', exact: true }).click();
    await page.getByLabel('Key').selectOption('aaa-admin · administrator’s key');
    const table = page.getByRole('grid', { name: 'Objects' });
    await expect(table.getByRole('row', { name: 'r1.txt' })).toHaveAttribute(
      'aria-selected',
      'true',
    );
    await expect(page.getByLabel('Content')).toHaveText('one');
    const path = page.getByRole('navigation', { name: 'Path' });
    const here = path.getByText('worker-0');
    await expect(here).toHaveAttribute('aria-current', 'location');
    await page.screenshot({ path: join('test-results', 'screens', 'buckets-link.png') });
    // No room for all of it: the middle is in a menu, the end in sight.
    expect(await path.evaluate((nav) => nav.scrollWidth - nav.clientWidth)).toBeLessThanOrEqual(0);
    await path.getByRole('button', { name: 'folders between' }).click();
    await expect(page.getByRole('menuitem', { name: 'results' })).toBeDisabled();
    await page.keyboard.press('Escape');
    await table.press('Backspace');
    await expect(table.getByRole('row', { name: 'worker-1/' })).toBeVisible();
    await expect(page.getByLabel('Address')).toHaveValue(`gs://artifacts-bucket/${BELOW}`);

    await world.emulator.stop();
    await page.getByLabel('Address').fill('gs://artifacts-bucket/other');
    await page.getByLabel('Address').press('Enter');
    await expect(page.getByText(/No answer, attempt \d\./)).toBeVisible();
    await page.screenshot({ path: join('test-results', 'screens', 'buckets-offline.png') });
    await page.getByRole('button', { name: 'Cancel' }).click();
    await expect(page.getByRole('alert')).toContainText('Called off');
    await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible();

    // The form goes on without a network, too, and says what it could not ask.
    await page.getByRole('button', { name: 'New job', exact: true }).click();
    await page.getByLabel('Input type').selectOption('Google Cloud Storage');
    await page.locator('#new-job-input-gcs').fill('gs://artifacts-bucket/data/');
    await page.locator('#new-job-input-key').selectOption('trainer');
    await expect(page.locator('.nj-checks li').filter({ hasText: 'Input' })).toContainText(
      /Nothing listens|cannot be reached|did not answer/,
      { timeout: 30_000 },
    );
    await expect(page.getByRole('button', { name: 'Start job' })).toBeEnabled();
  } finally {
    await world.emulator.stop();
  }
});
