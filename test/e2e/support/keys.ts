import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ElectronApplication, Page } from '@playwright/test';
import { z } from 'zod';
import { COMMAND_LINE } from '../../support/programs.ts';
import { makeQuickVault } from '../../support/quick-vault.ts';
import type { Profile } from './application.ts';

const run = promisify(execFile);
const PASSPHRASE = 'four words in order';
/** No session bus at this address: a machine without a keychain. */
export const WITHOUT_KEYCHAIN = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent' };

/** `env`: all variables of the command line. */
export async function keysInTerminal(env: Readonly<Record<string, string>>) {
  const { stdout } = await run(process.execPath, [COMMAND_LINE, 'keys', 'list', '--json'], { env });
  return z
    .array(
      z.object({ id: z.string(), name: z.string(), vault: z.string(), fingerprint: z.string() }),
    )
    .parse(JSON.parse(stdout));
}

/** The folder where a person's downloads would lie. */
export async function downloads({ home }: Pick<Profile, 'home'>): Promise<string> {
  const folder = join(home, '..', 'user', 'Downloads');
  await mkdir(folder, { recursive: true });
  return folder;
}

/** A passphrase vault that opens by itself, and quickly. */
export async function openVault({ home }: Pick<Profile, 'home'>): Promise<Record<string, string>> {
  const file = join(home, '..', 'passphrase');
  await writeFile(file, `${PASSPHRASE}\n`, { mode: 0o600 });
  await makeQuickVault(home, PASSPHRASE);
  return { TRAINYARD_VAULT: 'passphrase', TRAINYARD_PASSPHRASE_FILE: file };
}

export const goToKeys = (page: Page) => page.getByRole('button', { name: 'Keys' }).click();

/** Native dialogs cannot be driven: this answers in the user's place. */
export const answerDialog = (application: ElectronApplication, files: readonly string[]) =>
  application.evaluate(
    ({ dialog }, filePaths) => {
      dialog.showOpenDialog = async () => ({ canceled: false, filePaths });
    },
    [...files],
  );
