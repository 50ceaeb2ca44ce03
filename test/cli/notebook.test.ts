import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { JobSpec } from '../../src/shared/job-spec.ts';
import type { JobView } from '../../src/shared/views.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { noJupyter, openKernel, startKernel } from '../support/jupyter.ts';
import { makeHome, type TestHome } from './harness.ts';
import { mintFor } from './mint.ts';

const trainer = emailOf('trainer');
let google: RunningEmulator;
let home: TestHome;
beforeAll(async () => {
  google = await startEmulator({
    accounts: [{ name: 'trainer' }, { name: 'setup' }],
    admins: [emailOf('setup')],
    grants: [`${trainer}=roles/storage.objectAdmin@bucket`],
  });
  home = await makeHome(google.environment);
  const headers = {
    authorization: `Bearer ${await mintFor(google, 'setup')}`,
    'content-type': 'application/json',
  };
  for (const [address, body] of [
    ['/storage/v1/b?project=demo-project', JSON.stringify({ name: 'bucket' })],
    ['/upload/storage/v1/b/bucket/o?uploadType=media&name=data%2Fone.txt', 'one'],
  ] as const) {
    const answer = await fetch(`${google.url}${address}`, { method: 'POST', headers, body });
    expect(answer.status).toBe(200);
  }
  await home.json(['keys', 'add', google.keyFiles['trainer'] ?? '', '--name', 'lab']);
}, 60_000);
afterAll(async () => {
  await home.remove();
  await google.stop();
}, 60_000);

const NOTEBOOK = JSON.stringify({
  cells: [
    {
      cell_type: 'code',
      execution_count: null,
      metadata: {},
      outputs: [],
      source: [
        'import os\n',
        "text = open(os.environ['TRAINYARD_DATA_PATH'] + '/one.txt').read()\n",
        "open(os.environ['TRAINYARD_OUTPUT_PATH'] + '/result.txt', 'w').write(text * 2)",
      ],
    },
  ],
  metadata: { kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' } },
  nbformat: 4,
  nbformat_minor: 4,
});

test.skipIf(noJupyter !== null)(
  `a notebook is started, found again after its agent was killed, stopped and uploaded, and made a job that runs its file (${noJupyter ?? 'a real Jupyter'})`,
  async () => {
    const code = path.join(home.folder, 'code');
    await mkdir(code);
    await writeFile(path.join(code, "it's mine.ipynb"), NOTEBOOK);
    const { id, url } = await home.json<{ id: string; url: string }>([
      'notebook',
      ...['--name', 'looking', '--key', 'lab', '--input', 'gs://bucket/data/'],
      ...['--output', 'gs://bucket/results', '--code', 'code'],
    ]);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/(tree|lab)\?token=[0-9a-f]{64}$/);
    const running = await home.job(id);
    expect(running).toMatchObject({ kind: 'notebook', state: 'running' });

    const kernel = await startKernel(url);
    await kernel.execute('kept = 1');
    process.kill(running.agent!.pid, 'SIGKILL');
    await home.until(id, ({ state }) => state === 'interrupted');
    expect((await home.run(['retry', id, '--detach'])).status).toBe(0);
    await home.until(id, ({ status }) => status.notebook !== null && status.attempt === 2);
    expect(await home.json(['notebook', 'open', id])).toEqual({ id, url });
    await openKernel(url, kernel.id).execute(
      "import os; open(os.environ['TRAINYARD_OUTPUT_PATH'] + '/kept.txt', 'w').write(str(kept))",
    );

    expect(await home.json<JobView>(['stop', id])).toMatchObject({ state: 'finished' });
    const listed = await home.json<{ name: string }[]>([
      ...['ls', `gs://bucket/results/looking/${id}/`, '--key', 'lab', '--recursive'],
    ]);
    expect(listed.map(({ name }) => name.split('/').slice(3).join('/'))).toEqual([
      'manifest.json',
      'worker-0/kept.txt',
    ]);
    const late = await home.run(['notebook', 'open', id]);
    expect(late).toMatchObject({ status: 2, stdout: '' });
    expect(late.stderr).toContain(
      `trainyard notebook --code ${running.runDirectory}/workers/0/code`,
    );

    const made = await home.run(['notebook', 'job', id]);
    expect(made).toMatchObject({ status: 0 });
    const spec = parse(made.stdout) as JobSpec;
    expect(spec).toMatchObject({
      kind: 'training',
      code: { dir: `${running.runDirectory}/workers/0/code` },
      workerKeys: [{ key: 'lab', mode: 'token' }],
    });
    expect(spec.workers[0]).toContain(
      `--output-dir "$TRAINYARD_OUTPUT_PATH" 'it'\\''s mine.ipynb'`,
    );
    const again = await home.json<JobView>(['run', await home.file('job.yaml', made.stdout)]);
    expect(again).toMatchObject({ kind: 'training', state: 'finished' });
    const output = path.join(again.runDirectory, 'output/worker-0');
    expect(await readFile(path.join(output, 'result.txt'), 'utf8')).toBe('oneone');
    expect(await readFile(path.join(output, "it's mine.ipynb"), 'utf8')).toContain(
      '"execution_count": 1',
    );

    for (const [args, words] of [
      [['notebook', 'open', again.id], 'is no notebook'],
      [['notebook', 'job', id, '--file', '../../../plan.json'], "is not a file of the notebook's"],
      [['notebook', '--mode', 'key-file'], 'there is no --key'],
      [['notebook', '--key', 'lab'], 'reach the input and output of the job'],
      [['notebook', '--name', 'a b'], 'letters, digits'],
    ] as const) {
      const refused = await home.run(args);
      expect(refused.status, refused.stderr).toBe(2);
      expect(refused.stderr).toContain(words);
    }
  },
  300_000,
);
