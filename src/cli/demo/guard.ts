import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createSecretSearch, encodingsOf, WINDOW, type TreeSearch } from './secret-search.ts';
import { makeFolders } from '../../transfer/make-folders.ts';

/** Searches a folder for a private key again and again while a job runs. */
export interface Guard {
  /** Ends the rounds; the searches of all of them together. */
  stop(): Promise<{ readonly rounds: number; readonly found: TreeSearch['found'] }>;
}

/** Milliseconds between two rounds: the job wants the processors too. */
const PAUSE = 700;

export function guardFolder(secret: Uint8Array, folder: string): Guard {
  const search = createSecretSearch(secret);
  const found: TreeSearch['found'][number][] = [];
  let rounds = 0;
  let stopped = false;
  let wake = (): void => undefined;
  const work = (async () => {
    while (!stopped) {
      found.push(...(await search.inTree(folder)).found);
      rounds += 1;
      if (stopped as boolean) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, PAUSE);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      wake();
      await work;
      return { rounds, found };
    },
  };
}

export function searchOnce(secret: Uint8Array, folder: string): Promise<TreeSearch> {
  return createSecretSearch(secret).inTree(folder);
}

/**
 * Shows that the search finds what it looks for: hides one piece of the shortest length that counts, in every encoding, amid noise in a
 * file each, in a folder of its own which is removed again. Returns the encodings planted and how many of them were found.
 */
export async function proveSearch(
  secret: Uint8Array,
  folder: string,
): Promise<{ readonly planted: number; readonly found: number }> {
  await makeFolders(folder, 0o700);
  try {
    const encodings = encodingsOf(secret);
    for (const [index, { text }] of encodings.entries()) {
      const ratio = text.length / secret.length;
      const length = Math.ceil(WINDOW * ratio) + 2;
      const at = Math.floor((text.length - length) * 0.7);
      const bytes = Buffer.concat([
        randomBytes(1_000 + index),
        text.subarray(at, at + length),
        randomBytes(1_000),
      ]);
      await writeFile(path.join(folder, `planted-${index}.bin`), bytes, { mode: 0o600 });
    }
    const { found } = await searchOnce(secret, folder);
    return { planted: encodings.length, found: found.length };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
