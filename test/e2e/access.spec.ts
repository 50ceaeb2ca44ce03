import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from '@playwright/test';
import { emailOf } from '../emulator/start.ts';
import { startGrantWorld, type GrantWorld } from '../google/grant-world.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { expect, test } from './support/test.ts';
import { answerDialog, goToKeys, openVault } from './support/keys.ts';
import { mistakes } from './support/mistakes.ts';

const run = promisify(execFile);
const READ = 'resource.name.startsWith("projects/_/buckets/input-data-bucket/objects/data/")';
const SCREENS = join(import.meta.dirname, '..', '..', 'test-results', 'screens');

let world: GrantWorld;
test.beforeAll(async () => {
  await mkdir(SCREENS, { recursive: true });
  world = await startGrantWorld({
    accounts: ['lab', 'ruler', 'owner'],
    grants: [
      `${emailOf('lab')}=roles/storage.objectViewer@input-data-bucket@${READ}`,
      `${emailOf('ruler')}=roles/storage.admin@projects/demo-project`,
      `${emailOf('owner')}=roles/storage.admin@projects/demo-project`,
    ],
    buckets: ['input-data-bucket', 'artifacts-bucket'],
  });
  await world.put('input-data-bucket', 'data/a');
});
test.afterAll(() => world.emulator.stop());

const picture = (page: Page, name: string) =>
  page.screenshot({ path: join(SCREENS, `access-${name}.png`) });

test('an administrator’s key, a failed check, what to ask for, and "Check now" once it was granted', async ({
  profile,
}) => {
  const env = { ...world.emulator.environment, ...(await openVault(profile)) };
  await run(
    process.execPath,
    [COMMAND_LINE, 'keys', 'add', world.emulator.keyFiles['lab'] ?? '', '--name', 'lab'],
    { env: profile.command({ env }).env },
  );
  // Without a network it comes in unasked.
  const offline = { TRAINYARD_OAUTH_ENDPOINT: 'http://127.0.0.1:9/token' };
  await run(
    process.execPath,
    [COMMAND_LINE, 'keys', 'add', world.emulator.keyFiles['owner'] ?? '', '--name', 'owner'],
    { env: { ...profile.command({ env }).env, ...offline } },
  );
  const code = join(profile.home, '..', 'code');
  await mkdir(code);
  const { application, page } = await profile.launch({ env });

  // A key that can administer is told by permission, and taken in only once its account's address was typed.
  await goToKeys(page);
  await answerDialog(application, [world.emulator.keyFiles['ruler'] ?? '']);
  await page.getByRole('button', { name: 'Add key files…' }).click();
  const arrival = page.getByRole('region', { name: /Key found in ruler/ });
  await expect(arrival.getByText('This is an administrator’s key')).toBeVisible();
  await expect(arrival).toContainText('storage.buckets.setIamPolicy');
  await expect(arrival.getByRole('button', { name: 'Take in', exact: true })).toHaveCount(0);
  const confirm = arrival.getByRole('button', { name: 'Take in all the same' });
  await expect(confirm).toBeDisabled();
  await picture(page, 'arrival');
  await arrival.getByLabel('Address of its account').fill(emailOf('lab'));
  await expect(confirm).toBeDisabled();
  await arrival.getByLabel('Address of its account').fill(emailOf('ruler'));
  await confirm.click();
  const detail = page.getByRole('article', { name: 'Key ruler' });
  await expect(detail.getByRole('region', { name: 'An administrator’s key' })).toContainText(
    'storage.buckets.delete',
  );
  await picture(page, 'key');
  // It was used to ask before it was kept: that is in its log.
  await detail.getByRole('button', { name: 'Show the log' }).click();
  await expect(detail.getByRole('group', { name: 'Log of ruler' })).toContainText(
    'check of what it can do',
  );

  // The form climbs the ladder while it is filled, and leads to what to ask for.
  await page.getByRole('button', { name: 'New job' }).click();
  const field = (label: string) => page.getByLabel(label, { exact: true });
  await field('Input type').selectOption('Google Cloud Storage');
  await page.locator('#new-job-input-gcs').fill('gs://input-data-bucket/data/');
  await page.locator('#new-job-input-key').selectOption('lab');
  const panel = page.getByRole('complementary', { name: 'What will happen' });
  const steps = panel.getByRole('list', { name: 'Steps for the input' });
  await expect(steps.getByRole('listitem').filter({ hasText: 'Listing: fail' })).toContainText(
    'a custom role that holds only storage.objects.list',
  );
  await picture(page, 'form');
  // An administrator's key is marked where it is chosen, and told where it is handed over.
  const workerKey = page.locator('#new-job-workerKey');
  await expect(workerKey.locator('option', { hasText: 'ruler' })).toContainText(
    'administrator’s key',
  );
  await expect(workerKey.locator('option', { hasText: 'lab (' })).not.toContainText(
    'administrator’s key',
  );
  await workerKey.selectOption('ruler');
  await field('They get').selectOption('The whole key, as a file');
  await expect(panel).toContainText(
    'This is an administrator’s key. The workers get the whole key',
  );
  await workerKey.selectOption('');
  await panel.getByRole('button', { name: 'Ask for access…' }).click();

  // What to ask for, in every form, without a network; then whether it works.
  await expect(page.getByRole('heading', { name: 'Ask for access' })).toBeVisible();
  await page.getByLabel('It creates below').fill('gs://artifacts-bucket/results/');
  const text = page.getByLabel('The text to send or to run');
  await expect(text).toContainText('artifacts-bucket/objects/results/');
  await expect(text).toContainText(emailOf('lab'));
  await picture(page, 'message');
  await page.getByText('gcloud script', { exact: true }).click();
  await expect(text).toContainText('#!/usr/bin/env bash');
  await page.getByRole('button', { name: 'Copy' }).click();
  await expect
    .poll(() => application.evaluate(({ clipboard }) => clipboard.readText()))
    .toContain('set -euo pipefail');
  await page.getByRole('button', { name: 'Check now' }).click();
  const found = page.getByRole('status', { name: 'What the check found' });
  await expect(found).toContainText('gs://artifacts-bucket/results/: does not work yet');
  await picture(page, 'refused');
  for (const [bucket, role] of [
    ['input-data-bucket', 'storage.objects.list'],
    ['artifacts-bucket', 'roles/storage.objectCreator'],
  ]) {
    const path = `/storage/v1/b/${bucket}/iam`;
    const policy = (await world.admin('GET', `${path}?optionsRequestedPolicyVersion=3`)) as {
      readonly bindings?: readonly object[];
    };
    const bindings = [
      ...(policy.bindings ?? []),
      { role, members: [`serviceAccount:${emailOf('lab')}`] },
    ];
    await world.admin('PUT', path, { version: 3, bindings });
  }
  // What was found is of what was asked: it goes with the address, the variant and the account, and comes with no other.
  const output = page.getByLabel('It creates below');
  await output.fill('gs://artifacts-bucket/results/other/');
  await expect(found).toHaveCount(0);
  await output.fill('gs://artifacts-bucket/results/');
  await expect(found).toContainText(`Asked as ${emailOf('lab')}`);
  const account = page.getByLabel('Account', { exact: true });
  await account.selectOption('owner');
  await expect(found).toHaveCount(0);
  await account.selectOption('lab');
  const variant = page.getByLabel('Listing is allowed by');
  await variant.selectOption('list-prefix');
  await expect(found).toHaveCount(0);
  await variant.selectOption('custom-role');
  const project = page.getByLabel('Project that owns the buckets');
  await project.fill('the-owning-project');
  await expect(text).toContainText("project='the-owning-project'");
  await project.fill('');
  await expect(text).not.toContainText('the-owning-project');
  await page.getByRole('button', { name: 'Check now' }).click();
  await expect(found).toContainText('gs://artifacts-bucket/results/: works');
  await expect(found).toContainText('gs://input-data-bucket/data/: works');
  expect(await mistakes(page)).toEqual([]);
  await application.evaluate(({ BrowserWindow, nativeTheme }) => {
    nativeTheme.themeSource = 'dark';
    BrowserWindow.getAllWindows()[0]?.setContentSize(900, 600);
  });
  await page.waitForFunction(() => window.innerWidth === 900);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide).toBeLessThanOrEqual(900);
  await picture(page, 'small-dark');
  await page.getByLabel('It reads').fill('gs://input-data-bucket/it"s/');
  await expect(page.getByRole('alert')).toContainText('cannot stand in the expression');
  expect(await world.names('artifacts-bucket')).toEqual([]);
  await picture(page, 'name');

  // What the form finds of a key's power keeps its jobs from starting until somebody confirmed it, in place.
  await page.getByRole('button', { name: 'New job' }).click();
  await field('Name').fill('confirmed');
  await field('Folder').fill(code);
  await field('Command of worker 0').fill('true');
  await field('Output type').selectOption('Google Cloud Storage');
  await page.locator('#new-job-output-gcs').fill('gs://artifacts-bucket/results/');
  await page.locator('#new-job-output-key').selectOption('owner');
  await expect(panel).toContainText('This is an administrator’s key');
  const start = page.getByRole('button', { name: 'Start job' });
  await start.click();
  const refusal = panel.getByRole('alert');
  await expect(refusal).toContainText('owner is an administrator’s key, and nobody has confirmed');
  await expect(refusal).not.toContainText('trainyard keys');
  await picture(page, 'start-refused');
  const know = panel.getByRole('button', { name: 'I know' });
  await expect(know).toBeDisabled();
  await panel.getByLabel('To use it all the same').fill(emailOf('lab'));
  await expect(know).toBeDisabled();
  await panel.getByLabel('To use it all the same').fill(emailOf('owner'));
  await know.click();
  await expect(refusal).toHaveCount(0);
  await start.click();
  await expect(page.getByRole('article', { name: 'Job confirmed' })).toContainText(
    'owner is an administrator’s key.',
  );
  await expect
    .poll(async () => (await world.names('artifacts-bucket')).join(' '), { timeout: 60_000 })
    .toContain('/manifest.json');
});
