import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createSecretSearch } from '../../src/cli/demo/secret-search.ts';
import { startEmulator } from '../emulator/start.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { expect, test } from './support/test.ts';
import { dragFiles } from './support/drag.ts';
import { writeKeyFile } from './support/key-files.ts';
import { KEYRING_LACKS, startKeyring } from './support/keyring.ts';
import {
  answerDialog,
  downloads,
  goToKeys,
  keysInTerminal,
  openVault,
  WITHOUT_KEYCHAIN,
} from './support/keys.ts';
import { derOf, findLeaks, recordMessages } from './support/leaks.ts';
import { writeRun } from './support/runs.ts';
import { FAILED, FINISHED, running } from './support/samples.ts';

const run = promisify(execFile);
const NO_KEYRING = `no real keyring: ${KEYRING_LACKS.join(', ')} not installed`;

test('a key file dropped on any screen is read, shown, taken into the real keychain and moved to the trash', async ({
  profile,
}) => {
  test.skip(KEYRING_LACKS.length > 0, NO_KEYRING);
  test.setTimeout(120_000);
  const keyring = await startKeyring();
  try {
    const folder = await downloads(profile);
    const file = join(folder, 'demo-project-0123456789ab.json');
    const pem = await writeKeyFile(file);
    const { application, page } = await profile.launch({ env: keyring.env });
    await recordMessages(application);
    await expect(page.getByRole('heading', { name: 'No jobs yet' })).toBeVisible();

    await dragFiles(page, [file], { hold: true });
    await expect(page.getByText('Drop the key file')).toBeVisible();
    await dragFiles(page, [file]);
    await expect(page.getByText('Drop the key file')).toBeHidden();
    const card = page.getByRole('region', { name: 'Key found in demo-project-0123456789ab.json' });
    for (const text of [
      'trainer@demo-project.iam.gserviceaccount.com',
      folder,
      'RSA of 2,048 bits',
    ])
      await expect(card).toContainText(text);
    await expect(card.getByText('not asked yet')).toBeVisible();
    expect(await keysInTerminal(profile.command({ env: keyring.env }).env)).toEqual([]);

    await card.getByRole('textbox', { name: 'Name' }).fill('lab');
    await card.getByRole('button', { name: 'Take in' }).click();
    const kept = page.getByRole('status', { name: 'Kept: lab' });
    await expect(kept).toContainText('“lab” is in the keychain');
    await expect(page.getByRole('row', { name: /^lab trainer@/ })).toBeVisible();
    const [inTerminal] = await keysInTerminal(profile.command({ env: keyring.env }).env);
    expect(inTerminal).toMatchObject({ name: 'lab', vault: 'keychain' });

    await kept.getByRole('button', { name: 'Move the original to the trash' }).click();
    await expect(kept).toContainText('is in the trash');
    expect(await readdir(folder)).toEqual([]);

    const known = inTerminal?.fingerprint ?? 'none';
    expect(await findLeaks(application, page, pem, known)).toEqual({
      messages: null,
      memory: null,
      sawInMessages: true,
      sawInMemory: true,
    });
    const written = await createSecretSearch(derOf(pem)).inTree(profile.home);
    expect(written.files).toBeGreaterThan(0);
    expect(written.found).toEqual([]);
  } finally {
    await keyring.stop();
  }
});

test('wrong files are refused by name, with what to do, and a right one among them is taken', async ({
  shared,
}) => {
  const folder = await downloads(shared);
  const path = (name: string) => join(folder, name);
  await writeFile(path('login.json'), JSON.stringify({ type: 'authorized_user', client_id: 'x' }));
  await writeFile(path('notes.txt'), 'buy milk');
  await writeFile(path('empty.json'), '');
  await mkdir(path('folder'));
  await writeKeyFile(path('good.json'), { mode: 0o644 });
  const { page } = await shared.launch();
  await dragFiles(
    page,
    ['login.json', 'notes.txt', 'empty.json', 'folder', 'missing.json', 'good.json'].map(path),
  );
  for (const name of ['login.json', 'notes.txt', 'empty.json', 'folder', 'missing.json']) {
    const refusal = page.getByRole('alert', { name: `Refused: ${name}` });
    await expect(refusal).toContainText(`${name} was not taken`);
    // What is wrong, and what to do instead.
    expect((await refusal.locator('p').allTextContents()).length).toBe(2);
  }
  const good = page.getByRole('region', { name: 'Key found in good.json' });
  await expect(good).toContainText('Other users of this machine can read the file');
  await good.getByRole('button', { name: 'Take in' }).click();
  await expect(page.getByRole('status', { name: 'Kept: trainer' })).toBeVisible();

  // The same once more is known; a name that is taken is refused beside the card.
  await dragFiles(page, [path('good.json')]);
  await expect(page.getByText('This very key is here already')).toBeVisible();
  await writeKeyFile(path('other.json'));
  await dragFiles(page, [path('other.json')]);
  const other = page.getByRole('region', { name: 'Key found in other.json' });
  await other.getByRole('textbox', { name: 'Name' }).fill('trainer');
  await other.getByRole('button', { name: 'Take in' }).click();
  await expect(other.getByRole('alert')).toContainText('There is a key named "trainer" already');
  await other.getByRole('button', { name: 'Discard' }).click();
  await expect(other).toBeHidden();
});

test('a file that was changed after it was read is not moved to the trash', async ({ shared }) => {
  const file = join(await downloads(shared), 'key.json');
  await writeKeyFile(file);
  const { page } = await shared.launch();
  await dragFiles(page, [file]);
  await page.getByRole('button', { name: 'Take in' }).click();
  await writeFile(file, 'something else');
  await page.getByRole('button', { name: 'Move the original to the trash' }).click();
  await expect(page.getByRole('alert')).toContainText('is not the file any more');
  expect(await readdir(join(file, '..'))).toEqual(['key.json']);
});

test('a key is pasted, its clipboard cleared; renamed, replaced by a picked file, checked and removed', async ({
  profile,
}) => {
  test.setTimeout(120_000);
  const emulator = await startEmulator({ accounts: [{ name: 'trainer' }] });
  try {
    const vault = await openVault(profile);
    const env = { ...vault, ...emulator.environment };
    const folder = await downloads(profile);
    const tokenUri = emulator.environment['TRAINYARD_OAUTH_ENDPOINT'] ?? '';
    const real = await readFile(emulator.keyFiles['trainer'] ?? '', 'utf8');
    const { application, page } = await profile.launch({ env });
    await recordMessages(application);
    await goToKeys(page);
    await expect(page.getByRole('heading', { name: 'No keys yet' })).toBeVisible();

    await application.evaluate(({ clipboard }) => clipboard.writeText('not a key'));
    await page.getByRole('button', { name: 'Paste a key' }).click();
    await expect(page.getByRole('alert', { name: 'Refused: the clipboard' })).toBeVisible();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await application.evaluate(({ clipboard }, text) => clipboard.writeText(text), real);
    await page.getByRole('button', { name: 'Paste a key' }).click();
    await page.getByRole('button', { name: 'Take in' }).click();
    await page.getByRole('button', { name: 'Clear the clipboard' }).click();
    await expect(page.getByText('The clipboard holds the key no more')).toBeVisible();
    expect(await application.evaluate(({ clipboard }) => clipboard.readText())).toBe('');
    await page.getByRole('button', { name: 'Dismiss' }).click();

    const detail = page.getByRole('article');
    await detail.getByRole('button', { name: 'Check' }).click();
    await expect(detail.getByText('Works: Google gave an access token')).toBeVisible();

    await detail.getByRole('button', { name: 'Rename' }).click();
    await page.getByRole('textbox', { name: 'Name of the key' }).fill('no/name');
    await page.keyboard.press('Enter');
    await expect(page.getByText('"no/name" cannot be the name of a key.')).toBeVisible();
    await page.getByRole('textbox', { name: 'Name of the key' }).fill('lab');
    await page.keyboard.press('Enter');
    await expect(detail.getByRole('heading', { name: 'lab', exact: true })).toBeVisible();

    // Replacing: a key of another account is refused, one of the same is taken.
    await writeKeyFile(join(folder, 'stranger.json'), { account: 'stranger', tokenUri });
    await answerDialog(application, [join(folder, 'stranger.json')]);
    await detail.getByRole('button', { name: 'Replace…' }).click();
    const stranger = page.getByRole('region', { name: 'Key found in stranger.json' });
    await expect(stranger.getByRole('alert')).toContainText('another account than “lab”');
    await stranger.getByRole('button', { name: 'Discard' }).click();
    const pem = await writeKeyFile(join(folder, 'newer.json'), { tokenUri });
    await answerDialog(application, [join(folder, 'newer.json')]);
    const [before] = await keysInTerminal(profile.command({ env }).env);
    await detail.getByRole('button', { name: 'Replace…' }).click();
    await page.getByRole('button', { name: 'Put it in the place of “lab”' }).click();
    await expect(page.getByRole('status', { name: 'Kept: lab' })).toBeVisible();
    const [after] = await keysInTerminal(profile.command({ env }).env);
    expect(after).toMatchObject({ id: before?.id, name: 'lab' });
    expect(after?.fingerprint).not.toBe(before?.fingerprint);
    expect(
      (await findLeaks(application, page, pem, after?.fingerprint ?? 'none')).messages,
    ).toBeNull();

    // The emulator does not know the new key; then nobody answers at all.
    await detail.getByRole('button', { name: 'Check' }).click();
    await expect(detail.getByRole('alert')).toBeVisible();
    await emulator.stop();
    await detail.getByRole('button', { name: 'Check' }).click();
    await expect(detail.getByText('Not checked: offline')).toBeVisible({ timeout: 15_000 });

    // What was done with it, a line each; the earlier key is told from this one.
    await detail.getByRole('button', { name: 'Show the log' }).click();
    const log = detail.getByRole('group', { name: 'Log of lab' });
    for (const words of [
      'taken into the vault',
      'replaced by a newer key',
      'check of what it can do',
      'failed: access.key-not-emulated',
    ])
      await expect(log).toContainText(words);
    await expect(log.getByRole('row', { name: /taken into the vault/ })).toContainText(
      'with an earlier key',
    );
    await detail.getByRole('button', { name: 'Hide the log' }).click();

    // Jobs that use it are named before it goes.
    const keyId = after?.id ?? '';
    await mkdir(join(profile.home, 'templates'), { recursive: true });
    await writeFile(
      join(profile.home, 'templates', 'nightly.yaml'),
      'output: { gcs: gs://b/p, key: lab }\n',
    );
    for (const job of [running(), FAILED, FINISHED])
      await writeRun(profile.home, { ...job, key: 'lab', keyId });
    await page.getByRole('button', { name: 'Jobs' }).click();
    await goToKeys(page);
    await expect(detail.getByRole('button', { name: /^resnet-baseline/ })).toBeVisible();
    await expect(detail.getByRole('list', { name: 'Not finished' })).not.toContainText('digits');
    await expect(detail.getByRole('list', { name: '1 finished' })).toContainText(FINISHED.name);
    await page.screenshot({ path: join('test-results', 'screens', 'keys-jobs-light.png') });
    await detail.getByRole('button', { name: 'Rename' }).click();
    await expect(detail).toContainText('Jobs that were started go on with it.');
    await page.keyboard.press('Escape');
    await detail.getByRole('button', { name: 'Remove…' }).click();
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText('One job would lose access');
    await expect(dialog).toContainText('resnet-baseline');
    await expect(dialog).toContainText('One job could not be retried');
    await expect(dialog).toContainText('One finished job used it');
    await expect(dialog).toContainText('One template names it: nightly.');
    await expect(dialog).toContainText('under the name lab again');
    await dialog.getByRole('button', { name: 'Remove the key' }).click();
    await expect(page.getByRole('article')).toBeHidden();
    expect(await keysInTerminal(profile.command({ env }).env)).toEqual([]);
  } finally {
    await emulator.stop();
  }
});

test('without a keychain the passphrase vault is offered, made, and asked for at the next start', async ({
  profile,
}) => {
  test.setTimeout(120_000);
  const file = join(await downloads(profile), 'key.json');
  const pem = await writeKeyFile(file);
  const first = await profile.launch({ env: WITHOUT_KEYCHAIN });
  await goToKeys(first.page);
  const notice = first.page.getByRole('region', { name: 'The vault of the keys' });
  await expect(notice.getByRole('alert')).toContainText('keychain');
  expect(await readdir(profile.home)).not.toContain('vault.json');
  await notice.getByRole('button', { name: 'Use a passphrase vault instead…' }).click();
  await notice.getByLabel('Passphrase', { exact: true }).fill('short');
  await notice.getByLabel('Once more').fill('short');
  await notice.getByRole('button', { name: 'Make the vault' }).click();
  await expect(notice).toContainText('The passphrase is too short');
  await notice.getByLabel('Passphrase', { exact: true }).fill('correct horse battery');
  await notice.getByLabel('Once more').fill('correct horse batterz');
  await expect(notice.getByText('The two differ.')).toBeVisible();
  await expect(notice.getByRole('button', { name: 'Make the vault' })).toBeDisabled();
  await notice.getByLabel('Once more').fill('correct horse battery');
  await notice.getByRole('button', { name: 'Make the vault' }).click();
  await expect(notice).toBeHidden();
  await dragFiles(first.page, [file]);
  await first.page.getByRole('button', { name: 'Take in' }).click();
  await expect(first.page.getByText('is in the passphrase vault')).toBeVisible();
  await first.application.close();
  expect((await createSecretSearch(derOf(pem)).inTree(profile.home)).found).toEqual([]);

  const { page } = await profile.launch({ env: WITHOUT_KEYCHAIN });
  await goToKeys(page);
  await expect(page.getByRole('row', { name: /^trainer / })).toBeVisible();
  const again = page.getByRole('form', { name: 'Passphrase vault' });
  await again.getByLabel('Passphrase', { exact: true }).fill('wrong');
  await again.getByRole('button', { name: 'Open the vault' }).click();
  await expect(again.getByRole('alert')).toContainText('does not open the vault');
  await again.getByLabel('Passphrase', { exact: true }).fill('correct horse battery');
  await page.keyboard.press('Enter');
  await expect(again).toBeHidden();
  await page.getByRole('button', { name: 'Use the keychain' }).click();
  await expect(page.getByRole('region', { name: 'The vault of the keys' })).toBeVisible();
  // The key stays where it was, and in the list.
  await expect(page.getByRole('row', { name: /^trainer / })).toBeVisible();
});

test('a locked keychain loses nothing; keys of another home in it are offered', async ({
  profile,
}) => {
  test.skip(KEYRING_LACKS.length > 0, NO_KEYRING);
  test.setTimeout(120_000);
  const keyring = await startKeyring();
  try {
    const folder = await downloads(profile);
    for (const name of ['here.json', 'elsewhere.json']) await writeKeyFile(join(folder, name));
    const { env } = profile.command({ env: keyring.env });
    const add = (name: string, home: string) =>
      run(
        process.execPath,
        [COMMAND_LINE, 'keys', 'add', join(folder, `${name}.json`), '--name', 'lab'],
        {
          env: { ...env, TRAINYARD_HOME: home },
        },
      );
    await add('here', profile.home);
    await add('elsewhere', join(profile.home, '..', 'second'));
    const { page } = await profile.launch({ env: keyring.env });
    await goToKeys(page);
    const offered = page.getByRole('region', { name: 'Keys found in the vault' });
    await expect(offered).toContainText('One more key lies in the keychain');
    await offered.getByRole('button', { name: 'Show' }).click();
    await offered.getByRole('button', { name: 'Add lab to the list' }).click();
    await expect(page.getByRole('row', { name: /^lab-2 / })).toBeVisible();
    await expect(offered).toBeHidden();

    keyring.lock();
    await page.getByRole('button', { name: 'Jobs' }).click();
    await page.reload();
    await goToKeys(page);
    await expect(page.getByRole('region', { name: 'The vault of the keys' })).toContainText(
      'The keychain is locked. The keys in it are not lost.',
    );
    await expect(page.getByRole('row', { name: /^lab / })).toBeVisible();
    await page.getByRole('article').getByRole('button', { name: 'Check' }).click();
    await expect(page.getByRole('article').getByRole('alert')).toContainText('is locked');
  } finally {
    await keyring.stop();
  }
});
