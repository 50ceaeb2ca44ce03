import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from '@playwright/test';
import { placeMachine } from '../support/machine.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { expect, test } from './support/test.ts';
import { startBucketWorld } from './support/bucket-world.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..');
const FIXTURES = join(ROOT, 'test', 'fixtures');
const SCREENS = 'test-results/screens';

const job = (go: string): string => `name: with-cards
host: local
code: { dir: . }
resources: { gpus: 1 }
workers:
  - |
    cd "$TRAINYARD_OUTPUT_PATH"; for n in a b c; do echo $n > $n; done
    until [ -e "${go}" ]; do sleep 0.1; done
output: { gcs: gs://artifacts-bucket/results/, key: trainer }
`;

/** So many cards, each a little busier than the one before. */
const cards = (count: number): string =>
  Array.from({ length: count }, (_, index) => {
    const part = (index + 1) / count;
    const uuid = `GPU-${String(index).padStart(8, '0')}-1f2e-4d3c-8b5a-987654321000`;
    return `${index}, ${uuid}, 81559, ${Math.round(80_000 * part)}, ${Math.round(100 * part)}, ${40 + 2 * index}, 301.5, 550.54, Disabled, NVIDIA H100 80GB HBM3\n`;
  }).join('');

async function bothThemes(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `${SCREENS}/${name}-${colorScheme}.png` });
  }
}

test('a job on a card: the rail and the charts show the machine; what is missing in the bucket is uploaded again; tables stay as they were left', async ({
  profile,
}) => {
  test.setTimeout(150_000);
  const world = await startBucketWorld();
  try {
    const folder = join(profile.home, '..', 'work');
    const machine = join(profile.home, '..', 'machine');
    await mkdir(folder);
    placeMachine(machine, 'two-cards');
    await writeFile(join(machine, 'processes.csv'), '');
    const go = join(profile.home, '..', 'go');
    await writeFile(join(folder, 'job.yaml'), job(go));
    const env = {
      ...(await world.environment(profile)),
      PATH: `${join(FIXTURES, 'fake-nvidia-smi')}:${process.env['PATH'] ?? ''}`,
      FAKE_NVIDIA_SMI: machine,
    };
    const trainyard = async (...words: string[]): Promise<unknown> => {
      const { stdout } = await run(process.execPath, [COMMAND_LINE, ...words, '--json'], {
        env: profile.command({ env }).env,
      });
      return JSON.parse(stdout);
    };
    await trainyard('keys', 'add', world.emulator.keyFiles['trainer'] ?? '', '--name', 'trainer');
    const { id } = (await trainyard('run', join(folder, 'job.yaml'), '--detach')) as { id: string };

    const { application, page } = await profile.launch({ env, size: { width: 1280, height: 800 } });
    const row = page.locator(`tr[data-job="${id}"]`);
    await expect(row).toContainText('running', { timeout: 40_000 });
    const meters = page.getByRole('group', { name: 'This machine' });
    await expect(meters.getByRole('meter', { name: /^GPU [01], NVIDIA A100/ })).toHaveCount(2);
    await page.getByRole('tab', { name: 'Charts' }).click();
    for (const title of [
      'GPU use',
      'GPU memory',
      'GPU power',
      'GPU temperature',
      'Processors',
      'Memory',
      'Network',
    ])
      await expect(page.getByRole('img', { name: new RegExp(`^${title}: `) })).toBeVisible();
    await writeFile(go, '');
    await expect(row).toContainText('finished', { timeout: 40_000 });
    await bothThemes(page, 'job-charts-1280');

    const all = await world.names('artifacts-bucket');
    expect(all).toHaveLength(4);
    const gone = all.find((name) => name.endsWith('/worker-0/b')) ?? '';
    await world.remove('artifacts-bucket', gone);
    await page.getByRole('button', { name: 'Upload again' }).click();
    await page.getByRole('tab', { name: 'Timeline' }).click();
    await expect(page.getByRole('region', { name: 'Timeline' })).toContainText(
      'The bucket was looked at',
      { timeout: 40_000 },
    );
    await expect.poll(() => world.names('artifacts-bucket'), { timeout: 30_000 }).toContain(gone);
    await expect(row).toContainText('finished', { timeout: 40_000 });
    await expect(page.getByRole('region', { name: 'Timeline' })).not.toContainText('started again');
    await bothThemes(page, 'job-uploaded-again-1280');

    // The command line does the same, and looks for itself whether there is anything to do.
    await world.remove('artifacts-bucket', gone);
    expect(await trainyard('upload', id)).toMatchObject({ id, state: 'finished' });
    expect(await world.names('artifacts-bucket')).toContain(gone);

    // Cards that others are on are waited for, and who has them is told.
    const [first, second] = (await readFile(join(machine, 'query.csv'), 'utf8'))
      .split('\n')
      .map((line) => line.split(', ')[1] ?? '');
    await writeFile(join(machine, 'processes.csv'), `${first}, 4711\n${second}, 4712\n`);
    const next = (await trainyard('run', join(folder, 'job.yaml'), '--detach')) as { id: string };
    const waiting = page.locator(`tr[data-job="${next.id}"]`);
    await expect(waiting).toContainText('waiting', { timeout: 40_000 });
    await waiting.click();
    const told = page.getByRole('alert').filter({ hasText: 'Waits for 1 GPU' });
    await expect(told).toContainText(
      '0 of 2 are free. Not free: GPU 0 (process 4711), GPU 1 (process 4712).',
    );
    await bothThemes(page, 'job-waits-for-cards-1280');
    await writeFile(join(machine, 'processes.csv'), '');
    await expect(waiting).toContainText('finished', { timeout: 40_000 });
    await expect(told).toHaveCount(0);

    for (const count of [8, 16]) {
      await writeFile(join(machine, 'query.csv'), cards(count));
      await expect(meters.getByRole('meter')).toHaveCount(count);
      await bothThemes(page, `rail-${count}-cards`);
    }

    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByRole('checkbox', { name: 'Host' }).uncheck();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Name', exact: true }).click();
    await page.getByRole('group', { name: 'Filter by state' }).getByText('Finished').click();
    await expect
      .poll(() => page.evaluate(() => globalThis.window.trainyard.call('views', {})))
      .toMatchObject({ value: { jobs: { filter: 'finished', hidden: ['host'] } } });
    await application.close();
    const again = (await profile.launch({ env, size: { width: 900, height: 600 } })).page;
    await expect(again.getByRole('columnheader', { name: 'Name' })).toHaveAttribute(
      'aria-sort',
      'ascending',
    );
    await expect(again.getByRole('columnheader', { name: 'Host' })).toHaveCount(0);
    await expect(again.getByRole('button', { name: /^Finished/ })).toHaveAttribute(
      'aria-pressed',
      'true',
    );
    await expect(again.getByRole('group', { name: 'This machine' }).getByRole('meter')).toHaveCount(
      16,
    );
    await bothThemes(again, 'rail-16-cards-900');
  } finally {
    await world.emulator.stop();
  }
});
