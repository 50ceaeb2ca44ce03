import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobView } from '../../src/shared/views.ts';
import { makeHome, type TestHome } from './harness.ts';

let home: TestHome;
beforeAll(async () => {
  home = await makeHome();
});
afterAll(() => home.remove());

it('a job gets the Python environment of its terminal and what is exported there, a retry from elsewhere the same one; no value lies on the disk', async () => {
  const venv = path.join(home.folder, 'venv');
  await mkdir(path.join(venv, 'bin'), { recursive: true });
  await writeFile(path.join(venv, 'bin/python'), '#!/bin/sh\necho "python of $VIRTUAL_ENV"\n', {
    mode: 0o755,
  });
  await mkdir(path.join(home.folder, 'code'));
  const file = await home.file(
    'job.yaml',
    'name: venv\nhost: local\ncode: { dir: ./code }\nenv: { PATH: "/nowhere:$PATH" }\nworkers: [ "python; echo $SEED:$DISPLAY:${PATH%%:*}; exit ${SEED:-3}" ]\n',
  );
  const terminal = {
    PATH: `${venv}/bin:${home.env['PATH'] ?? ''}`,
    VIRTUAL_ENV: venv,
    SEED: '4',
    DISPLAY: ':7',
  };
  const ran = await home.run(['run', file, '--json'], terminal);
  const job = JSON.parse(ran.stdout) as JobView;
  expect(ran.stderr).toContain(
    `workers get python ${venv}/bin/python of the virtual environment ${venv}`,
  );
  const log = (): Promise<string> =>
    readFile(path.join(job.runDirectory, 'logs/worker-0.log'), 'utf8');
  expect(await log()).toBe(`python of ${venv}\n4::/nowhere\n`);
  // From elsewhere.
  const again = await home.run(['retry', job.id]);
  expect((await log()).endsWith(`python of ${venv}\n::/nowhere\n`)).toBe(true);
  expect(again.stderr).toMatch(/are not there any more: .*SEED/);
  for (const name of ['plan.json', 'events.jsonl'])
    expect(await readFile(path.join(job.runDirectory, name), 'utf8')).not.toContain('"4"');
});
