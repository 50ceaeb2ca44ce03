import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Page } from '@playwright/test';
import { emailOf, startEmulator } from '../emulator/start.ts';
import { derOf, openMarks, pemOf } from '../leaks/marks.ts';
import { startSampler } from '../leaks/sampler.ts';
import { expect, test } from './support/test.ts';
import { dragFiles } from './support/drag.ts';
import { KEYRING_LACKS, startKeyring } from './support/keyring.ts';
import { goToKeys } from './support/keys.ts';
import { pageMemory, recordedMessages, recordMessages } from './support/leaks.ts';

const INPUT = 'input-data-bucket';
const OUTPUT = 'artifacts-bucket';
const VERBOSE = {
  DEBUG: '*',
  NODE_DEBUG: 'http,https,net,tls,fetch,undici,child_process,crypto',
  GOOGLE_SDK_NODE_LOGGING: '*',
  ELECTRON_ENABLE_LOGGING: '1',
};

const jobFile = (name: string, code: string, mode: string, more = '') =>
  [
    `name: ${name}`,
    'host: local',
    `code: { dir: ${JSON.stringify(code)} }`,
    `workers: ['env > "$TRAINYARD_OUTPUT_PATH/env.txt"; sleep 1']`,
    `input: { gcs: gs://${INPUT}/data, key: lab }`,
    `output: { gcs: gs://${OUTPUT}/results, key: lab }`,
    `workerKeys: [{ key: lab, mode: ${mode} }]`,
    more,
  ].join('\n');

/** Starts a job as the form does, and waits for its end. */
async function carry(page: Page, text: string, state: string): Promise<void> {
  const started = await page.evaluate(async (file) => {
    const parsed = await window.trainyard.call('new-job-parse', { text: file });
    if (!parsed.ok || !('spec' in parsed.value) || parsed.value.spec === null)
      throw new Error(JSON.stringify(parsed));
    return window.trainyard.call('new-job-start', { spec: parsed.value.spec });
  }, text);
  expect(started, JSON.stringify(started)).toMatchObject({ ok: true });
  await expect
    .poll(
      async () => {
        const jobs = await page.evaluate(() => window.trainyard.call('jobs-list', {}));
        return jobs.ok ? jobs.value[0]?.state : jobs.problem.message;
      },
      { timeout: 60_000 },
    )
    .toBe(state);
}

test('of a key that is dropped, pasted and used, and of its tokens, no piece reaches the page, a file, a log, an argument or an environment', async ({
  profile,
}) => {
  test.skip(KEYRING_LACKS.length > 0, `no real keyring: ${KEYRING_LACKS.join(', ')} not installed`);
  test.setTimeout(240_000);
  const folder = dirname(profile.home);
  const outside = await mkdtemp(join(tmpdir(), 'trainyard-known-'));
  const tokenLog = join(outside, 'tokens.jsonl');
  const keyFile = join(outside, 'trainer.json');
  const trainer = emailOf('trainer');
  const below = (bucket: string, prefix: string) =>
    `resource.name.startsWith("projects/_/buckets/${bucket}/objects/${prefix}")`;
  const keyring = await startKeyring();
  const emulator = await startEmulator({
    open: true,
    dir: join(folder, 'google'),
    accounts: [{ name: 'trainer', path: keyFile }],
    grants: [
      `${trainer}=roles/storage.objectViewer@${INPUT}@${below(INPUT, 'data/')}`,
      `${trainer}=storage.objects.list@${INPUT}`,
      `${trainer}=roles/storage.objectCreator@${OUTPUT}@${below(OUTPUT, 'results/')}`,
    ],
    flags: ['--token-log', tokenLog],
  });
  const sampler = startSampler();
  const marks = openMarks();
  const pem = pemOf(keyFile);
  marks.key('the key', pem);
  try {
    const post = async (path: string, body: string) =>
      expect((await fetch(`${emulator.url}${path}`, { method: 'POST', body })).status).toBe(200);
    for (const name of [INPUT, OUTPUT])
      await post('/storage/v1/b?project=demo-project', JSON.stringify({ name }));
    await post(`/upload/storage/v1/b/${INPUT}/o?uploadType=media&name=data/a.txt`, 'one');
    const code = join(folder, 'code');
    for (const name of ['code', 'tmp']) await mkdir(join(folder, name));
    await writeFile(join(code, 'note.txt'), 'a note');
    const text = await readFile(keyFile, 'utf8');
    await writeFile(join(outside, 'only.pem'), pem);
    await writeFile(join(outside, 'cut-off.json'), text.slice(0, text.indexOf('client_email')));

    const { application, page } = await profile.launch({
      env: { ...keyring.env, ...emulator.environment, ...VERBOSE, TMPDIR: join(folder, 'tmp') },
    });
    const said: string[] = [];
    const main = application.process();
    for (const stream of [main.stdout, main.stderr])
      stream?.on('data', (piece: Buffer) => said.push(piece.toString()));
    page.on('console', (message) => said.push(message.text()));
    await recordMessages(application);

    // In by the drop and by the clipboard; wrong files that hold it are refused.
    await goToKeys(page);
    await dragFiles(page, [join(outside, 'only.pem'), join(outside, 'cut-off.json')]);
    for (const name of ['only.pem', 'cut-off.json'])
      await expect(page.getByRole('alert', { name: `Refused: ${name}` })).toBeVisible();
    await dragFiles(page, [keyFile]);
    const card = page.getByRole('region', { name: 'Key found in trainer.json' });
    await card.getByRole('textbox', { name: 'Name' }).fill('lab');
    await card.getByRole('button', { name: 'Take in' }).click();
    await expect(page.getByRole('status', { name: 'Kept: lab' })).toContainText('in the keychain');
    for (const pasted of [text.replace('service_account', 'authorized_user'), text]) {
      await application.evaluate(({ clipboard }, all) => clipboard.writeText(all), pasted);
      await page.getByRole('button', { name: 'Paste a key' }).click();
      await expect(
        page
          .getByRole('alert', { name: 'Refused: the clipboard' })
          .or(page.getByText('This very key is here already'))
          .last(),
      ).toBeVisible();
    }
    await application.evaluate(({ clipboard }) => clipboard.clear());
    await page.getByRole('article').getByRole('button', { name: 'Check' }).click();
    await expect(page.getByText('Works: Google gave an access token')).toBeVisible();

    await page.getByRole('button', { name: 'Buckets', exact: true }).click();
    await page.getByLabel('Address').fill(`gs://${INPUT}/data/`);
    await page.getByLabel('Address').press('Enter');
    await expect(page.getByRole('row', { name: 'a.txt' })).toBeVisible();
    await page.getByRole('button', { name: 'Jobs' }).click();
    await carry(page, jobFile('narrowed', code, 'token'), 'finished');
    await carry(page, jobFile('as-a-file', code, 'key-file', 'unattended: true'), 'finished');
    const fails = jobFile('fails', code, 'account-token').replace('sleep 1', 'exit 3');
    await carry(page, fails, 'failed');

    // What the page was told and what it remembers.
    const counts = marks.tokens(tokenLog);
    expect(Object.keys(counts).sort()).toEqual(['assertion', 'narrowed', 'token']);
    const messages = (await recordedMessages(application)).join('\n');
    const memory = await pageMemory(page);
    for (const [where, all] of Object.entries({ messages, memory })) {
      expect(all.includes(trainer), where).toBe(true);
      expect(marks.inBytes(Buffer.from(all)), where).toBeNull();
    }
    // A planted piece would have been seen: in an event, and in an answer as bytes.
    const piece = derOf(pem).subarray(400, 430);
    await application.evaluate(
      ({ BrowserWindow }, planted) =>
        BrowserWindow.getAllWindows()[0]?.webContents.send('planted', {
          text: planted,
          bytes: Buffer.from(planted, 'base64'),
        }),
      piece.toString('base64'),
    );
    const more = (await recordedMessages(application)).join('\n').slice(messages.length);
    expect(marks.inBytes(Buffer.from(more))).not.toBeNull();

    // The page crashes, then the main process does.
    await application.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows()[0]?.webContents.forcefullyCrashRenderer(),
    );
    const over = once(main, 'exit');
    main.kill('SIGABRT');
    await over;
    marks.tokens(tokenLog);
    const { found, files } = await marks.below(folder, keyring.folder, '/dev/shm');
    expect(found).toEqual([]);
    expect(files).toBeGreaterThan(50);
    expect(marks.inBytes(Buffer.from(said.join('\n')))).toBeNull();
    const { samples } = await sampler.stop();
    const ours = samples.filter((each) => each.includes(folder));
    for (const kind of [/--type=renderer/, /agent\.mjs\0carry\0/, /TRAINYARD_WORKER=0/])
      expect(ours.filter((each) => kind.test(each)).length, String(kind)).toBeGreaterThan(0);
    expect(ours.filter((each) => marks.inBytes(Buffer.from(each, 'latin1')) !== null)).toEqual([]);
  } finally {
    await sampler.stop();
    await emulator.stop();
    await keyring.stop();
    await rm(outside, { recursive: true, force: true });
  }
});
