/* global requestAnimationFrame */
// The window under much of everything: opening with 10,000 jobs, the first page of a large bucket, scrolling all of its objects, following
// 10,000 lines a second. `npm run bench:window [-- --objects 1000000 --jobs 10000 --seconds 10]`.
// Frames are counted in the page (requestAnimationFrame): a display of 60 Hz is asked for a frame every 16.7 ms, and one that comes after more
// than 1.5 times that is one lost, or several. Xvfb has no display and no graphics card: everything is drawn by the processor.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { _electron } from '@playwright/test';
import { startDisplay } from '../lib/display.mjs';
import { root } from '../lib/root.mjs';
import { electronRuntime } from '../test-runtime.mjs';

const { values } = parseArgs({
  options: {
    objects: { type: 'string', default: '1000000' },
    jobs: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '10' },
  },
});
const [objects, jobs, seconds] = [values.objects, values.jobs, values.seconds].map(Number);
const FRAME = 1000 / 60;
const say = (text) => process.stderr.write(`${text}\n`);
const out = (text) => process.stdout.write(`${text}\n`);
const count = (number) => number.toLocaleString('en');

/** Counts the frames of the page while the body runs. */
async function framesDuring(page, body) {
  await page.evaluate(() => {
    const state = { times: [], on: true };
    globalThis.counted = state;
    const tick = (time) => {
      state.times.push(time);
      if (state.on) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await body();
  const times = await page.evaluate(() => {
    globalThis.counted.on = false;
    return globalThis.counted.times;
  });
  const gaps = times.slice(1).map((time, index) => time - times[index]);
  const lost = gaps.reduce((sum, gap) => sum + Math.max(0, Math.round(gap / FRAME) - 1), 0);
  const sorted = gaps.toSorted((a, b) => a - b);
  const at = (part) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]);
  return `${count(gaps.length)} frames, ${count(lost)} lost (${((100 * lost) / (lost + gaps.length)).toFixed(1)} %), median ${at(0.5)} ms, 99 % within ${at(0.99)} ms, longest ${at(1)} ms`;
}

/** Memory of the application's processes, MiB: of each what is its own (private), as Linux tells it. The page's garbage is collected first. */
async function memory(application, page) {
  const inspector = await page.context().newCDPSession(page);
  await inspector.send('HeapProfiler.collectGarbage');
  await inspector.detach();
  const processes = await application.evaluate(({ app }) =>
    app
      .getAppMetrics()
      .map(({ pid, type, memory }) => ({ pid, type, all: memory.workingSetSize / 1024 })),
  );
  const parts = [];
  for (const { pid, type, all } of processes) {
    if (type !== 'Browser' && type !== 'Tab') continue;
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    const own = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)].reduce(
      (sum, [, size]) => sum + Number(size) / 1024,
      0,
    );
    parts.push(
      `${type === 'Browser' ? 'main' : 'page'} ${Math.round(own)} MiB private, ${Math.round(all)} MiB working set`,
    );
  }
  return parts.join('; ');
}

const folder = await mkdtemp(join(tmpdir(), 'trainyard-bench-window-'));
const display = process.platform === 'linux' ? await startDisplay() : null;
const emulator = spawn(
  process.execPath,
  [join(root, 'src/emulator/main.ts'), '--open', '--fill', `bench-bucket=${objects}`],
  { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
);
const emulatorEnded = once(emulator, 'exit');
try {
  let printed = '';
  for await (const part of emulator.stdout) {
    printed += part;
    if (printed.split('\n').length > 4) break;
  }
  const endpoints = Object.fromEntries(
    [...printed.matchAll(/^export ([A-Z_]+)=(\S+)$/gm)].map(([, name, value]) => [name, value]),
  );
  const runtime = await electronRuntime({ say });
  const { writeManyRuns, writeRun } = await import('../../test/e2e/support/runs.ts');
  const { running } = await import('../../test/e2e/support/samples.ts');
  const { workerLog } = await import('../../src/shared/run-directory.ts');

  const launch = async (name) => {
    const user = join(folder, 'user');
    await mkdir(user, { recursive: true });
    const begun = performance.now();
    const application = await _electron.launch({
      executablePath: runtime.executable,
      args: [
        '-r',
        join(root, 'node_modules/playwright-core/lib/server/electron/loader.js'),
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        '--disable-gpu',
        root,
      ],
      env: {
        PATH: process.env.PATH,
        LANG: 'C.UTF-8',
        HOME: user,
        XDG_RUNTIME_DIR: user,
        DISPLAY: display?.display ?? process.env.DISPLAY,
        TRAINYARD_HOME: join(folder, name),
        TRAINYARD_VAULT: 'passphrase',
        ...endpoints,
      },
      timeout: 120_000,
    });
    const page = await application.firstWindow();
    const since = () => Math.round(performance.now() - begun);
    return { application, page, since };
  };

  out(
    `Electron ${runtime.version} (${runtime.kind}); load at the start ${loadavg()
      .map((each) => each.toFixed(1))
      .join(' ')}`,
  );

  // Opening with many jobs: first without a database, then with the one that this made.
  say(`writing ${count(jobs)} runs ...`);
  await writeManyRuns(join(folder, 'many'), jobs);
  for (const kind of ['without a database', 'with its database']) {
    const { application, page, since } = await launch('many');
    await page.locator('.application').waitFor({ timeout: 120_000 });
    const frame = since();
    await page.locator('tr[data-job]').first().waitFor({ timeout: 120_000 });
    const first = since();
    await page.locator(`[role=grid][aria-rowcount="${jobs + 1}"]`).waitFor({ timeout: 300_000 });
    const all = since();
    out(
      `opening with ${count(jobs)} jobs, ${kind}: first rows ${first - frame} ms after the window's frame (${first} ms after the start of the process), all rows after ${all - frame} ms`,
    );
    const box = page.getByRole('group', { name: 'Jobs' });
    const scrolled = await framesDuring(page, () =>
      box.evaluate(async (element) => {
        for (let step = 1; step <= 120; step += 1) {
          element.scrollTop = ((element.scrollHeight - element.clientHeight) * step) / 120;
          await new Promise(requestAnimationFrame);
        }
      }),
    );
    out(`  scrolling them: ${scrolled}`);
    out(`  ${await memory(application, page)}`);
    await application.close();
  }

  // A large bucket.
  {
    const { application, page } = await launch('bucket');
    await page.locator('.application').waitFor({ timeout: 120_000 });
    await page.getByRole('button', { name: 'Buckets', exact: true }).click();
    await page.getByLabel('Address').fill('gs://bench-bucket/data/');
    const begun = performance.now();
    await page.getByLabel('Address').press('Enter');
    await page.getByRole('row', { name: '0000000.bin' }).waitFor({ timeout: 60_000 });
    out(`first page of ${count(objects)} objects: ${Math.round(performance.now() - begun)} ms`);
    out(`  ${await memory(application, page)}`);
    const table = page.getByRole('grid', { name: 'Objects' });
    const begunAll = performance.now();
    const down = await framesDuring(page, () =>
      table.evaluate(async (box, wanted) => {
        const known = () => Number(box.getAttribute('aria-rowcount')) - 1;
        while (known() < wanted) {
          box.scrollTop = box.scrollHeight;
          await new Promise(requestAnimationFrame);
        }
      }, objects),
    );
    out(
      `pulled down to the last of ${count(objects)} rows as they come, ${Math.round((performance.now() - begunAll) / 1000)} s: ${down}`,
    );
    const through = await framesDuring(page, () =>
      table.evaluate(async (box) => {
        for (let step = 0; step <= 600; step += 1) {
          box.scrollTop = ((box.scrollHeight - box.clientHeight) * step) / 600;
          await new Promise(requestAnimationFrame);
        }
      }),
    );
    out(`scrolled from the first to the last in 600 steps: ${through}`);
    const wheel = await framesDuring(page, () =>
      table.evaluate(async (box) => {
        for (let step = 0; step < 600; step += 1) {
          box.scrollTop -= 120;
          await new Promise(requestAnimationFrame);
        }
      }),
    );
    out(`scrolled by 120 pixels a frame: ${wheel}`);
    out(`  ${await memory(application, page)}`);
    await application.close();
  }

  // A log.
  {
    const run = await writeRun(join(folder, 'log'), running());
    const { application, page } = await launch('log');
    await page.locator('.application').waitFor({ timeout: 120_000 });
    await page.getByRole('log').getByText('step 199').waitFor({ timeout: 60_000 });
    const file = join(run, workerLog(0));
    let number = 0;
    let written = 0;
    const followed = await framesDuring(page, async () => {
      const begun = performance.now();
      for (let burst = 1; burst <= seconds * 10; burst += 1) {
        let text = '';
        for (let line = 0; line < 1_000; line += 1)
          text += `line ${String((number += 1)).padStart(7, '0')} loss 0.1234 accuracy 0.9876 step time 0.042 s\n`;
        await appendFile(file, text);
        written += text.length;
        const wait = begun + burst * 100 - performance.now();
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      }
      say(`${count(number)} lines in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
    });
    const ended = performance.now();
    await page
      .getByRole('log')
      .getByText(`line ${String(number).padStart(7, '0')}`)
      .waitFor({ timeout: 60_000 });
    out(
      `following ${count(number)} lines (${Math.round(written / 1e6)} MB), 10,000 a second: ${followed}; the last line was there ${Math.round(performance.now() - ended)} ms after it was written`,
    );
    out(`  ${await memory(application, page)}`);
    await application.close();
  }
  out(
    `load at the end ${loadavg()
      .map((each) => each.toFixed(1))
      .join(' ')}`,
  );
} finally {
  emulator.kill('SIGTERM');
  await emulatorEnded;
  await display?.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
