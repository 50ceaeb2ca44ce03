import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { createHash } from 'node:crypto';
import { keyTokenSource, type TokenSource } from '../../src/google/access-token.ts';
import { acceptedTokenUris, endpointsFromEnvironment } from '../../src/google/endpoints.ts';
import { parseServiceAccountFile } from '../../src/google/service-account-file.ts';
import type { GoogleEndpoints } from '../../src/shared/endpoints.ts';
import type { AccessPurpose } from '../../src/shared/key.ts';
import type { Problem, Result } from '../../src/shared/problem.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';

export const IN = 'input-data-bucket';
export const OUT = 'artifacts-bucket';

const run = promisify(execFile);

/** An emulator with a reader of `IN` below data/, a creator in `OUT` below results/, and an administrator: the grants a user would give. */
export interface World {
  readonly emulator: RunningEmulator;
  readonly endpoints: GoogleEndpoints;
  /** A temporary folder, gone at the end. */
  readonly folder: string;
  tokens(account: string, purpose: AccessPurpose): Promise<TokenSource>;
  /** curl, as the administrator: status and body. */
  curl(...args: string[]): Promise<{ status: number; body: Buffer }>;
  put(bucket: string, name: string, bytes: Uint8Array | string, query?: string): Promise<void>;
  get(bucket: string, name: string): Promise<Buffer>;
  names(bucket: string, prefix: string): Promise<string[]>;
  remove(bucket: string, name: string): Promise<void>;
  stop(): Promise<void>;
}

export const objectGrant = (bucket: string, prefix: string): string =>
  `resource.name.startsWith("projects/_/buckets/${bucket}/objects/${prefix}")`;

export async function startWorld(flags: readonly string[] = []): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-transfer-'));
  const emulator = await startEmulator({
    accounts: [{ name: 'reader' }, { name: 'writer' }, { name: 'boss' }],
    grants: [
      `${emailOf('reader')}=roles/storage.objectViewer@${IN}@${objectGrant(IN, 'data/')}`,
      `${emailOf('reader')}=storage.objects.list@${IN}`,
      `${emailOf('writer')}=roles/storage.objectCreator@${OUT}@${objectGrant(OUT, 'results/')}`,
    ],
    admins: [emailOf('boss')],
    flags,
  });
  const found = endpointsFromEnvironment(emulator.environment);
  if (!found.ok) throw new Error(found.problem.message);
  const endpoints = found.value;
  const tokens = (account: string, purpose: AccessPurpose): Promise<TokenSource> =>
    accountTokens(emulator.keyFiles[account]!, endpoints, purpose);
  const boss = await (await tokens('boss', 'write')).token();
  if (!boss.ok) throw new Error(boss.problem.message);
  const header = `Authorization: Bearer ${boss.value.token}`;

  const curl: World['curl'] = async (...args) => {
    const { stdout } = await run(
      'curl',
      ['-sS', '--max-time', '20', '-H', header, '-w', '\n%{http_code}', ...args],
      { encoding: 'buffer', maxBuffer: 1 << 30 },
    );
    const end = stdout.lastIndexOf(10);
    return { status: Number(stdout.subarray(end + 1).toString()), body: stdout.subarray(0, end) };
  };
  const expectStatus = (answer: { status: number; body: Buffer }, ...good: number[]) => {
    if (!good.includes(answer.status))
      throw new Error(`curl: ${answer.status} ${answer.body.toString().slice(0, 300)}`);
    return answer;
  };
  const { url } = emulator;
  const object = (bucket: string, name: string) =>
    `${url}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`;
  for (const name of [IN, OUT])
    expectStatus(
      await curl(
        '-X',
        'POST',
        '-H',
        'Content-Type: application/json',
        '-d',
        JSON.stringify({ name }),
        `${url}/storage/v1/b?project=demo-project`,
      ),
      200,
    );
  let uploads = 0;
  return {
    emulator,
    endpoints,
    folder,
    tokens,
    curl,
    async put(bucket, name, bytes, query = '') {
      const file = join(folder, `.upload-${(uploads += 1)}`);
      await writeFile(file, bytes);
      const address = `${url}/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(name)}${query}`;
      expectStatus(await curl('-X', 'POST', '--data-binary', `@${file}`, address), 200);
      await rm(file);
    },
    get: async (bucket, name) =>
      expectStatus(await curl(`${object(bucket, name)}?alt=media`), 200).body,
    async names(bucket, prefix) {
      const { body } = expectStatus(
        await curl(`${url}/storage/v1/b/${bucket}/o?prefix=${encodeURIComponent(prefix)}`),
        200,
      );
      const page = JSON.parse(body.toString()) as { items?: { name: string }[] };
      return (page.items ?? []).map(({ name }) => name);
    },
    async remove(bucket, name) {
      expectStatus(await curl('-X', 'DELETE', object(bucket, name)), 204);
    },
    async stop() {
      await emulator.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function accountTokens(
  keyFile: string,
  endpoints: GoogleEndpoints,
  purpose: AccessPurpose,
): Promise<TokenSource> {
  const key = parseServiceAccountFile(await readFile(keyFile), {
    fileName: keyFile,
    acceptedTokenUris: acceptedTokenUris(endpoints),
  });
  if (!key.ok) throw new Error(key.problem.message);
  return keyTokenSource(key.value, purpose, endpoints);
}

/** Every file below a folder, as path to SHA-256. */
export async function tree(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = entry.isFile() ? await readFile(path) : Buffer.from('not a file');
    found[path.slice(folder.length + 1)] = createHash('sha256').update(bytes).digest('hex');
  }
  return Object.fromEntries(Object.entries(found).sort());
}

export async function plant(
  folder: string,
  files: Readonly<Record<string, Uint8Array | string>>,
): Promise<void> {
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
}

export function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.problem.code}: ${result.problem.message}`);
  return result.value;
}

export function refusal<T>(result: Result<T>): Problem {
  if (result.ok) throw new Error(`It succeeded: ${JSON.stringify(result.value)}`);
  return result.problem;
}
