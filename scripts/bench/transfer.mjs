// Compares Trainyard's transfers with rclone's and gcloud's, where they are there, against one emulator in one run: many small files, one
// large file, both ways. `npm run bench:transfer [-- --files 2000 --megabytes 1024 --rounds 2 --without gcloud]`.
// Times are wall seconds, the best of the rounds; the ratio is the other's time by ours, so above 1 we are faster. The emulator shares the
// machine and is a good part of every time: the ratios say less than a network would show, and nothing of Google's own speed.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { build } from 'esbuild';
import { inEnglishAlone, nativeChecksumFile, requireBanner } from '../lib/build-agent.mjs';

const run = promisify(execFile);

/** Ours as it is shipped: bundled, with the native checksum beside it. */
async function buildOne(into) {
  await build({
    entryPoints: [join(root, 'scripts/bench/one-transfer.mjs')],
    outdir: into,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: requireBanner,
    external: ['@node-rs/crc32'],
    plugins: [inEnglishAlone],
    logLevel: 'error',
  });
  const checksum = nativeChecksumFile();
  if (checksum !== null) copyFileSync(checksum, join(into, 'crc32c.node'));
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '2000' },
    megabytes: { type: 'string', default: '1024' },
    rounds: { type: 'string', default: '2' },
    without: { type: 'string', multiple: true, default: [] },
  },
});

const folder = await mkdtemp(join(tmpdir(), 'trainyard-bench-'));
const own = join(folder, 'own');
await buildOne(own);
const emulator = spawn(
  process.execPath,
  [join(root, 'src/emulator/main.ts'), '--open', '--dir', join(folder, 'bucket')],
  {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  },
);
const emulatorEnded = once(emulator, 'exit');
let printed = '';
for await (const part of emulator.stdout) {
  printed += part;
  if (printed.split('\n').length > 4) break;
}
const environment = Object.fromEntries(
  [...printed.matchAll(/^export ([A-Z_]+)=(\S+)$/gm)].map(([, name, value]) => [name, value]),
);
const url = environment.STORAGE_EMULATOR_HOST;
const env = { ...process.env, ...environment };
const say = (text) => process.stderr.write(`${text}\n`);

const there = async (program) => {
  if (values.without.includes(program)) return false;
  return run(program, ['version'], { env }).then(
    () => true,
    () => false,
  );
};

let counter = 0;
const fresh = (name) => join(folder, `${name}-${(counter += 1)}`);

const rcloneOptions = [
  '--config',
  '/dev/null',
  '--gcs-anonymous',
  '--gcs-endpoint',
  `${url}/storage/v1/`,
];
const rcloneEnvironment = { ...process.env };
for (const name of Object.keys(environment)) delete rcloneEnvironment[name];
const gcloudEnvironment = {
  ...rcloneEnvironment,
  CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `${url}/storage/v1/`,
  CLOUDSDK_AUTH_DISABLE_CREDENTIALS: 'true',
  CLOUDSDK_CONFIG: join(folder, 'gcloud'),
  CLOUDSDK_CORE_PROJECT: 'p',
  CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
};
const most = { maxBuffer: 1 << 26 };
let memory = 0;

/** How each copies a folder: `down` into a new one, `up` below a new prefix. */
const clients = {
  async trainyard(direction, local, prefix) {
    const order = JSON.stringify({
      direction,
      folder: local,
      prefix,
      journal: direction === 'down' ? fresh('journal') : fresh('journal.jsonl'),
    });
    const { stdout } = await run(process.execPath, [join(own, 'one-transfer.mjs'), order], {
      env,
      ...most,
    });
    memory = Math.max(memory, Number(stdout));
  },
  async rclone(direction, local, prefix) {
    const remote = `:gcs:bench-bucket/${prefix}`;
    const way = direction === 'down' ? [remote, local] : [local, remote];
    const streams = ['--transfers', '16', '--checkers', '16'];
    await run('rclone', [...rcloneOptions, ...streams, 'copy', ...way], {
      env: rcloneEnvironment,
      ...most,
    });
  },
  async gcloud(direction, local, prefix) {
    await mkdir(local, { recursive: true });
    const remote = `gs://bench-bucket/${prefix}`;
    const way = direction === 'down' ? [`${remote}*`, local] : [`${local}/*`, remote];
    await run('gcloud', ['storage', 'cp', '-r', ...way], { env: gcloudEnvironment, ...most });
  },
};

async function digest(path) {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part);
  return hash.digest('hex');
}

try {
  const answer = await fetch(`${url}/storage/v1/b?project=p`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'bench-bucket' }),
  });
  if (!answer.ok) throw new Error(`The emulator made no bucket: ${answer.status}`);
  const files = Number(values.files);
  const megabytes = Number(values.megabytes);
  const small = join(folder, 'small');
  const large = join(folder, 'large');
  await mkdir(small);
  await mkdir(large);
  for (let index = 0; index < files; index += 1)
    await writeFile(join(small, `${index}.bin`), randomBytes(100_000));
  const handle = await open(join(large, 'one.bin'), 'w');
  for (let index = 0; index < megabytes; index += 1) await handle.write(randomBytes(1 << 20));
  await handle.close();
  const wanted = [await digest(join(small, '0.bin')), await digest(join(large, 'one.bin'))];

  const present = [];
  for (const name of Object.keys(clients))
    if (name === 'trainyard' || (await there(name))) present.push(name);
  const workloads = [
    { name: `${files} x 100 KB`, source: small, prefix: 'small/', probe: '0.bin', sum: wanted[0] },
    { name: `${megabytes} MiB`, source: large, prefix: 'large/', probe: 'one.bin', sum: wanted[1] },
  ];
  const rows = [];
  for (const { name, source, prefix, probe, sum } of workloads)
    for (const direction of ['up', 'down']) {
      const best = {};
      for (let round = 1; round <= Number(values.rounds); round += 1)
        for (const client of present) {
          const first = direction === 'up' && round === 1 && client === 'trainyard';
          const target =
            first || direction === 'down' ? prefix : `${fresh('up').slice(folder.length + 1)}/`;
          const local = direction === 'down' ? fresh('down') : source;
          const started = performance.now();
          await clients[client](direction, local, target);
          const seconds = (performance.now() - started) / 1000;
          best[client] = Math.min(best[client] ?? Infinity, seconds);
          say(`${name} ${direction} ${client} round ${round}: ${seconds.toFixed(2)} s`);
          if (direction === 'down') {
            if ((await digest(join(local, probe))) !== sum)
              throw new Error(`${client} brought other bytes`);
            await rm(local, { recursive: true });
          } else if (!first) {
            const { stdout } = await run('rclone', [...rcloneOptions, 'version'], {
              env: rcloneEnvironment,
            }).catch(() => ({ stdout: '' }));
            if (stdout !== '')
              await run('rclone', [...rcloneOptions, 'purge', `:gcs:bench-bucket/${target}`], {
                env: rcloneEnvironment,
                ...most,
              }).catch(() => undefined);
          }
        }
      rows.push({ name: `${name} ${direction}`, best, memory });
      memory = 0;
    }
  const cell = (text, width) => String(text).padEnd(width);
  const out = (text) => process.stdout.write(`${text}\n`);
  out(`${cell('', 22)}${present.map((name) => cell(name, 20)).join('')}most memory of trainyard`);
  for (const { name, best, memory: peak } of rows)
    out(
      `${cell(name, 22)}${present
        .map((client) => {
          const ratio =
            client === 'trainyard' ? '' : ` (x${(best[client] / best.trainyard).toFixed(2)})`;
          return cell(`${best[client].toFixed(2)} s${ratio}`, 20);
        })
        .join('')}${(peak / 1024).toFixed(0)} MiB`,
    );
} finally {
  emulator.kill('SIGTERM');
  await emulatorEnded;
  await rm(folder, { recursive: true, force: true });
}
