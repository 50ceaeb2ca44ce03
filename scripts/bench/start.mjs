// Cold start: from the start of the process to the Jobs screen with its jobs, against an Electron window with one line of text, in the same
// run, in turns. `npm run bench:start [-- --rounds 9 --jobs 20]`. Each has a profile of its own that a first start, shown apart, made.
// What the system had to read from the disk is in its cache by then: "cold" means a new process, not a machine just booted.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startDisplay } from '../lib/display.mjs';
import { root } from '../lib/root.mjs';
import { electronRuntime } from '../test-runtime.mjs';
import { timeToScreen } from './lib/page-probe.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    jobs: { type: 'string', default: '20' },
  },
});
const say = (text) => process.stderr.write(`${text}\n`);
const out = (text) => process.stdout.write(`${text}\n`);

const EMPTY = `const { app, BrowserWindow } = require('electron');
app.setPath('userData', process.env.EMPTY_PROFILE);
app.whenReady().then(() => {
  const window = new BrowserWindow({ width: 1280, height: 800, show: false });
  window.once('ready-to-show', () => window.show());
  window.loadFile(require('node:path').join(__dirname, 'index.html'));
});
`;

const folder = await mkdtemp(join(tmpdir(), 'trainyard-bench-start-'));
const display = process.platform === 'linux' ? await startDisplay() : null;
try {
  const runtime = await electronRuntime({ say });
  const empty = join(folder, 'empty');
  const home = join(folder, 'home');
  for (const path of [empty, join(folder, 'user'), join(folder, 'profile')])
    await mkdir(path, { recursive: true });
  await writeFile(
    join(empty, 'package.json'),
    '{"name":"empty","version":"1.0.0","main":"main.cjs"}',
  );
  await writeFile(join(empty, 'main.cjs'), EMPTY);
  await writeFile(
    join(empty, 'index.html'),
    '<!doctype html><meta charset="utf-8"><title>Empty</title><p id="text">A window.</p>',
  );
  const { writeManyRuns } = await import('../../test/e2e/support/runs.ts');
  await writeManyRuns(home, Number(values.jobs));

  const env = {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    HOME: join(folder, 'user'),
    XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR,
    DISPLAY: display?.display ?? process.env.DISPLAY,
    TRAINYARD_HOME: home,
    EMPTY_PROFILE: join(folder, 'profile'),
  };
  const options = [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-gpu'];
  const start = (application, usable) =>
    timeToScreen({ executable: runtime.executable, args: [...options, application], env, usable });
  const programs = {
    empty: () => start(empty, "document.querySelector('#text') !== null"),
    trainyard: () =>
      start(
        root,
        "document.querySelector('.rail') !== null && document.querySelector('tr[data-job]') !== null",
      ),
  };
  const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
  const rounded = ({ page, screen }) =>
    `page ${Math.round(page)} ms, screen ${Math.round(screen)} ms`;

  for (const [name, run] of Object.entries(programs))
    say(`${name}, first start: ${rounded(await run())}`);
  const times = { empty: [], trainyard: [] };
  for (let round = 1; round <= Number(values.rounds); round += 1)
    for (const [name, run] of Object.entries(programs)) {
      const time = await run();
      times[name].push(time.screen);
      say(`${name}, round ${round}: ${rounded(time)}`);
    }
  const [ours, theirs] = [median(times.trainyard), median(times.empty)];
  out(
    `Electron ${runtime.version} (${runtime.kind}); load ${loadavg()
      .map((each) => each.toFixed(1))
      .join(' ')}`,
  );
  out(`empty window  ${Math.round(theirs)} ms (median of ${values.rounds}; ${range(times.empty)})`);
  out(
    `Trainyard     ${Math.round(ours)} ms (median of ${values.rounds}; ${range(times.trainyard)})`,
  );
  out(`ratio         ${(ours / theirs).toFixed(2)}`);
} finally {
  await display?.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

function range(numbers) {
  return `${Math.round(Math.min(...numbers))} to ${Math.round(Math.max(...numbers))}`;
}
