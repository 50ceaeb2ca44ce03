import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from './support/test.ts';

test('a second start on the same home shows the first window and ends', async ({ profile }) => {
  const { application } = await profile.launch();
  await application.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.minimize());
  const { executable, args, env } = profile.command();
  const second = spawn(executable, [...args], { env, stdio: 'ignore' });
  const [status] = (await once(second, 'exit')) as [number | null];
  expect(status).toBe(0);
  await expect
    .poll(() =>
      application.evaluate(({ BrowserWindow }) => {
        const all = BrowserWindow.getAllWindows();
        return [all.length, all[0]?.isMinimized()];
      }),
    )
    .toEqual([1, false]);
});

test('another home has a window of its own', async ({ profile }) => {
  await profile.launch();
  const other = join(profile.home, 'other');
  const { page } = await profile.launch({ env: { TRAINYARD_HOME: other } });
  await expect(page.getByText(other)).toBeVisible();
});

test('nothing is written into HOME, and the home is closed to others', async ({ profile }) => {
  const { application } = await profile.launch();
  await application.close();
  const { env } = profile.command();
  const written = await readdir(env['HOME'] ?? '', { recursive: true, withFileTypes: true });
  expect(written.filter((entry) => entry.isFile()).map((entry) => entry.name)).toEqual([]);
  expect(await readdir(profile.home)).toContain('window');
});

test('closing the window ends the application', async ({ profile }) => {
  const { application } = await profile.launch();
  const child = application.process();
  const ended = once(child, 'exit');
  await application.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
  const [status] = (await ended) as [number | null];
  expect(status).toBe(0);
});
