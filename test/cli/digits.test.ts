import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const example = fileURLToPath(new URL('../../examples/digits', import.meta.url));

let folder: string;
let code: string;
const train = (output: string, ...args: string[]) =>
  run(process.execPath, ['train.js', ...args], {
    cwd: code,
    env: {
      ...process.env,
      TRAINYARD_DATA_PATH: path.join(folder, 'data'),
      TRAINYARD_OUTPUT_PATH: path.join(folder, output),
      TRAINYARD_CHECKPOINT_PATH: path.join(folder, `${output}-checkpoints`),
    },
  });
const metrics = async (output: string) =>
  JSON.parse(await readFile(path.join(folder, output, 'metrics.json'), 'utf8')) as {
    accuracy: number;
    labels: string;
    heldOut: number;
    history: { loss: number }[];
  };

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'trainyard-digits-'));
  // Outside the repository, as a run has it: nothing of ours may be needed.
  code = path.join(folder, 'code');
  await cp(example, code, { recursive: true, filter: (file) => !file.endsWith('/data') });
  await run(process.execPath, [
    path.join(code, 'make-data.js'),
    path.join(folder, 'data'),
    '--unlabelled-mib',
    '2',
  ]);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('the example that trains', () => {
  it('learns: accuracy on held-out samples is high, the loss falls, and is shown with a bar', async () => {
    const { stdout } = await train('true', '--lr', '0.05');
    const found = await metrics('true');
    expect(found.heldOut).toBe(500);
    expect(found.accuracy).toBeGreaterThan(0.95);
    expect(found.history.at(-1)?.loss).toBeLessThan((found.history[0]?.loss ?? 0) / 4);
    expect(stdout).toContain('\r');
    expect(stdout).toMatch(/epoch 12\/12 \[#{30}\] loss 0\.\d+/);
  });

  it.each(['1', '2', '3'])('scores near chance on shuffled labels (seed %s)', async (seed) => {
    await train(`shuffled-${seed}`, '--shuffle-labels', '--seed', seed);
    const found = await metrics(`shuffled-${seed}`);
    expect(found.labels).toBe('shuffled');
    expect(found.accuracy).toBeGreaterThan(0.02);
    expect(found.accuracy).toBeLessThan(0.2);
  });

  it('goes on from its checkpoint and ends with the same model', async () => {
    await train('whole', '--epochs', '4');
    await train('parts', '--epochs', '4');
    const again = await train('parts', '--epochs', '4');
    expect(again.stdout).toContain('Goes on after epoch 4.');
    const model = (output: string) => readFile(path.join(folder, output, 'model.json'), 'utf8');
    expect(await model('parts')).toBe(await model('whole'));
  });
});
