import { execFile } from 'node:child_process';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { expect } from '@playwright/test';
import type {} from '../../../src/renderer/client.ts';
import { COMMAND_LINE } from '../../support/programs.ts';
import {
  dress,
  openProfile,
  type Launched,
  type LaunchOptions,
  type OpenProfile,
} from './application.ts';
import { startBucketWorld, type BucketWorld } from './bucket-world.ts';
import { openVault } from './keys.ts';

const run = promisify(execFile);

/** As a window is that was never touched. */
const AS_NEW = { theme: 'light', size: { width: 1280, height: 800 } } as const;
/** Tables whose rows belong to a test. The schema, and what the application itself keeps, stay. */
const TABLES = ['settings', 'bookmarks', 'key_uses', 'jobs'];
/** What lies in a home and goes between two tests. */
const PARTS_OF_HOME = ['runs', 'templates', 'saved.log', 'secret.html'];
/** What lies beside it and stays. */
const BESIDE_HOME = ['trainyard', 'user', 'runtime', 'passphrase'];

/**
 * One application for all tests of a worker that only look at screens: starting Electron costs more than most of them. Between two tests its runs,
 * keys, settings and objects go, and its page is loaded anew. What depends on the start itself, on another environment or on the main process's own
 * state takes a `profile` instead.
 */
export interface Shared {
  readonly home: string;
  /** The emulated Google that it sees; its buckets are empty at the start of each test. */
  readonly google: BucketWorld;
  /** Variables for a command line that sees the same home, vault and Google. */
  readonly env: Readonly<Record<string, string>>;
  /** The window, its page loaded anew. */
  readonly launch: (options?: Pick<LaunchOptions, 'theme' | 'size'>) => Promise<Launched>;
  /** Runs the command line; what it printed as JSON. Throws where it fails. */
  readonly trainyard: (...words: readonly string[]) => Promise<unknown>;
  /** Takes the key of an account of the emulated Google into the vault, under the account's name. */
  readonly addKey: (account: 'trainer' | 'admin') => Promise<void>;
}

export interface SharedApplication extends Shared {
  /** Makes everything as it was before the first test. */
  readonly reset: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export async function openShared(worker: number): Promise<SharedApplication> {
  const profile = await openProfile(worker);
  const google = await startBucketWorld();
  const environment = {
    ...(await google.environment(profile)),
    SHELL: '/bin/bash',
  };
  const { env } = profile.command({ env: environment });
  // A worker has it by its login shell; the application, as one that was started from the dock, has it not.
  await writeFile(join(env['HOME'] ?? '', '.bash_profile'), 'export LAB_MODULES=cuda12\n');
  let launched: Launched | null = null;

  const isUsable = async ({ application, page }: Launched): Promise<boolean> => {
    if (application.process().exitCode !== null || page.isClosed()) return false;
    return page.evaluate(() => typeof window.trainyard === 'object').catch(() => false);
  };

  const trainyard = async (...words: readonly string[]): Promise<unknown> => {
    const { stdout } = await run(process.execPath, [COMMAND_LINE, ...words, '--json'], { env });
    return JSON.parse(stdout);
  };

  return {
    home: profile.home,
    google,
    env,
    trainyard,
    addKey: async (account) => {
      await trainyard(
        ...['keys', 'add', google.emulator.keyFiles[account] ?? '', '--name', account],
        ...(account === 'admin'
          ? ['--accept-admin', 'admin@demo-project.iam.gserviceaccount.com']
          : []),
      );
    },
    launch: async (options = {}) => {
      if (launched !== null && (await isUsable(launched))) {
        await reload(launched);
        await dress(launched, { ...AS_NEW, ...options });
      } else {
        await launched?.application.close().catch(() => undefined);
        launched = await profile.launch({ ...AS_NEW, ...options, env: environment });
      }
      return launched;
    },
    reset: async () => {
      // A page that goes keeps what was typed into it: it goes before that is cleared.
      if (launched !== null && (await isUsable(launched))) await reload(launched);
      await clearFolders(profile);
      await google.empty();
      if (launched === null || !(await isUsable(launched))) {
        await launched?.application.close().catch(() => undefined);
        launched = null;
        await rm(profile.home, { recursive: true, force: true });
        await openVault(profile);
        return;
      }
      await clearApplication(launched);
      clearDatabase(join(profile.home, 'trainyard.db'));
    },
    close: async () => {
      await profile.close();
      await google.emulator.stop();
    },
  };
}

async function reload({ page }: Launched): Promise<void> {
  await page.reload();
  await page.locator('.application').waitFor();
}

async function clearFolders({ home }: OpenProfile): Promise<void> {
  const folder = dirname(home);
  for (const name of await readdir(folder))
    if (!BESIDE_HOME.includes(name)) await rm(join(folder, name), { recursive: true, force: true });
  await rm(join(folder, 'user', 'Downloads'), { recursive: true, force: true });
  for (const name of PARTS_OF_HOME)
    await rm(join(home, name), { recursive: true, force: true, maxRetries: 5 });
}

function clearDatabase(file: string): void {
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA busy_timeout = 5000');
    for (const table of TABLES) database.exec(`DELETE FROM ${table}`);
  } finally {
    database.close();
  }
}

/** What the main process remembers. The runs are gone already: asking for them makes it notice. */
async function clearApplication({ page }: Launched): Promise<void> {
  await expect
    .poll(() =>
      page.evaluate(async () => {
        const jobs = await window.trainyard.call('jobs-list', {});
        return jobs.ok ? jobs.value.length : jobs.problem.message;
      }),
    )
    .toBe(0);
  await page.evaluate(async () => {
    const { trainyard } = window;
    const keys = await trainyard.call('keys-list', {});
    for (const { id } of keys.ok ? keys.value : []) await trainyard.call('keys-remove', { id });
    await trainyard.call('new-job-keep-draft', { draft: null });
    await trainyard.call('keep-preferences', {
      theme: 'system',
      notifications: true,
      keepFollowing: false,
    });
  });
  await page.emulateMedia({ reducedMotion: null });
}
