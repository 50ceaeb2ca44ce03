import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  deriveKey,
  newKdfParameters,
  sealCheck,
  type VaultFile,
} from '../../src/main/keys/sealed-file.ts';

/** The least work that a vault's file may ask for: a hundredth of a second and 16 MiB, where a new vault asks for half a second. */
const LEAST_WORK = 2 ** 14;

const made = new Map<string, Promise<string>>();

async function emptyVault(passphrase: string): Promise<string> {
  const kdf = { ...newKdfParameters(), N: LEAST_WORK };
  const check = sealCheck(await deriveKey(passphrase, kdf));
  const file: VaultFile = { format: 1, kdf, check, items: {} };
  return JSON.stringify(file);
}

/**
 * Makes a home with a passphrase vault that is quick to open: every command that needs a key derives the vault's. For tests that are not about the
 * making of a vault. One that is there stays.
 */
export async function makeQuickVault(home: string, passphrase: string): Promise<void> {
  const text = made.get(passphrase) ?? emptyVault(passphrase);
  made.set(passphrase, text);
  await mkdir(home, { recursive: true });
  await chmod(home, 0o700);
  const file = join(home, 'vault.json');
  if (!existsSync(file)) await writeFile(file, await text, { mode: 0o600 });
}
