import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { Profile } from './support/application.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { expect, test } from './support/test.ts';

const run = promisify(execFile);

/** One command of the command line on the profile's home; what it printed, as JSON. */
async function trainyard(profile: Profile, ...words: string[]): Promise<unknown> {
  const { env } = profile.command();
  const { stdout } = await run(process.execPath, [COMMAND_LINE, ...words, '--json'], { env });
  return JSON.parse(stdout);
}

const listed = z.array(z.object({ id: z.string(), name: z.string(), state: z.string() }));

test('the window and the command line see the same jobs, and one killed leaves the other working', async ({
  profile,
}) => {
  test.setTimeout(120_000);
  const { application, page } = await profile.launch();
  await expect(page.getByRole('heading', { name: 'No jobs yet' })).toBeVisible();

  const folder = join(profile.home, '..', 'work');
  await mkdir(folder);
  await writeFile(join(folder, 'train.sh'), 'printf "5%%\\r100%%\\ndone by $1\\n"\n');
  const jobFile = join(folder, 'job.yaml');
  await writeFile(
    jobFile,
    'name: together\nhost: local\ncode: { dir: . }\nworkers:\n  - sh train.sh zero\n  - sleep 300\n',
  );
  const { id } = z
    .object({ id: z.string() })
    .parse(await trainyard(profile, 'run', jobFile, '--detach'));
  const row = page.locator(`tr[data-job="${id}"]`);
  await expect(row).toContainText('running', { timeout: 30_000 });
  await expect(page.getByRole('log')).toContainText('done by zero');

  // What the window asks for, the command line sees.
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'Stop the job' }).click();
  await expect(row).toContainText('stopped', { timeout: 30_000 });
  expect(listed.parse(await trainyard(profile, 'jobs'))).toMatchObject([
    { id, name: 'together', state: 'stopped' },
  ]);
  await expect(page.getByRole('table', { name: 'Workers' })).toContainText('signal SIGTERM');

  application.process().kill('SIGKILL');
  expect(listed.parse(await trainyard(profile, 'jobs'))).toMatchObject([{ id, state: 'stopped' }]);

  // The database is an index: without it every job is back.
  for (const name of ['trainyard.db', 'trainyard.db-wal', 'trainyard.db-shm'])
    await rm(join(profile.home, name), { force: true });
  const again = await profile.launch();
  await expect(again.page.locator(`tr[data-job="${id}"]`)).toContainText('stopped');
});
