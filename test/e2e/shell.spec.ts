import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { chromium, type ElectronApplication, type Page } from '@playwright/test';
import { ROOT } from '../support/programs.ts';
import { expect, test } from './support/test.ts';
import { writeEvents, writeRun } from './support/runs.ts';
import { FAILED, FINISHED, running } from './support/samples.ts';

const shoot = (page: Page, name: string) =>
  page.screenshot({ path: join('test-results', 'screens', `${name}.png`) });
const choose = (application: ElectronApplication, id: string) =>
  application.evaluate(({ Menu }, item) => {
    Menu.getApplicationMenu()?.getMenuItemById(item)?.click();
  }, id);
const article = (page: Page, name: string) => page.getByRole('article', { name: `Job ${name}` });

test('real keys reach the menu: every place, the palette, a new job', async ({ profile }) => {
  const { application, page } = await profile.launch();
  await application.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.focus());
  /** Goes through the window as a key of the keyboard does, not to the menu's item. */
  const press = (key: string) =>
    application.evaluate(({ BrowserWindow }, keyCode) => {
      const contents = BrowserWindow.getAllWindows()[0]?.webContents;
      for (const type of ['keyDown', 'keyUp'] as const)
        contents?.sendInputEvent({ type, keyCode, modifiers: ['control'] });
    }, key);
  const place = (label: string) =>
    page
      .getByRole('navigation', { name: 'Places' })
      .getByRole('button', { name: label, exact: true });
  const labels = ['Jobs', 'New job', 'Buckets', 'Keys', 'Hosts', 'Settings'];
  for (const [index, label] of labels.entries()) {
    await press(String(labels.length - index));
    const last = labels.at(-1 - index) ?? label;
    await expect(place(last)).toHaveAttribute('aria-current', 'page');
  }
  await press('n');
  await expect(place('New job')).toHaveAttribute('aria-current', 'page');
  await press(',');
  await expect(place('Settings')).toHaveAttribute('aria-current', 'page');
  await press('k');
  await expect(page.getByRole('combobox', { name: 'Go to a place or a job' })).toBeFocused();
  await press('k');
  await expect(page.getByRole('combobox', { name: 'Go to a place or a job' })).toHaveCount(0);
  const ended = once(application.process(), 'exit');
  await press('q');
  await ended;
});

test('what the application loads late can be loaded by the Node.js of Electron', async () => {
  const parts = (
    JSON.parse(await readFile(join(ROOT, 'out', 'late-parts.json'), 'utf8')) as {
      readonly program: string;
      readonly file: string;
      readonly module: string;
    }[]
  ).filter(({ program, module }) => program === 'main' && module !== 'src/main/app/start.ts');
  const addresses = parts.map(({ file }) => pathToFileURL(join(ROOT, 'out', 'main', file)).href);
  const script = `const found = [];
    for (const address of ${JSON.stringify(addresses)}) found.push(Object.keys(await import(address)));
    process.stdout.write(JSON.stringify(found));`;
  const { stdout } = await promisify(execFile)(
    process.env['TRAINYARD_ELECTRON'] ?? '',
    ['--input-type=module', '-e', script],
    { env: { PATH: process.env['PATH'], ELECTRON_RUN_AS_NODE: '1' } },
  );
  const names = new Map(
    (JSON.parse(stdout) as string[][]).map((found, at) => [parts[at]?.module, found]),
  );
  expect(names.get('src/google/proxied-fetch.ts')).toEqual(['dispatcherFor', 'fetch']);
  expect(names.get('src/google/library.ts')).toEqual(['PassThroughClient', 'Storage']);
  for (const [module, found] of names) expect(found.length, module).toBeGreaterThan(0);
});

test('the palette finds places and jobs by a few letters, with the keyboard alone', async ({
  shared,
}) => {
  for (const run of [FINISHED, FAILED, running()]) await writeRun(shared.home, run);
  const { application, page } = await shared.launch({ theme: 'dark' });
  await expect(article(page, running().name)).toBeVisible();
  await choose(application, 'palette');
  const field = page.getByRole('combobox', { name: 'Go to a place or a job' });
  await expect(field).toBeFocused();
  await page.keyboard.type('dig');
  await expect(page.getByRole('listbox').getByRole('option')).toHaveCount(1);
  await shoot(page, 'palette-dark');
  await page.keyboard.press('Enter');
  await expect(article(page, FINISHED.name)).toBeVisible();
  await choose(application, 'palette');
  await expect(field).toBeFocused();
  await page.keyboard.type('hos');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Hosts' })).toBeVisible();
  await choose(application, 'palette');
  await expect(field).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(field).toHaveCount(0);
});

test('a link shows its job: at the start, and in the window that is open', async ({ profile }) => {
  for (const run of [FINISHED, FAILED]) await writeRun(profile.home, run);
  const { page } = await profile.launch({ args: [`trainyard://job/${FINISHED.id}`] });
  await expect(article(page, FINISHED.name)).toBeVisible();
  const { executable, args, env } = profile.command();
  const second = spawn(executable, [...args, `trainyard://job/${FAILED.id}`], {
    env,
    stdio: 'ignore',
  });
  await once(second, 'exit');
  await expect(article(page, FAILED.name)).toBeVisible();
});

test('the theme and the place of the window are kept', async ({ profile }) => {
  const isDark = (page: Page) =>
    page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches);
  const first = await profile.launch();
  // Playwright plays a light system otherwise.
  await first.page.emulateMedia({ colorScheme: null });
  await first.page.getByRole('button', { name: 'Settings' }).click();
  await expect(first.page.getByText(join(profile.home, 'runs'))).toBeVisible();
  await shoot(first.page, 'settings-light');
  await first.page.getByText('Dark', { exact: true }).click();
  await expect.poll(() => isDark(first.page)).toBe(true);
  await shoot(first.page, 'settings-dark');
  await first.page.getByLabel(/Tell me when a job ends/).uncheck();
  await first.application.evaluate(({ BrowserWindow }) => {
    BrowserWindow.getAllWindows()[0]?.setBounds({ x: 40, y: 60, width: 900, height: 620 });
  });
  await first.page.waitForTimeout(1_000);
  await first.application.close();

  const { application, page } = await profile.launch();
  await page.emulateMedia({ colorScheme: null });
  await expect.poll(() => isDark(page)).toBe(true);
  const bounds = await application.evaluate(({ BrowserWindow }) =>
    BrowserWindow.getAllWindows()[0]?.getBounds(),
  );
  expect(bounds).toMatchObject({ width: 900, height: 620 });
  await page.getByRole('button', { name: 'Settings' }).click();
  await expect(page.getByLabel(/Tell me when a job ends/)).not.toBeChecked();
});

test('closing the window while a job runs says what goes on, and can be taken back', async ({
  profile,
}) => {
  await writeRun(profile.home, running());
  const { application, page } = await profile.launch();
  await expect(article(page, running().name)).toBeVisible();
  await application.evaluate(({ dialog }) => {
    const asked: unknown[] = [];
    Object.assign(globalThis, { asked, answer: 1 });
    dialog.showMessageBox = (async (_window: unknown, options: unknown) => {
      asked.push(options);
      return {
        response: (globalThis as unknown as { answer: number }).answer,
        checkboxChecked: false,
      };
    }) as unknown as typeof dialog.showMessageBox;
  });
  const close = () =>
    application.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
  const asked = () =>
    application.evaluate(() => (globalThis as unknown as { asked: { message: string }[] }).asked);
  await close();
  await expect.poll(async () => (await asked()).length).toBe(1);
  expect((await asked())[0]?.message).toBe('resnet-baseline goes on without the window');
  await expect(article(page, running().name)).toBeVisible();

  await application.evaluate(() => Object.assign(globalThis, { answer: 0 }));
  const ended = once(application.process(), 'exit');
  await choose(application, 'quit');
  await ended;
});

test('a closed window leaves its job followed: the end is told, and a second start shows the window', async ({
  profile,
}) => {
  const run = running();
  const folder = await writeRun(profile.home, run);
  const { application, page } = await profile.launch();
  await expect(article(page, run.name)).toBeVisible();
  await page.getByRole('button', { name: 'Settings' }).click();
  const follow = page.getByLabel('While jobs go on, follow them without it');
  // No desktop here has a place for the icon.
  await expect(follow).not.toBeChecked();
  await follow.check();
  await application.evaluate(({ Notification }) => {
    const told: string[] = [];
    const shown: unknown[] = [];
    Object.assign(globalThis, { told, shown });
    Notification.isSupported = () => true;
    Notification.prototype.show = function show(this: { title: string }) {
      told.push(this.title);
      shown.push(this);
    };
  });
  const isVisible = () =>
    application.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isVisible());
  const told = () => application.evaluate(() => (globalThis as unknown as { told: string[] }).told);
  await application.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
  await expect.poll(isVisible).toBe(false);
  await expect.poll(told).toEqual(['Trainyard goes on following jobs']);
  await writeEvents(folder, {
    ...run,
    events: [...run.events, [60, { kind: 'ended', state: 'finished', stage: null, problem: null }]],
  });
  await expect.poll(told).toContain('resnet-baseline finished');
  // Whoever presses what it says is shown the job.
  await application.evaluate(() => {
    const { shown } = globalThis as unknown as {
      shown: { title: string; emit: (name: string) => void }[];
    };
    shown.find(({ title }) => title.endsWith('finished'))?.emit('click');
  });
  await expect.poll(isVisible).toBe(true);
  await expect(article(page, run.name)).toBeVisible();
  await application.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.hide());

  const { executable, args, env } = profile.command();
  const second = spawn(executable, args, { env, stdio: 'ignore' });
  await once(second, 'exit');
  await expect.poll(isVisible).toBe(true);

  // Nothing goes on any more: closing quits.
  const ended = once(application.process(), 'exit');
  await application.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
  await ended;
});

test('a page that crashes comes back with the form as it was filled, and asks when it crashes on and on', async ({
  profile,
}) => {
  await writeRun(profile.home, FINISHED);
  const { application, page } = await profile.launch();
  await expect(article(page, FINISHED.name)).toBeVisible();
  await page.getByRole('button', { name: 'New job', exact: true }).first().click();
  await page.getByLabel('Name', { exact: true }).fill('half-filled');
  const draft = () =>
    page.evaluate(async () => {
      const answer = await window.trainyard.call('new-job-draft', {});
      return answer.ok ? answer.value : null;
    });
  await expect.poll(draft).toContain('half-filled');
  const before = application.process().pid;
  await application.evaluate(({ dialog }) => {
    const asked: unknown[] = [];
    Object.assign(globalThis, { asked });
    dialog.showMessageBox = (async (_window: unknown, options: unknown) => {
      asked.push(options);
      return { response: 0, checkboxChecked: false };
    }) as unknown as typeof dialog.showMessageBox;
  });
  /** What the window shows: Playwright itself cannot look into a page that crashed. */
  const shown = () =>
    application.evaluate(async ({ BrowserWindow }) => {
      const contents = BrowserWindow.getAllWindows()[0]?.webContents;
      if (contents === undefined || contents.isCrashed() || contents.isLoading()) return null;
      const script = `[document.querySelector('h1')?.textContent, document.querySelector('#new-job-name')?.value].join()`;
      return (await contents.executeJavaScript(script)) as string;
    });
  const crash = () =>
    application.evaluate(async ({ BrowserWindow }) => {
      const contents = BrowserWindow.getAllWindows()[0]!.webContents;
      await new Promise((resolve) => {
        contents.once('render-process-gone', resolve);
        contents.forcefullyCrashRenderer();
      });
    });
  const asked = () =>
    application.evaluate(() => (globalThis as unknown as { asked: { detail: string }[] }).asked);
  for (let time = 1; time <= 4; time += 1) {
    expect(await asked()).toEqual([]);
    await crash();
    // The fourth within a minute is asked about; the answer here is to load it all the same.
    await expect.poll(shown).toBe('New job,half-filled');
  }
  const questions = await asked();
  expect(questions).toHaveLength(1);
  expect(questions[0]).toMatchObject({
    message: 'Trainyard cannot show its window',
    buttons: ['Load again', 'Quit'],
  });
  expect(questions[0]?.detail).toContain(join(profile.home, 'logs', 'window.log'));
  expect(application.process().pid).toBe(before);
});

test('a page that does not respond is offered without the log, and shows it when asked', async ({
  profile,
}) => {
  await writeRun(profile.home, FINISHED);
  const { application, page } = await profile.launch();
  await expect(article(page, FINISHED.name)).toBeVisible();
  await application.evaluate(({ BrowserWindow, dialog }) => {
    dialog.showMessageBox = (async (_window: unknown, options: unknown) => {
      Object.assign(globalThis, { asked: options });
      return { response: 1, checkboxChecked: false };
    }) as unknown as typeof dialog.showMessageBox;
    // As Chromium tells it, half a minute after a click that nobody heard.
    BrowserWindow.getAllWindows()[0]?.emit('unresponsive');
  });
  const look = <T>(script: string): Promise<T | null> =>
    application.evaluate(async ({ BrowserWindow }, text) => {
      const contents = BrowserWindow.getAllWindows()[0]?.webContents;
      if (contents === undefined || contents.isCrashed() || contents.isLoading()) return null;
      // One that is asked while its process ends never answers.
      const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), 1_000));
      return (await Promise.race([contents.executeJavaScript(text), late])) as T | null;
    }, script);
  const log = `document.querySelector('section[aria-label="Log"]')?.textContent ?? ''`;
  await expect.poll(() => look<string>(log)).toContain('loaded again without the log');
  expect(
    await application.evaluate(() => (globalThis as unknown as { asked: object }).asked),
  ).toMatchObject({
    message: 'The window of Trainyard does not respond',
    buttons: ['Wait', 'Load again without the log'],
  });
  await look(`document.querySelector('section[aria-label="Log"] button').click()`);
  await expect
    .poll(() => look<boolean>(`document.querySelector('[role="log"]') !== null`))
    .toBe(true);
});

/** Ends the first process that shows a page of this home, as soon as there is one. */
async function endFirstPage(home: string): Promise<number> {
  for (const end = Date.now() + 30_000; Date.now() < end;) {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      let words = '';
      try {
        words = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        // Gone meanwhile.
      }
      if (!words.includes('--type=renderer') || !words.includes(home)) continue;
      process.kill(Number(pid), 'SIGKILL');
      return Number(pid);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error('There was no page.');
}

test('a page whose process ends while the application still begins is loaded again, and shown', async ({
  profile,
}) => {
  await writeRun(profile.home, FINISHED);
  const { executable, args, env } = profile.command();
  const child = spawn(executable, ['--remote-debugging-port=0', ...args], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    await endFirstPage(profile.home);
    const address = () => /DevTools listening on (ws:\S+)/.exec(said)?.[1] ?? '';
    await expect.poll(address).not.toBe('');
    await expect
      .poll(() => readFile(join(profile.home, 'logs', 'window.log'), 'utf8').catch(() => ''))
      .toContain('process is gone');
    // Who connects while a page comes back may be shown none: then once more.
    let shown: Page | undefined;
    await expect
      .poll(async () => {
        const browser = await chromium.connectOverCDP(address());
        [shown] = browser.contexts().flatMap((context) => context.pages());
        if (shown === undefined) await browser.close();
        return shown !== undefined;
      })
      .toBe(true);
    await expect(article(shown!, FINISHED.name)).toBeVisible();
    expect(await shown!.evaluate(() => document.visibilityState)).toBe('visible');
    await shown!.context().browser()?.close();
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
});

test('Hosts shows this machine; the rail shows how busy it is', async ({ shared }) => {
  const { application, page } = await shared.launch({ theme: 'light' });
  await page.getByRole('button', { name: 'Hosts' }).click();
  const host = page.getByRole('region', { name: 'local' });
  await expect(host).toContainText('this machine', { timeout: 40_000 });
  await expect(host).toContainText(/processors/);
  await expect(host).toContainText(/free of/);
  await expect(host).toContainText(/Node\.js v24/);
  await expect(host).toContainText('After a logout');
  await expect(page.getByRole('meter')).toHaveCount(2, { timeout: 15_000 });
  await shoot(page, 'hosts-light');
  await application.evaluate(({ BrowserWindow }) =>
    BrowserWindow.getAllWindows()[0]?.setContentSize(900, 600),
  );
  await shoot(page, 'hosts-light-900');
});
