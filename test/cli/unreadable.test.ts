import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobView } from '../../src/shared/views.ts';
import { makeHome, type TestHome } from './harness.ts';

const ID = '20260101-120000-abcdef';

let home: TestHome;
beforeAll(async () => {
  home = await makeHome();
  const directory = path.join(home.home, 'runs', ID);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(path.join(directory, 'plan.json'), JSON.stringify({ format: 2, id: ID }));
}, 60_000);
afterAll(() => home.remove(), 60_000);

it('a run of a later format is called unreadable by list and job alike, and is left alone', async () => {
  const job = await home.job(ID);
  expect(job).toMatchObject({
    state: 'interrupted',
    unreadable: true,
    status: { problem: { code: 'input.run-format' } },
  });
  const [listed] = await home.json<JobView[]>(['jobs']);
  expect(job).toMatchObject(listed!);
  expect((await home.run(['jobs'])).stdout).toMatch(/abcdef .* unreadable/);
  const shown = await home.run(['job', ID]);
  expect(shown.stdout).toMatch(/State +unreadable/);
  expect(shown.stdout).not.toContain('pending');
  for (const verb of ['stop', 'retry', 'upload']) {
    const { status, stderr } = await home.run([verb, ID]);
    expect([verb, status]).toEqual([verb, 2]);
    expect(stderr).toContain('made by a later Trainyard (format 2; this one knows 1)');
    expect(stderr).toContain('Update this Trainyard');
  }
}, 60_000);
