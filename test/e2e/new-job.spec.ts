import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ElectronApplication, Page } from '@playwright/test';
import { parse } from 'yaml';
import { lookOf, mistakes } from './support/mistakes.ts';
import type { Shared } from './support/shared.ts';
import { expect, test } from './support/test.ts';

const run = promisify(execFile);

/** Two objects to read, a folder of code, and the key `trainer` in the vault. */
async function prepare(shared: Shared): Promise<{ readonly code: string }> {
  for (const name of ['data/a.txt', 'data/deep/b.txt'])
    await shared.google.put('input-data-bucket', name, `content of ${name}`);
  await shared.addKey('trainer');
  return { code: await writeCode(join(shared.home, '..')) };
}

async function writeCode(folder: string): Promise<string> {
  const code = join(folder, 'code');
  await mkdir(code);
  await writeFile(
    join(code, 'train.sh'),
    'cat "$TRAINYARD_DATA_PATH/a.txt"; echo " as $1 with $MODEL in $LAB_MODULES" | tee "$TRAINYARD_OUTPUT_PATH/result.txt"\n',
  );
  for (const words of [
    ['init', '-q', '-b', 'main'],
    ['add', '.'],
    ['-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '-m', 'first'],
  ])
    await run('git', ['-C', code, ...words]);
  return code;
}

const rail = (page: Page, place: string) =>
  page.getByRole('navigation', { name: 'Places' }).getByRole('button', { name: place });
const toForm = (page: Page) => rail(page, 'New job').click();
const field = (page: Page, label: string) => page.getByLabel(label, { exact: true });
const panel = (page: Page) => page.getByRole('complementary', { name: 'What will happen' });
const check = (page: Page, topic: string) =>
  panel(page).locator('.nj-checks li').filter({ hasText: topic });

/** The next folder that the system's dialog is asked for. */
async function willPick(application: ElectronApplication, path: string): Promise<void> {
  await application.evaluate(({ dialog }, chosen) => {
    dialog.showOpenDialog = async () => ({ canceled: false, filePaths: [chosen] });
  }, path);
}

/** Pastes as the clipboard does. */
async function paste(page: Page, label: string, text: string): Promise<void> {
  await field(page, label).evaluate((box, pasted) => {
    (box as HTMLTextAreaElement).select();
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', pasted);
    box.dispatchEvent(
      new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }),
    );
  }, text);
}

async function fill(page: Page, application: ElectronApplication, code: string): Promise<void> {
  await field(page, 'Name').fill('digits');
  await willPick(application, code);
  await page.getByRole('button', { name: 'Choose the folder of the code' }).click();
  await expect(field(page, 'Folder')).toHaveValue(code);
  await paste(page, 'Command of worker 0', 'sh train.sh zero\nsh train.sh one\n');
  await page.getByRole('button', { name: 'Add a variable' }).click();
  await paste(page, 'Name of variable 1', 'MODEL=a=b\nexport SEED="7"');
  await field(page, 'Input type').selectOption('Google Cloud Storage');
  await page.locator('#new-job-input-gcs').fill('gs://input-data-bucket/data/');
  await page.locator('#new-job-input-key').selectOption('trainer');
  await field(page, 'Output type').selectOption('Google Cloud Storage');
  await page.locator('#new-job-output-gcs').fill('gs://artifacts-bucket/results');
  await page.locator('#new-job-output-key').selectOption('trainer');
}

test('a job from the form to its results in the bucket', async ({ shared }) => {
  test.setTimeout(180_000);
  const { code } = await prepare(shared);
  const { application, page } = await shared.launch();
  await toForm(page);
  await fill(page, application, code);

  await expect(field(page, 'Command of worker 1')).toHaveValue('sh train.sh one');
  await expect(field(page, 'Value of variable 1')).toHaveValue('a=b');
  await expect(field(page, 'Name of variable 2')).toHaveValue('SEED');
  await expect(field(page, 'Value of variable 2')).toHaveValue('7');

  // The bucket, in place: from what was typed downwards.
  await page.getByRole('button', { name: 'Browse the bucket for the input' }).click();
  const picker = page.getByRole('dialog', { name: 'Browse the bucket for the input' });
  await picker.getByRole('row', { name: /deep/ }).dblclick();
  await expect(picker.getByRole('row', { name: /b\.txt/ })).toBeVisible();
  await picker.getByRole('row', { name: /b\.txt/ }).click();
  await page.screenshot({ path: join('test-results', 'screens', 'new-job-picker.png') });
  await picker.getByRole('button', { name: 'Use this' }).click();
  await expect(page.locator('#new-job-input-gcs')).toHaveValue(
    'gs://input-data-bucket/data/deep/b.txt',
  );
  await expect(check(page, 'Input')).toContainText('One object, 26 B');
  // Without an address it asks for one.
  await page.locator('#new-job-input-gcs').fill('');
  await page.getByRole('button', { name: 'Browse the bucket for the input' }).click();
  await expect(picker.getByText('No bookmarks yet.')).toBeVisible();
  await page.screenshot({ path: join('test-results', 'screens', 'new-job-where.png') });
  await picker.getByLabel('Address to begin from').fill('input-data-bucket/data');
  await page.keyboard.press('Enter');
  await expect(picker.getByRole('row', { name: /a\.txt/ })).toBeVisible();
  await picker.getByRole('button', { name: 'Use this' }).click();
  await expect(page.locator('#new-job-input-gcs')).toHaveValue('gs://input-data-bucket/data/');

  await expect(panel(page)).toContainText('2 workers run side by side on this machine');
  await expect(panel(page)).toContainText(
    'gs://artifacts-bucket/results/digits/<job id>/worker-<n>/',
  );
  await expect(check(page, 'Code')).toContainText('main at');
  await expect(check(page, 'Code')).toContainText('commits that were not pushed');
  await expect(check(page, 'Input')).toContainText('2 objects, 47 B: fits');
  await expect(check(page, 'Output')).toContainText('The key trainer gets access.');
  await expect(check(page, 'This machine')).toContainText('free on its disk', { timeout: 30_000 });

  await page.getByRole('button', { name: 'Start job' }).click();
  const row = page.locator('tr[data-job], [role="row"][data-job]').filter({ hasText: 'digits' });
  await expect(row).toContainText('finished', { timeout: 90_000 });
  await expect(page.getByRole('article', { name: 'Job digits' })).toBeVisible();

  const id = await row.getAttribute('data-job');
  const object = `results/digits/${id ?? ''}/worker-1/result.txt`;
  expect(await shared.google.read('artifacts-bucket', object)).toBe(' as one with a=b in cuda12\n');

  // What was started is no longer in the form; from the job it comes back, paths and all.
  await toForm(page);
  await expect(field(page, 'Name')).toHaveValue('');
  await rail(page, 'Jobs').click();
  await page.getByRole('button', { name: 'Run again' }).click();
  await expect(page.getByText('The form was filled from the job.')).toBeVisible();
  await expect(field(page, 'Name')).toHaveValue('digits');
  await expect(field(page, 'Folder')).toHaveValue(code);
  await expect(field(page, 'Command of worker 1')).toHaveValue('sh train.sh one');
  await page.getByRole('button', { name: 'Bring back what was there' }).click();
  await expect(field(page, 'Name')).toHaveValue('');
});

test('problems stand beside their fields, from the form and from the bucket', async ({
  shared,
}) => {
  const { code } = await prepare(shared);
  const { application, page } = await shared.launch();
  await toForm(page);
  const wrong = panel(page).getByRole('button', { name: /not filled yet or wrong/ });
  await expect(wrong).toContainText('3 fields');
  await expect(page.getByText('Give the job a name')).toBeHidden();
  await page.getByRole('button', { name: 'Start job' }).click();
  await expect(field(page, 'Name')).toBeFocused();
  await expect(field(page, 'Name')).toHaveAccessibleDescription(/Give the job a name/);
  await expect(page.getByText('Choose the folder of the code.')).toBeVisible();
  await expect(page.getByText('Write a command.')).toBeVisible();

  await fill(page, application, code);
  await expect(wrong).toBeHidden();
  await field(page, 'Name').fill('two words');
  await expect(field(page, 'Name')).toHaveAccessibleDescription(/letters, digits/);
  await field(page, 'Name').fill('digits');

  const input = page.locator('#new-job-input-gcs');
  await input.fill('gs://input-data-bucket/dta/');
  await expect(input).toHaveAccessibleDescription(/There is nothing below .*typing mistake/);
  await input.fill('https://storage.googleapis.com/x');
  await input.blur();
  await expect(input).toHaveAccessibleDescription(
    /"x" is not a bucket name: .* reads as gs:\/\/x\//,
  );
  await input.fill('gs://input-data-bucket/data/');
  await expect(check(page, 'Input')).toContainText('2 objects');

  await field(page, 'Folder').fill('code');
  await field(page, 'Folder').blur();
  await expect(field(page, 'Folder')).toHaveAccessibleDescription(/Write the whole path/);
  await field(page, 'Folder').fill(`${code}-not-there`);
  await expect(field(page, 'Folder')).toHaveAccessibleDescription(/There is no folder/);
  await writeFile(join(code, 'new.txt'), 'x');
  await field(page, 'Folder').fill(code);
  await expect(check(page, 'Code')).toContainText('changes that no commit has');
  await run('git', ['-C', code, 'add', '.']);
  await run('git', ['-C', code, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', 'b']);
  await panel(page).getByRole('button', { name: 'Check again' }).click();
  await expect(check(page, 'Code')).not.toContainText('changes that no commit has');

  await field(page, 'GPUs per worker').fill('4');
  await expect(field(page, 'GPUs per worker')).toHaveAccessibleDescription(/asks for 8 GPUs/, {
    timeout: 30_000,
  });
  await field(page, 'GPUs per worker').fill('0');
  await expect(check(page, 'This machine')).toContainText('free on its disk');

  await page.getByRole('button', { name: 'Add a variable' }).click();
  await field(page, 'Name of variable 3').fill('MODEL');
  await field(page, 'Name of variable 3').blur();
  await expect(field(page, 'Name of variable 3')).toHaveAccessibleDescription(/is there twice/);

  // Code that wants a key file is told before a run shows it, and one click gives it one.
  await field(page, 'Add keys to workers').selectOption('trainer');
  const mode = field(page, 'They get');
  await expect(mode).toHaveValue('token');
  await expect(panel(page)).toContainText('create files below its output, and nothing else');
  await mode.selectOption('Access to all that the account may do');
  await expect(panel(page)).toContainText('everything that the account of trainer may do');
  await writeFile(join(code, 'data.py'), 'storage.Client.from_service_account_json(path)\n');
  await panel(page).getByRole('button', { name: 'Check again' }).click();
  await expect(mode).toHaveAccessibleDescription(/data\.py mentions from_service_account_json/);
  await page.getByRole('button', { name: 'Hand the key over as a file' }).click();
  await expect(mode).toHaveValue('key-file');
  await expect(mode).not.toHaveAccessibleDescription(/data\.py/);
  await expect(panel(page)).toContainText('the whole key trainer');
});

test('a start that is refused says so until the form changes', async ({ shared }) => {
  const { code } = await prepare(shared);
  const { application, page } = await shared.launch();
  await toForm(page);
  await fill(page, application, code);
  await expect(check(page, 'Output')).toContainText('gets access');
  await shared.google.emulator.setFaults([{ fault: { kind: 'status', status: 400 } }]);
  await page.locator('#new-job-output-gcs').press('Control+Enter');
  const refusal = panel(page).getByRole('alert');
  await expect(refusal).toBeVisible({ timeout: 45_000 });
  await expect(field(page, 'Name')).toHaveValue('digits');
  await field(page, 'Name').fill('digits-2');
  await expect(refusal).toBeHidden();
});

test('a start whose output will be refused asks first; a click that a mistake would move away from is heard', async ({
  shared,
}) => {
  const { code } = await prepare(shared);
  const { application, page } = await shared.launch();
  await toForm(page);
  // The name is left by the press, and its mistake may show only after the click.
  await field(page, 'Name').fill('two words');
  const add = page.getByRole('button', { name: 'Add a variable' });
  await add.scrollIntoViewIfNeeded();
  const box = (await add.boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.waitForTimeout(200);
  // A pressed button sinks by a pixel.
  const pressed = await add.boundingBox();
  expect(Math.abs((pressed?.y ?? 0) - box.y)).toBeLessThanOrEqual(1);
  await page.mouse.up();
  await expect(field(page, 'Name of variable 1')).toBeVisible();
  await expect(field(page, 'Name')).toHaveAccessibleDescription(/letters, digits/);
  await page.getByRole('button', { name: 'Remove variable 1' }).click();

  await fill(page, application, code);
  await page.locator('#new-job-output-gcs').fill('gs://artifacts-bucket/closed');
  await expect(check(page, 'Output')).toContainText('problem', { timeout: 30_000 });
  await page.getByRole('button', { name: 'Start job' }).click();
  const asks = page.getByRole('dialog', { name: 'The output will be refused' });
  await expect(asks).toContainText('results stay on this machine');
  await page.screenshot({ path: test.info().outputPath('refused.png') });
  expect(await mistakes(page)).toEqual([]);
  await asks.getByRole('button', { name: 'Cancel' }).click();
  await expect(asks).toBeHidden();
  await expect(field(page, 'Name')).toHaveValue('digits');
  await page.keyboard.press('Control+Enter');
  await asks.getByRole('button', { name: 'Ask for access…' }).click();
  await expect(page.getByRole('heading', { name: 'Ask for access' })).toBeVisible();
  await rail(page, 'New job').click();
  await page.getByRole('button', { name: 'Start job' }).click();
  await asks.getByRole('button', { name: 'Start anyway' }).click();
  await expect(page.getByRole('heading', { name: 'digits' })).toBeVisible({ timeout: 30_000 });
});

test('the job file, both ways', async ({ shared }) => {
  const { code } = await prepare(shared);
  const { application, page } = await shared.launch();
  await toForm(page);
  await fill(page, application, code);
  await page.getByText('YAML', { exact: true }).click();
  const yaml = page.getByLabel('Job file in YAML');
  expect(parse(await yaml.inputValue())).toEqual({
    name: 'digits',
    host: 'local',
    code: { dir: code },
    workers: ['sh train.sh zero', 'sh train.sh one'],
    env: { MODEL: 'a=b', SEED: '7' },
    input: { gcs: 'gs://input-data-bucket/data/', key: 'trainer' },
    output: { gcs: 'gs://artifacts-bucket/results', key: 'trainer' },
  });

  const good = await yaml.inputValue();
  await yaml.fill(good.replace('name: digits', 'name: sweep').replace('env:', 'evn:'));
  await expect(
    page.getByRole('button', { name: /^Line \d+, column 1 .*Did you mean "env"/ }),
  ).toBeVisible();
  await page.getByText('Form', { exact: true }).click();
  await expect(page.getByRole('alert')).toContainText('cannot show this file');
  await page.getByRole('button', { name: /Did you mean/ }).click();
  await expect(yaml).toBeFocused();
  expect(
    await yaml.evaluate((box: HTMLTextAreaElement) =>
      box.value.slice(box.selectionStart, box.selectionEnd),
    ),
  ).toBe('evn:');

  await yaml.fill(
    `${good.replace('name: digits', 'name: sweep # of November')}unattended: true\nresources: { gpus: 0 }\n`,
  );
  await expect(page.getByText('No mistakes.')).toBeVisible();
  await expect(panel(page)).toContainText('/results/sweep/');
  await page.getByText('Form', { exact: true }).click();
  await expect(field(page, 'Name')).toHaveValue('sweep');
  await expect(field(page, 'Unattended')).toBeChecked();

  // What was written by hand is there again, also after a change in the form.
  await field(page, 'GPUs per worker').fill('1');
  await page.getByText('YAML', { exact: true }).click();
  await expect(yaml).toHaveValue(/name: sweep # of November\n[^]*gpus: 1/);
  await page.getByText('Form', { exact: true }).click();
  await field(page, 'GPUs per worker').fill('0');

  // Kept under a name, where the command line finds it too.
  await page.getByRole('button', { name: 'Templates…' }).click();
  await page.getByLabel('Keep the form as').fill('nightly');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Kept as nightly.')).toBeVisible();
  expect(await readFile(join(shared.home, 'templates', 'nightly.yaml'), 'utf8')).toContain(
    'name: sweep # of November',
  );
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByRole('button', { name: 'Clear' }).click();
  await expect(field(page, 'Name')).toHaveValue('');
  await page.getByRole('button', { name: 'Templates…' }).click();
  await page.getByRole('button', { name: 'Use nightly' }).click();
  await expect(field(page, 'Name')).toHaveValue('sweep');
  await expect(field(page, 'Unattended')).toBeChecked();
});

test('a half-filled form outlives another screen, a reload and a crash of the page; by keyboard', async ({
  profile,
}) => {
  const { application, page } = await profile.launch();
  await toForm(page);
  await field(page, 'Name').fill('half');
  const command = (index: number) => field(page, `Command of worker ${index}`);
  await command(0).fill('first');
  await command(0).press('Enter');
  await expect(command(1)).toBeFocused();
  await page.keyboard.type('second');
  await page.keyboard.press('Alt+ArrowUp');
  await expect(command(0)).toHaveValue('second');
  await expect(command(0)).toBeFocused();
  await expect(command(1)).toHaveValue('first');

  await rail(page, 'Jobs').click();
  await toForm(page);
  await expect(command(0)).toHaveValue('second');

  await page.getByRole('button', { name: 'Remove worker 0' }).click();
  await expect(command(0)).toHaveValue('first');
  await page.reload();
  await page.locator('.application').waitFor();
  await toForm(page);
  await expect(field(page, 'Name')).toHaveValue('half');
  await expect(command(0)).toHaveValue('first');

  await field(page, 'Name').fill('crashed');
  await page.waitForTimeout(600);
  await application.evaluate(async ({ BrowserWindow }) => {
    const contents = BrowserWindow.getAllWindows()[0]!.webContents;
    await new Promise((resolve) => {
      contents.once('render-process-gone', resolve);
      contents.forcefullyCrashRenderer();
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    if (contents.isCrashed()) contents.reload();
  });
  const kept = await application.evaluate(async ({ BrowserWindow }) => {
    const contents = BrowserWindow.getAllWindows()[0]!.webContents;
    while (contents.isLoading()) await new Promise((resolve) => setTimeout(resolve, 50));
    const script = `window.trainyard.call('new-job-draft', {}).then((answer) => answer.value)`;
    return (await contents.executeJavaScript(script)) as string;
  });
  expect(JSON.parse(kept)).toMatchObject({ form: { name: 'crashed' } });
});

for (const theme of ['light', 'dark'] as const)
  test(`how the form looks, ${theme}`, async ({ shared }) => {
    test.setTimeout(120_000);
    const { code } = await prepare(shared);
    const { application, page } = await shared.launch({ theme });
    const shoot = (name: string) =>
      page.screenshot({ path: join('test-results', 'screens', `new-job-${name}-${theme}.png`) });
    const resize = async (width: number, height: number) => {
      await application.evaluate(
        ({ BrowserWindow }, [w, h]) => {
          BrowserWindow.getAllWindows()[0]?.setContentSize(w, h);
        },
        [width, height] as const,
      );
      await expect.poll(() => page.evaluate(() => innerWidth)).toBe(width);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overflow).toBeLessThanOrEqual(0);
    };
    await toForm(page);
    await resize(1280, 800);
    await page.getByRole('button', { name: 'Start job' }).click();
    await expect(page.getByText('Write a command.')).toBeVisible();
    await shoot('empty');
    expect(await mistakes(page, lookOf(theme))).toEqual([]);

    await fill(page, application, code);
    await expect(check(page, 'This machine')).toContainText('free', { timeout: 30_000 });
    await expect(check(page, 'Input')).toContainText('2 objects');
    await page.locator('.nj-main').evaluate((box) => box.scrollTo(0, 0));
    await shoot('filled');
    await page.locator('.nj-main').evaluate((box) => box.scrollTo(0, box.scrollHeight));
    await shoot('filled-end');
    expect(await mistakes(page, lookOf(theme))).toEqual([]);
    await resize(900, 600);
    await shoot('small');
    await page.locator('#new-job-output-gcs').fill(`gs://artifacts-bucket/${'long/'.repeat(60)}`);
    await page.locator('#new-job-input-gcs').fill('gs://input-data-bucket/dta/');
    await expect(check(page, 'Input')).toContainText('problem');
    await shoot('long');
    await resize(1280, 800);
    await page.getByText('YAML', { exact: true }).click();
    const yaml = page.getByLabel('Job file in YAML');
    await yaml.fill((await yaml.inputValue()).replace('env:', 'evn:'));
    await expect(page.getByText('Did you mean "env"')).toBeVisible();
    await shoot('yaml');
    expect(await mistakes(page, lookOf(theme))).toEqual([]);
  });
