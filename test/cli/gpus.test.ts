import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { placeMachine } from '../support/machine.ts';
import { makeHome, type TestHome } from './harness.ts';

let home: TestHome;
let machine: string;
let uuids: readonly string[];
beforeAll(async () => {
  home = await makeHome();
  await mkdir(path.join(home.folder, 'code'));
  machine = path.join(home.folder, 'machine');
  placeMachine(machine, 'two-cards');
  uuids = [...(await readFile(path.join(machine, 'query.csv'), 'utf8')).matchAll(/GPU-[^,]+/g)].map(
    ([uuid]) => uuid,
  );
  // Where only the login shell finds it.
  const fake = path.resolve(import.meta.dirname, '../fixtures/fake-nvidia-smi');
  await writeFile(
    path.join(home.folder, '.profile'),
    `export PATH="$PATH:${fake}"\nexport FAKE_NVIDIA_SMI="${machine}"\n`,
  );
  Object.assign(home.env, { FAKE_NVIDIA_SMI: machine });
});
afterAll(() => home.remove());

/** What a worker sees of its cards. */
const seen = async (
  fields: string,
  flags: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<string> => {
  const file = await home.file(
    'job.yaml',
    `name: cards\nhost: local\ncode: { dir: code }\nresources: { ${fields} }\nworkers:\n  - echo "saw $CUDA_VISIBLE_DEVICES, $TRAINYARD_GPU_INDEXES, $CUDA_DEVICE_ORDER" \n`,
  );
  const { id } = await home.json<{ readonly id: string }>(['run', file, ...flags], env);
  return (await readFile(path.join(home.home, 'runs', id, 'logs/worker-0.log'), 'utf8')).trim();
};

test('the shell that submits and the setting say which cards; programs that want numbers get them; a busy card is used on request', async () => {
  expect(await seen('gpus: 1', [], { CUDA_VISIBLE_DEVICES: '1' })).toBe(`saw ${uuids[1]}, 1,`);
  expect(await home.json(['hosts', 'gpus', 'local', '1'])).toEqual({
    host: 'local',
    only: [uuids[1]],
  });
  // Somebody computes on the only one that is left.
  await writeFile(path.join(machine, 'processes.csv'), `${uuids[1]}, 4711\n`);
  expect(await seen('gpus: 1, gpuIds: index', ['--use-busy-gpus'])).toBe('saw 1, 1, PCI_BUS_ID');
  const refused = await home.run(['run', path.join(home.folder, 'job.yaml')], {
    CUDA_VISIBLE_DEVICES: '0',
  });
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toContain('Trainyard may use none of its cards');
  expect((await home.run(['hosts', 'gpus', 'local', '0,7'])).stderr).toContain('"7" is no GPU');
  expect((await home.run(['hosts', 'gpus', 'local', 'all'])).stdout).toBe(
    'Jobs may be given every GPU.\n',
  );
}, 60_000);
