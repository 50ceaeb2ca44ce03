import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
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
      'emulator',
      'examples',
      'node',
    ]);
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

/** Where newer versions would lie: it has an older one. */
async function startUpdates() {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end('version: 0.0.1\nfiles: []\npath: none\nsha512: none\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { asked, url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

/** Waits for the address of the page's inspector; the main process must not offer one of its own. */
/** The addresses of the pages that are there. `address`: of the browser, as it prints it. */
async function pagesOf(address: string): Promise<readonly string[]> {
  const answer = await fetch(`http://${new URL(address).host}/json/list`);
  const targets = (await answer.json()) as readonly {
    readonly type: string;
    readonly url: string;
  }[];
  return targets.filter(({ type }) => type === 'page').map(({ url }) => url);
}

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
