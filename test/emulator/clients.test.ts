import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, execute, makeBucket, mint, SCOPES } from './ask.ts';
import { emailOf, startEmulator, type RunningEmulator } from './start.ts';
import { noRclone } from '../support/rclone.ts';
import { randomBytes } from '../support/random.ts';

const B = 'clients-bucket';
const FILES = ['small', 'sub/x', 'sub/empty', 'big', 'a name with spaces & ü'];
let emulator: RunningEmulator;
let folder: string;
const contents = new Map<string, Buffer>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-clients-test-'));
  emulator = await startEmulator({
    accounts: [{ name: 'admin' }, { name: 'reader' }],
    admins: [emailOf('admin')],
    grants: [`${emailOf('reader')}=roles/storage.objectViewer@${B}`],
  });
  await makeBucket(emulator.url, B, await mint(emulator, 'admin', SCOPES.platform));
  for (const name of FILES) {
    // More than one chunk of a resumable upload of rclone (16 MiB).
    const size = name === 'big' ? 18_000_001 : name === 'sub/empty' ? 0 : 1000;
    contents.set(name, randomBytes(size));
    await mkdir(join(folder, 'source', 'sub'), { recursive: true });
    await writeFile(join(folder, 'source', name), contents.get(name) ?? '');
  }
});
afterAll(async () => {
  await emulator.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The environment without what points at other stores. */
function cleanEnvironment(extra: Record<string, string>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(CLOUDSDK_|GOOGLE_|RCLONE_|STORAGE_EMULATOR_HOST|.*_proxy$|.*_PROXY$)/.test(name),
  );
  return { ...Object.fromEntries(kept), HOME: folder, NO_PROXY: '*', ...extra };
}

async function expectSame(target: string): Promise<void> {
  for (const [name, content] of contents)
    expect([name, (await readFile(join(target, name))).equals(content)]).toEqual([name, true]);
}

describe.skipIf(noRclone !== null)(
  noRclone === null ? 'rclone' : `rclone (${noRclone})`,
  { timeout: 120_000 },
  () => {
    const rclone = async (account: string, ...argv: string[]) =>
      execute(
        'rclone',
        [
          ...['--config', '/dev/null', '--retries', '1', '--low-level-retries', '2'],
          ...[
            '--gcs-endpoint',
            `${emulator.url}/storage/v1/`,
            '--gcs-project-number',
            'demo-project',
          ],
          ...['--gcs-service-account-file', emulator.keyFiles[account] ?? ''],
          ...argv,
        ],
        { env: cleanEnvironment({}), timeoutSeconds: 60 },
      );
    const succeeds = async (...argv: string[]): Promise<string> => {
      const { code, stdout, stderr } = await rclone('admin', ...argv);
      expect([code, stderr]).toEqual([0, expect.any(String)]);
      return stdout.toString();
    };

    test('copies a folder up, in chunks too, checks it, and copies it down', async () => {
      await succeeds('copy', join(folder, 'source'), `:gcs:${B}/rclone`);
      await succeeds('check', join(folder, 'source'), `:gcs:${B}/rclone`);
      await succeeds('copy', `:gcs:${B}/rclone`, join(folder, 'rclone-down'));
      await expectSame(join(folder, 'rclone-down'));
      const chunked = (await emulator.requestLog()).filter(
        (line) => line.object === 'rclone/big' && line.method === 'POST',
      );
      expect(chunked.length).toBeGreaterThan(2);
    });

    test('moves, lists and deletes', async () => {
      await succeeds('moveto', `:gcs:${B}/rclone/small`, `:gcs:${B}/rclone/renamed`);
      expect(
        (await succeeds('lsf', '-R', '--files-only', `:gcs:${B}/rclone`)).trim().split('\n').sort(),
      ).toEqual([...FILES.filter((name) => name !== 'small'), 'renamed'].sort());
      await succeeds('mkdir', ':gcs:rclone-made');
      await succeeds('rmdir', ':gcs:rclone-made');
      await succeeds('delete', `:gcs:${B}/rclone`);
      const left = await ask(emulator.url, 'GET', `/storage/v1/b/${B}/o?prefix=rclone`, {
        token: await mint(emulator, 'admin'),
      });
      expect(left.json()).toEqual({ kind: 'storage#objects' });
    });

    test('as an account that may only read it lists, and is refused in words', async () => {
      await succeeds('copy', join(folder, 'source', 'sub'), `:gcs:${B}/kept`);
      const listed = await rclone('reader', 'lsf', `:gcs:${B}/kept`);
      expect(listed.stdout.toString().trim().split('\n').sort()).toEqual(['empty', 'x']);
      const copied = await rclone('reader', 'copy', join(folder, 'source', 'sub'), `:gcs:${B}/no`);
      expect([copied.code, copied.stderr]).toEqual([
        1,
        expect.stringContaining('storage.objects.create'),
      ]);
      const deleted = await rclone('reader', 'deletefile', `:gcs:${B}/kept/x`);
      expect([deleted.code, deleted.stderr]).toEqual([
        1,
        expect.stringContaining('storage.objects.delete'),
      ]);
    });
  },
);
