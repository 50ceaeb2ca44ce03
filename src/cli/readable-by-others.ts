import { stat } from 'node:fs/promises';
import type { KeyCard } from '../shared/key.ts';
import type { Context } from './context.ts';
import { printable, shellWord } from './format.ts';

/** Whether other users of the machine may read a file by its mode. False where it is not there, and on Windows, which has other rights. */
async function isReadableByOthers(path: string): Promise<boolean> {
  if (process.platform === 'win32') return false;
  try {
    return ((await stat(path)).mode & 0o044) !== 0;
  } catch {
    return false;
  }
}

/** Says so where others may read the file that a key came from. */
export async function tellReadableKey({ output }: Context, file: string): Promise<void> {
  if (await isReadableByOthers(file))
    output.warn(
      `Other users of this machine may read ${printable(file)}.`,
      `Who has read it has the key. Until you remove it: chmod 600 ${shellWord(file)}`,
    );
}

/** The same of the file with the passphrase, where the key is in the vault that it opens. */
export async function tellReadablePassphrase(
  { output, env }: Context,
  { vault }: Pick<KeyCard, 'vault'>,
): Promise<void> {
  const file = env['TRAINYARD_PASSPHRASE_FILE'] ?? '';
  if (vault === 'passphrase' && file !== '' && (await isReadableByOthers(file)))
    output.warn(
      `Other users of this machine may read ${printable(file)}, which holds the passphrase of the vault.`,
      `Close it: chmod 600 ${shellWord(file)}`,
    );
}
