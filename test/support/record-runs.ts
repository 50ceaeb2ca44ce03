/**
 * Records what a version of Trainyard leaves in its home: `node test/support/record-runs.ts NAME` writes `test/fixtures/runs/NAME`, with a run of each
 * kind and each end, made by the built programs. To be run once before a format changes; `test/main/jobs/recorded-runs.test.ts` reads all of them.
 * What is recorded as running was copied while its agent lived.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Storage } from '@google-cloud/storage';
import { parseJobFile } from '../../src/main/jobs/job-file.ts';
import { openServices, type Services } from '../../src/main/services.ts';
import type { Result } from '../../src/shared/problem.ts';
import type { JobView } from '../../src/shared/views.ts';
import { emailOf, startEmulator } from '../emulator/start.ts';
import { splitAddress } from './jupyter.ts';
import { AGENT_FOLDER, ROOT } from './programs.ts';
import { makeQuickVault } from './quick-vault.ts';

/** Stands in the recorded files; the test that reads them puts its own folder there. */
const BASE = '/tmp/trainyard-recorded';
const EMULATOR_PORT = '47811';

const name = process.argv[2];
if (name === undefined || !/^[A-Za-z0-9._-]+$/.test(name))
  throw new Error('Say what the recording is called: node test/support/record-runs.ts 0.1.0');
const into = path.join(ROOT, 'test/fixtures/runs', name);
if (existsSync(into)) throw new Error(`${into} is there already: a recording is made once.`);

function valueOf<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(`${result.problem.code}: ${result.problem.message}`);
}

async function until(
  services: Services,
  id: string,
  is: (view: JobView) => boolean,
): Promise<JobView> {
  for (const end = Date.now() + 60_000; ;) {
    const view = valueOf(await services.jobs.get(id));
    if (is(view)) return view;
    if (Date.now() > end) throw new Error(`${id} is still ${view.state}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const over = ({ state, agent }: JobView): boolean =>
  agent === null && ['finished', 'failed', 'stopped'].includes(state);

await rm(BASE, { recursive: true, force: true });
const home = path.join(BASE, 'home');
await mkdir(path.join(BASE, 'code'), { recursive: true });
await writeFile(path.join(BASE, 'code/train.sh'), 'echo training; cat data/*.txt\n');
await mkdir(path.join(BASE, 'up'));
await writeFile(path.join(BASE, 'up/one.txt'), 'one\n');
await writeFile(path.join(BASE, 'passphrase'), 'x\n', { mode: 0o600 });
await makeQuickVault(home, 'x');

const trainer = emailOf('trainer');
const google = await startEmulator({
  ownProcess: true,
  accounts: [{ name: 'trainer' }],
  admins: [emailOf('admin')],
  grants: [
    `${trainer}=roles/storage.objectViewer@input-data-bucket`,
    `${trainer}=roles/storage.objectCreator@artifacts-bucket`,
  ],
  flags: ['--port', EMULATOR_PORT, '--open'],
});
const storage = new Storage({ apiEndpoint: google.url, projectId: 'demo-project' });
for (const bucket of ['input-data-bucket', 'artifacts-bucket']) await storage.createBucket(bucket);
for (const object of ['data/a.txt', 'data/deep/b.txt'])
  await storage
    .bucket('input-data-bucket')
    .file(object)
    .save(`content of ${object}\n`, { resumable: false });

const services = valueOf(
  await openServices({
    env: {
      ...process.env,
      ...google.environment,
      HOME: BASE,
      TRAINYARD_HOME: home,
      TRAINYARD_VAULT: 'passphrase',
      TRAINYARD_PASSPHRASE_FILE: path.join(BASE, 'passphrase'),
    },
    version: name,
    agentFolder: AGENT_FOLDER,
    nodeRuntime: process.execPath,
  }),
);
valueOf(await services.keys.add(google.keyFiles['trainer'] ?? ''));

interface Recorded {
  readonly id: string;
  readonly kind: string;
  readonly end: string;
  /** As this version saw it when it was copied. */
  readonly view: JobView;
}
const recorded: Recorded[] = [];

const copy = async (kind: string, end: string, view: JobView): Promise<void> => {
  await cp(view.runDirectory, path.join(into, 'runs', view.id), {
    recursive: true,
    verbatimSymlinks: true,
    // No secret is recorded, and no room that is only kept free.
    filter: (source) =>
      !source.startsWith(path.join(view.runDirectory, 'private/')) &&
      source !== path.join(view.runDirectory, 'control/reserve'),
  });
  recorded.push({ id: view.id, kind, end, view });
};

/** What git does not keep. */
const emptyFolders = async (): Promise<string[]> => {
  const all = await readdir(into, { recursive: true, withFileTypes: true });
  const names = all.map((entry) => path.relative(into, path.join(entry.parentPath, entry.name)));
  const isEmpty = (name: string): boolean => !names.some((each) => each.startsWith(`${name}/`));
  return names.filter((name, index) => all[index]?.isDirectory() === true && isEmpty(name)).sort();
};

const submit = async (title: string, workers: readonly string[], more = ''): Promise<string> => {
  const file = path.join(BASE, 'job.yaml');
  const gcs =
    'input: { gcs: gs://input-data-bucket/data, key: trainer }\noutput: { gcs: gs://artifacts-bucket/results, key: trainer }\n';
  const text = `name: ${title}\nhost: local\ncode: { dir: ./code }\nenv: { EPOCHS: "3" }\nworkers: ${JSON.stringify(workers)}\n${gcs}${more}`;
  const spec = valueOf(parseJobFile(text, { path: file }));
  return valueOf(await services.jobs.submit(spec, { baseFolder: BASE })).id;
};

const OUT = 'sh train.sh; echo $EPOCHS > "$TRAINYARD_OUTPUT_PATH/model.txt"';
for (const [kind, more] of [
  ['training', []],
  ['sweep', [OUT, OUT]],
] as const) {
  const ended = await submit(`${kind}-finished`, [OUT, ...more], 'setup: echo prepared\n');
  await copy(kind, 'finished', await until(services, ended, over));
  const failed = await submit(`${kind}-failed`, [...more, `${OUT}; exit 3`]);
  await copy(kind, 'failed', await until(services, failed, over));
  const runs = await submit(`${kind}-running`, [...more, `${OUT}; sleep 60`]);
  const started = ({ workers }: JobView): boolean =>
    workers.at(-1)?.state === 'running' &&
    workers.slice(0, -1).every(({ endedAt }) => endedAt !== null);
  await copy(kind, 'running', await until(services, runs, started));
  valueOf(await services.jobs.stop(runs));
  await until(services, runs, over);
  const stopped = await submit(`${kind}-stopped`, [...more, `${OUT}; sleep 60`]);
  await until(services, stopped, started);
  valueOf(await services.jobs.stop(stopped));
  await copy(kind, 'stopped', await until(services, stopped, over));
}

/** As "Shut down" in Jupyter's own menu. */
const shutDown = async (url: string): Promise<void> => {
  const { origin, token } = splitAddress(url);
  const authorization = `token ${token}`;
  const answer = await fetch(`${origin}/api/shutdown`, {
    method: 'POST',
    headers: { authorization },
  });
  if (!answer.ok) throw new Error(`Jupyter did not shut down: ${String(answer.status)}`);
};

const notebook = async (title: string): Promise<string> => {
  const request = {
    name: title,
    host: 'local',
    code: path.join(BASE, 'code'),
    gpus: 0,
    key: null,
    mode: 'token',
    input: null,
    output: null,
  } as const;
  const { id } = valueOf(await services.jobs.submitNotebook(request, { baseFolder: BASE }));
  await until(services, id, ({ status }) => status.notebook !== null);
  return id;
};
for (const end of ['finished', 'failed', 'stopped', 'running'] as const) {
  const id = await notebook(`notebook-${end}`);
  const { url } = valueOf(await services.jobs.openNotebook(id));
  const [worker] = valueOf(await services.jobs.get(id)).workers;
  if (end === 'running') await copy('notebook', end, valueOf(await services.jobs.get(id)));
  if (end === 'finished') await shutDown(url);
  else if (end === 'failed') process.kill(-(worker?.pid ?? 0), 'SIGKILL');
  else valueOf(await services.jobs.stop(id));
  const view = await until(services, id, over);
  if (end !== 'running') await copy('notebook', end, view);
}

const download = async (bucket: string): Promise<string> =>
  valueOf(
    await services.jobs.submitTransfer({
      host: 'local',
      direction: 'download',
      key: 'trainer',
      bucket,
      target: { kind: 'folder', prefix: 'data/' },
      folder: path.join(BASE, 'fetched'),
    }),
  ).id;
await copy(
  'transfer',
  'finished',
  await until(services, await download('input-data-bucket'), over),
);
await copy('transfer', 'failed', await until(services, await download('no-such-bucket'), over));
await rm(path.join(BASE, 'fetched'), { recursive: true });
await google.setFaults([{ operation: 'media', fault: { kind: 'stall', milliseconds: 60_000 } }]);
for (const end of ['running', 'stopped'] as const) {
  const id = await download('input-data-bucket');
  const staging = await until(services, id, ({ state }) => state === 'staging');
  if (end === 'running') await copy('transfer', end, staging);
  valueOf(await services.jobs.stop(id));
  const view = await until(services, id, over);
  if (end === 'stopped') await copy('transfer', end, view);
}

await services.close();
await google.stop();
await writeFile(
  path.join(into, 'recorded.json'),
  `${JSON.stringify({ base: BASE, emulator: google.url, runs: recorded, folders: await emptyFolders() }, null, 2)}\n`,
);
await rm(BASE, { recursive: true, force: true });
process.stdout.write(`${recorded.length} runs are in ${into}.\n`);
