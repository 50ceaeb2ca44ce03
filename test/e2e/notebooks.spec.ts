import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from '@playwright/test';
import { notebookAddress, notebookServerSchema } from '../../src/shared/notebook.ts';
import { noJupyter, startKernel } from '../support/jupyter.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { expect, test } from './support/test.ts';
import { startBucketWorld } from './support/bucket-world.ts';

const run = promisify(execFile);
const SCREENS = 'test-results/screens';

test.skip(noJupyter !== null, noJupyter ?? '');

async function bothThemes(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `${SCREENS}/${name}-${colorScheme}.png` });
  }
}

/** What a page of a notebook gets when it tries to reach what is not its own. */
const tries = async (elsewhere: string) => {
  const reaches = async (address: string): Promise<boolean> =>
    fetch(address, { mode: 'no-cors' }).then(
      () => true,
      () => false,
    );
  const node = (globalThis as { process?: { versions?: { electron?: string } } }).process;
  return {
    bridge: 'trainyard' in globalThis,
    electron: node?.versions?.electron !== undefined,
    own: await reaches('/api'),
    ours: await reaches('app://trainyard/index.html'),
    file: await reaches('file:///etc/hostname'),
    elsewhere: await reaches(elsewhere),
    opened: [window.open('app://trainyard/index.html'), window.open('file:///etc/hostname')].map(
      (opened) => opened !== null,
    ),
  };
};

test('a notebook is started, opened in a window that has nothing of ours, stopped with its output uploaded, and run as a job', async ({
  profile,
}) => {
  test.setTimeout(240_000);
  const world = await startBucketWorld();
  try {
    await world.put('input-data-bucket', 'data/one.txt', 'one');
    const env = { ...(await world.environment(profile)), PATH: process.env['PATH'] ?? '' };
    const trainyard = (...words: string[]) =>
      run(process.execPath, [COMMAND_LINE, ...words, '--json'], {
        env: profile.command({ env }).env,
      });
    await trainyard('keys', 'add', world.emulator.keyFiles['trainer'] ?? '', '--name', 'trainer');
    const { application, page } = await profile.launch({ env, size: { width: 1280, height: 800 } });

    await page.getByRole('button', { name: 'New notebook' }).click();
    const form = page.getByRole('dialog', { name: 'New notebook' });
    await form.getByLabel('Name').fill('looking');
    await form.getByLabel('Key', { exact: true }).selectOption('trainer');
    await form.getByLabel('Input').fill('gs://input-data-bucket/data/');
    await form.getByLabel('Output').fill('gs://artifacts-bucket/results/');
    await bothThemes(page, 'new-notebook');
    await form.getByRole('button', { name: 'Start the notebook' }).click();
    const open = page.getByRole('button', { name: 'Open', exact: true });
    await expect(open).toBeVisible({ timeout: 90_000 });
    await bothThemes(page, 'notebook');

    const opening = application.waitForEvent('window');
    await open.click();
    const notebook = await opening;
    await notebook.waitForLoadState();
    const { jobs } = await page.evaluate(async () => {
      const answer = await window.trainyard.call('jobs-page', { before: null, limit: 10 });
      return answer.ok ? answer.value : { jobs: [] };
    });
    const job = jobs.find(({ kind }) => kind === 'notebook')!;
    const server = notebookServerSchema.parse(
      JSON.parse(await readFile(join(job.runDirectory, 'private/notebook/server.json'), 'utf8')),
    );
    const address = new URL(notebookAddress(server));
    expect(notebook.url()).toMatch(new RegExp(`^${address.origin}/(tree|lab)`));
    expect(notebook.url()).not.toContain(server.token);

    await notebook.screenshot({ path: `${SCREENS}/notebook-window.png` });
    // From outside: what the page can reach, and what its window was made with.
    const nothing = {
      bridge: false,
      electron: false,
      own: true,
      ours: false,
      file: false,
      elsewhere: false,
      opened: [false, false],
    };
    expect(await notebook.evaluate(tries, world.emulator.url)).toEqual(nothing);
    for (const target of ['app://trainyard/index.html', 'file:///etc/hostname', world.emulator.url])
      await notebook.evaluate((place) => {
        location.href = place;
      }, target);
    expect(await notebook.evaluate(() => location.origin)).toBe(address.origin);
    const openingChild = application.waitForEvent('window');
    await notebook.evaluate(() => void window.open('/tree'));
    const child = await openingChild;
    await child.waitForLoadState();
    expect(await child.evaluate(tries, world.emulator.url)).toEqual(nothing);
    const made = await application.evaluate(({ BrowserWindow, session }, origin) => {
      const own = BrowserWindow.getAllWindows().filter(({ webContents }) =>
        webContents.getURL().startsWith(origin),
      );
      return own.map(({ webContents }) => {
        const preferences = (
          webContents as unknown as { getLastWebPreferences: () => Record<string, unknown> }
        ).getLastWebPreferences();
        return {
          sandbox: preferences['sandbox'],
          contextIsolation: preferences['contextIsolation'],
          nodeIntegration: preferences['nodeIntegration'],
          preload: (preferences['preload'] ?? '') === '',
          ownSession: webContents.session !== session.defaultSession,
          kept: webContents.session.isPersistent(),
          knowsApp: webContents.session.protocol.isProtocolHandled('app'),
        };
      });
    }, address.origin);
    expect(made).toEqual(
      Array.from({ length: 2 }, () => ({
        sandbox: true,
        contextIsolation: true,
        nodeIntegration: false,
        preload: true,
        ownSession: true,
        kept: false,
        knowsApp: false,
      })),
    );

    // The browser is opened by a click, and by nothing that a page does by itself.
    await application.evaluate(({ shell }) => {
      const outside: string[] = [];
      shell.openExternal = async (address: string) => {
        outside.push(address);
      };
      (globalThis as unknown as { outside: string[] }).outside = outside;
    });
    const outside = () =>
      application.evaluate(() => (globalThis as unknown as { outside: string[] }).outside);
    /** As a script of the page runs, without the click that Playwright's own evaluation counts as. */
    const runs = (code: string) =>
      application.evaluate(
        async ({ BrowserWindow }, [address, text]) => {
          const found = BrowserWindow.getAllWindows().find(
            ({ webContents }) => webContents.getURL() === address,
          );
          await found?.webContents.executeJavaScript(`${text}; 0`);
          return found !== undefined;
        },
        [child.url(), code] as const,
      );
    await child.reload();
    expect(
      await runs(
        `window.open('https://example.invalid/opened'); location.href = 'https://example.invalid/moved'`,
      ),
    ).toBe(true);
    await child.reload();
    await runs(
      `document.body.innerHTML = '<a href="https://example.invalid/link" style="font-size: 40px">link</a>'`,
    );
    // By the mouse alone: the page goes nowhere, so there is no navigation to wait for.
    const link = (await child.getByRole('link', { name: 'link' }).boundingBox())!;
    await child.mouse.click(link.x + link.width / 2, link.y + link.height / 2);
    await expect.poll(outside).toEqual(['https://example.invalid/link']);

    // Nothing that our own page can ask for has the token in it.
    const answers = await page.evaluate(
      async (id) =>
        JSON.stringify(
          await Promise.all([
            window.trainyard.call('notebook-open', { id, where: 'window' }),
            window.trainyard.call('jobs-list', {}),
            window.trainyard.call('jobs-events', { id, offset: 0 }),
            window.trainyard.call('jobs-spec', { id }),
            window.trainyard.call('jobs-output-folder', { id, path: '../private/notebook' }),
          ]),
        ),
      job.id,
    );
    expect(answers).toContain('notebook-ready');
    expect(answers).not.toContain(server.token);

    const kernel = await startKernel(address.href);
    await kernel.execute(
      "import os; open('train.ipynb', 'w').write('{}'); open(os.environ['TRAINYARD_OUTPUT_PATH'] + '/result.txt', 'w').write(open(os.environ['TRAINYARD_DATA_PATH'] + '/one.txt').read())",
    );
    await page.getByRole('button', { name: 'Stop and upload' }).click();
    await page.getByRole('button', { name: 'Stop the notebook' }).click();
    await expect(page.locator(`tr[data-job="${job.id}"]`)).toContainText('finished', {
      timeout: 90_000,
    });
    expect(await world.names('artifacts-bucket')).toContain(
      `results/looking/${job.id}/worker-0/result.txt`,
    );
    await expect(open).toBeHidden();

    await page.getByRole('button', { name: 'Run as a job' }).click();
    await expect(page.getByRole('heading', { name: 'New job' })).toBeVisible();
    await expect(page.getByText('The form was filled from the job.')).toBeVisible();
    await expect(page.locator('.nj-main')).toContainText('Access to this job’s input and output');
    const values = await page
      .locator('.nj-main :is(input, textarea)')
      .evaluateAll((fields) => fields.map((field) => (field as HTMLInputElement).value));
    expect(values).toContain(`${job.runDirectory}/workers/0/code`);
    expect(values.join('\n')).toContain('jupyter nbconvert --to notebook --execute');
  } finally {
    await world.emulator.stop();
  }
});
