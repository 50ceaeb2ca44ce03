// `npm run soak [-- --kills 200 --seed N --faults 0.05 --minutes 40 --no-window]`: small real jobs whose processes are killed at random
// moments, and whose ends are compared with that of an undisturbed one. Where there is an Electron, the application is open on the same home,
// starts and follows some of the jobs, and is killed too. Exit status 0 when every job ended as promised, 1 when not.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startDisplay } from './lib/display.mjs';
import { bundledNode } from './lib/root.mjs';
import { electronRuntime } from './test-runtime.mjs';

if (Number(process.versions.node.split('.')[0]) < 24) {
  const node = bundledNode();
  if (node === null) {
    process.stderr.write('The soak needs Node.js 24.\n');
    process.exit(2);
  }
  const self = fileURLToPath(import.meta.url);
  const done = spawnSync(node, [self, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exit(done.status ?? 1);
}

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string' },
    faults: { type: 'string', default: '0' },
    minutes: { type: 'string', default: '40' },
    'no-window': { type: 'boolean', default: false },
  },
});
const number = (name, least, most) => {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value >= least && value <= most) return value;
  process.stderr.write(`--${name} must be a number from ${least} to ${most}.\n`);
  process.exit(2);
};
const options = {
  kills: number('kills', 1, 100_000),
  seed: values.seed === undefined ? randomInt(2 ** 31) : number('seed', 0, 2 ** 32 - 1),
  faults: number('faults', 0, 0.5),
  minutes: number('minutes', 1, 10_000),
  say: (line) => process.stdout.write(`${line}\n`),
};
process.stdout.write(`seed ${options.seed}\n`);

/** The Electron and the display for the application; null, and said why, where there is none. */
async function prepareWindow() {
  if (values['no-window']) return null;
  try {
    const { executable, version, kind } = await electronRuntime({ say: options.say });
    options.say(`The application runs in Electron ${version} (${kind}).`);
    if (process.platform !== 'linux') return { executable, display: '', stop: async () => {} };
    return { executable, ...(await startDisplay()) };
  } catch (error) {
    options.say(`The application is left out. ${error.message}`);
    return null;
  }
}

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    options.say('It ends after this job.');
    stopping.abort();
  });
const { soak, byVictim } = await import('../test/soak/soak.ts');
const window = await prepareWindow();
const { jobs, kills, faults, wrong, seconds } = await soak({
  ...options,
  signal: stopping.signal,
  ...(window === null ? {} : { window }),
}).finally(() => window?.stop());
process.stdout.write(
  `\nseed ${options.seed}: ${kills.length} kills (${byVictim(kills)}) and ${faults} faults in ${jobs} jobs, ${Math.round(seconds)} s; ${wrong.length} wrong\n${wrong.map((line) => `  ${line}\n`).join('')}`,
);
if (kills.length < options.kills)
  process.stdout.write(`The time was up before ${options.kills} kills.\n`);
process.exit(wrong.length > 0 ? 1 : 0);
