import { createPublicKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { sleep } from '../platform/clock.ts';
import { isAlive, parseIdentity } from '../platform/processes.ts';

/** The files of the sample's account, and what an earlier embedded Google left beside them. */

/** How long one that still runs is given to end: so many looks, so many milliseconds between two. */
const END_EVERY = 50;
const END_LOOKS = 200;

const keyFileSchema = z.looseObject({ private_key_id: z.string(), private_key: z.string() });

/** The account as the embedded Google knows it; null where it has none yet. */
export async function readAccount(path: string): Promise<z.infer<typeof keyFileSchema> | null> {
  try {
    return keyFileSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return null;
  }
}

/** The same account without what only its owner has. */
export async function writeAccount(keyFile: string, account: string): Promise<void> {
  const file = keyFileSchema.parse(JSON.parse(await readFile(keyFile, 'utf8')));
  const publicKey = createPublicKey(file.private_key).export({ format: 'pem', type: 'spki' });
  await writeFile(account, JSON.stringify({ ...file, private_key: publicKey }), { mode: 0o600 });
}

/** Ends a Google of this folder that outlived its application. */
export async function endEarlier(lock: string): Promise<void> {
  const holder = parseIdentity(await readFile(lock, 'utf8').catch(() => ''));
  if (holder === null || !(await isAlive(holder))) return;
  process.kill(holder.pid, 'SIGTERM');
  for (let looks = 0; looks < END_LOOKS && (await isAlive(holder)); looks += 1)
    await sleep(END_EVERY);
}
