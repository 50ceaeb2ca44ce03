import { readFile } from 'node:fs/promises';
import { keyTokenSource, type TokenSource } from '../../src/google/access-token.ts';
import { acceptedTokenUris, endpointsFromEnvironment } from '../../src/google/endpoints.ts';
import { parseServiceAccountFile } from '../../src/google/service-account-file.ts';
import type { RunningEmulator } from '../emulator/start.ts';

/** Policies may be changed with it, too. */
const FULL_CONTROL = 'https://www.googleapis.com/auth/devstorage.full_control';

const sources = new Map<string, TokenSource>();

/** A token of one of the emulator's accounts that may read and write. */
export async function mintFor(google: RunningEmulator, account: string): Promise<string> {
  const file = google.keyFiles[account] ?? '';
  let source = sources.get(file);
  if (source === undefined) {
    const endpoints = endpointsFromEnvironment(google.environment);
    if (!endpoints.ok) throw new Error(endpoints.problem.message);
    const key = parseServiceAccountFile(await readFile(file), {
      fileName: file,
      acceptedTokenUris: acceptedTokenUris(endpoints.value),
    });
    if (!key.ok) throw new Error(key.problem.message);
    source = keyTokenSource(key.value, [FULL_CONTROL], endpoints.value);
    sources.set(file, source);
  }
  const token = await source.token();
  if (!token.ok) throw new Error(token.problem.message);
  return token.value.token;
}
