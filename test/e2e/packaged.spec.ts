import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { chromium } from '@playwright/test';
import { expect, test } from './support/test.ts';
import { writeRun } from './support/runs.ts';
import { FAILED } from './support/samples.ts';

/** How a fuse stands in the executable: the characters "0" and "1". */
const OFF = 0x30;
const ON = 0x31;

const ROOT = join(import.meta.dirname, '..', '..');

test.describe('the packaged application', () => {
  test.skip(process.platform !== 'linux', 'packaged on Linux alone');
  let output = '';
  let executable = '';

  test.beforeAll(async () => {
    test.setTimeout(240_000);
    output = await mkdtemp(join(tmpdir(), 'trainyard-packaged-'));
    const packaging = spawn(process.execPath, [join(ROOT, 'scripts/package.mjs'), '--dir'], {
      cwd: ROOT,
      env: { ...process.env, TRAINYARD_PACKAGE_OUTPUT: output },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    packaging.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const [status] = (await once(packaging, 'exit')) as [number | null];
    expect(status, errors).toBe(0);
    executable =
      process.env['TRAINYARD_ELECTRON_KIND'] === 'registry'
        ? join(output, 'test-only', 'linux-unpacked', 'trainyard-test-only')
        : join(output, 'linux-unpacked', 'trainyard');
  });
  test.afterAll(async () => {
    await rm(output, { recursive: true, force: true });
  });

  test('has its fuses set, and holds only what it runs', async () => {
    const wire = await getCurrentFuseWire(executable);
    const expected = {
      RunAsNode: OFF,
      EnableNodeOptionsEnvironmentVariable: OFF,
      EnableNodeCliInspectArguments: OFF,
      OnlyLoadAppFromAsar: ON,
      EnableEmbeddedAsarIntegrityValidation: ON,
      EnableCookieEncryption: ON,
      GrantFileProtocolExtraPrivileges: OFF,
    } as const;
    for (const [name, state] of Object.entries(expected))
      expect(Number(wire[FuseV1Options[name as keyof typeof expected]]), name).toBe(state);
    const resources = await readdir(join(executable, '..', 'resources'));
    // No app-update.yml: it looks for newer versions nowhere.
    expect(resources.sort()).toEqual([
      'agent',
      'app.asar',
      'app.asar.unpacked',
      'bin',
      'emulator',
      'examples',
      'keychain',
      'node',
    ]);
  });

  test('brings the command line, reached by a link on the PATH and by its own program; native code of this machine alone', async ({
    profile,
  }) => {
    const { env } = profile.command();
    const folder = await mkdtemp(join(tmpdir(), 'trainyard-installed-'));
    try {
      // As a package for Debian does.
      const linked = join(folder, 'bin', 'trainyard');
      await mkdir(join(folder, 'bin'));
      await symlink(join(executable, '..', 'resources', 'bin', 'trainyard'), linked);
      const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
        version: string;
      };
      expect(await ends(linked, ['--version'], env)).toMatchObject({
        status: 0,
        stdout: `${version}\n`,
      });
      await mkdir(join(folder, 'code'));
      const file = join(folder, 'job.yaml');
      await writeFile(
        file,
        'name: installed\nhost: local\ncode: { dir: ./code }\nworkers: [echo from the package]\n',
      );
      const told = await ends(linked, ['run', file], env);
      expect(told, told.stderr).toMatchObject({ status: 0 });
      // The window's own program, as an AppImage starts it.
      const root = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
      const listed = await ends(executable, [...root, 'jobs', '--json'], env);
      expect(listed, listed.stderr).toMatchObject({ status: 0 });
      expect(JSON.parse(listed.stdout)).toMatchObject([{ name: 'installed', state: 'finished' }]);
      expect(
        await ends(executable, [...root, 'run', join(folder, 'none.yaml')], env),
      ).toMatchObject({
        status: 2,
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    const unpacked = join(executable, '..', 'resources', 'app.asar.unpacked');
    const native = (await readdir(unpacked, { recursive: true })).filter((name) =>
      name.endsWith('.node'),
    );
    expect(native.filter((name) => /musl|darwin|win32|armv7l|ia32/.test(name))).toEqual([]);
    expect(native.filter((name) => name.includes(`linux-${process.arch}`)).length).toBe(
      native.length,
    );
  });

  test('its embedded Google runs from its own folder, without packages beside it', async () => {
    const resources = join(executable, '..', 'resources');
    const emulator = spawn(
      join(resources, 'node'),
      [join(resources, 'emulator', 'emulator.mjs'), '--help'],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let errors = '';
    emulator.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const [status] = (await once(emulator, 'exit')) as [number | null];
    expect(status, errors).toBe(0);
  });

  test('opens, lists the jobs, takes a failed one up with its own agent, looks for updates where it is told', async ({
    profile,
  }) => {
    const run = {
      ...FAILED,
      output: undefined,
      workers: 1,
      command: 'echo mended',
      events: FAILED.events.filter(([, event]) => !('worker' in event) || event.worker === 0),
      logs: {},
    };
    await writeRun(profile.home, run);
    const { env } = profile.command();
    const updates = await startUpdates();
    const configured = join(executable, '..', 'resources', 'app-update.yml');
    await writeFile(configured, `provider: generic\nurl: ${updates.url}\n`);
    const child = spawn(
      executable,
      [
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        '--disable-gpu',
        // Chromium asks for newer versions, of a server with a certificate of the tests.
        '--ignore-certificate-errors',
        '--inspect=0',
        '--remote-debugging-port=0',
      ],
      {
        env: { ...env, NODE_OPTIONS: '--inspect=0', APPIMAGE: executable },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    const ended = once(child, 'exit');
    try {
      const address = await debuggingAddress(child);
      // While the window is made, whoever attaches may wait for its page for ever.
      await expect
        .poll(() => pagesOf(address), { timeout: 30_000 })
        .toContainEqual(expect.stringMatching(/^app:\/\/trainyard\//));
      const browser = await chromium.connectOverCDP(address);
      const page = browser.contexts()[0]?.pages()[0];
      if (page === undefined) throw new Error('There is no window.');
      const row = page.locator(`tr[data-job="${run.id}"]`);
      await expect(row).toContainText('failed');
      await page.getByRole('button', { name: 'Retry' }).click();
      await expect(row).toContainText('finished', { timeout: 30_000 });
      await expect(page.getByRole('log')).toContainText('mended');
      await expect.poll(() => updates.asked.join()).toContain('/latest-linux.yml');
      await browser.close();
    } finally {
      child.kill('SIGTERM');
      await ended;
      updates.close();
      await rm(configured);
    }
  });
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function ends(
  program: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<Ended> {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout, stderr };
}

/** Where newer versions would lie: it has an older one. */
async function startUpdates() {
  const asked: string[] = [];
  const pem = await readFile(join(ROOT, 'test/fixtures/tls/google.pem'));
  const server = createServer({ key: pem, cert: pem }, (request, response) => {
    asked.push(request.url ?? '');
    response.end('version: 0.0.1\nfiles: []\npath: none\nsha512: none\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { asked, url: `https://127.0.0.1:${port}`, close: () => server.close() };
}

/** The addresses of the pages that are there. `address`: of the browser, as it prints it. */
async function pagesOf(address: string): Promise<readonly string[]> {
  const answer = await fetch(`http://${new URL(address).host}/json/list`);
  const targets = (await answer.json()) as readonly {
    readonly type: string;
    readonly url: string;
  }[];
  return targets.filter(({ type }) => type === 'page').map(({ url }) => url);
}

/** Waits for the address of the page's inspector; the main process must not offer one of its own. */
function debuggingAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(
      () => reject(new Error(`No window after 30 seconds. ${text}`)),
      30_000,
    );
    child.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('Debugger listening'))
        reject(new Error('The main process can be inspected: a fuse is not set.'));
      const found = /DevTools listening on (ws:\/\/\S+)/.exec(text)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      // Whatever else it has to say comes at once.
      setTimeout(() => resolve(found), 1_000);
    });
  });
}
