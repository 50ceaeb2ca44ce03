import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { _electron, type ElectronApplication, type Page } from '@playwright/test';
import { ROOT } from '../../support/programs.ts';
import { displayOf } from './display.ts';

/**
 * Playwright's own: holds the application back from being ready until Playwright is attached. It adds this itself only where it chooses the
 * executable; without it, a window that opens while Playwright attaches hangs the launch now and then.
 */
const WAIT_FOR_PLAYWRIGHT = join(
  ROOT,
  'node_modules/playwright-core/lib/server/electron/loader.js',
);

export interface Launched {
  readonly application: ElectronApplication;
  readonly page: Page;
}

/** A person with nothing: a HOME and a TRAINYARD_HOME of their own. */
export interface Profile {
  readonly home: string;
  /** Opens the window. Whatever was opened is closed with the profile. */
  readonly launch: (options?: LaunchOptions) => Promise<Launched>;
  /** What a launch runs: for tests that start a second one themselves. */
  readonly command: (options?: LaunchOptions) => Command;
}

export interface LaunchOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly theme?: 'light' | 'dark';
  readonly size?: { readonly width: number; readonly height: number };
  /** After the application's own. */
  readonly args?: readonly string[];
}

export interface Command {
  readonly executable: string;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
}

function executable(): string {
  const path = process.env['TRAINYARD_ELECTRON'];
  if (path === undefined) throw new Error('Run these tests with: npm run e2e');
  return path;
}

/**
 * What is asked of the main process is heard and answered, and now and then V8 throws the promise away by which Playwright waits for the answer
 * (https://github.com/microsoft/playwright/issues/33737): then it is asked once more.
 */
function askTwice(application: ElectronApplication): void {
  const ask = application.evaluate.bind(application) as (...given: unknown[]) => Promise<unknown>;
  const twice = async (...given: unknown[]): Promise<unknown> => {
    try {
      return await ask(...given);
    } catch (error) {
      if (!String(error).includes('promise was garbage collected')) throw error;
      return ask(...given);
    }
  };
  application.evaluate = twice as ElectronApplication['evaluate'];
}

export interface OpenProfile extends Profile {
  /** Closes what was opened, and removes all folders. */
  readonly close: () => Promise<void>;
}

/** `worker`: the number of the test worker, which decides the display. */
export async function openProfile(worker: number): Promise<OpenProfile> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-e2e-'));
  const home = join(folder, 'trainyard');
  const userHome = join(folder, 'user');
  const runtime = join(folder, 'runtime');
  await mkdir(home, { recursive: true, mode: 0o700 });
  await mkdir(userHome, { recursive: true });
  await mkdir(runtime, { recursive: true, mode: 0o700 });
  const opened: ElectronApplication[] = [];

  const command = (options: LaunchOptions = {}): Command => ({
    executable: executable(),
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu',
      ROOT,
      ...(options.args ?? []),
    ],
    env: {
      PATH: process.env['PATH'] ?? '',
      DISPLAY: displayOf(worker),
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      HOME: userHome,
      XDG_RUNTIME_DIR: runtime,
      TRAINYARD_HOME: home,
      ...options.env,
    },
  });

  return {
    home,
    command,
    launch: async (options = {}) => {
      const { executable: executablePath, args, env } = command(options);
      const application = await _electron.launch({
        executablePath,
        args: ['-r', WAIT_FOR_PLAYWRIGHT, ...args],
        env,
        timeout: 45_000,
      });
      opened.push(application);
      askTwice(application);
      const page = await application.firstWindow();
      await page.locator('.application').waitFor();
      const launched = { application, page };
      await dress(launched, options);
      return launched;
    },
    close: async () => {
      for (const application of opened) await application.close().catch(() => undefined);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Gives a window its colours and its size. */
export async function dress(
  { application, page }: Launched,
  { theme, size }: Pick<LaunchOptions, 'theme' | 'size'>,
): Promise<void> {
  if (theme !== undefined) await page.emulateMedia({ colorScheme: theme });
  if (size === undefined) return;
  await application.evaluate(({ BrowserWindow }, { width, height }) => {
    BrowserWindow.getAllWindows()[0]?.setContentSize(width, height);
  }, size);
}
