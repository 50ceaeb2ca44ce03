import { expect, test } from 'vitest';
import { chooseGpus, NO_RULES, refuseGpus } from '../../../src/main/jobs/choose-gpus.ts';
import type { HostProbe } from '../../../src/shared/agent-protocol.ts';
import type { Gpu } from '../../../src/shared/gpu.ts';

const gpu = (index: number, uuid: string): Gpu => ({
  uuid,
  index,
  name: 'NVIDIA A100',
  memoryTotal: 1,
  memoryUsed: 0,
  utilization: 0,
  temperature: 1,
  power: 1,
  processes: [],
});
const CARDS = [gpu(0, 'GPU-a0'), gpu(1, 'GPU-b1'), gpu(2, 'GPU-c2')];
const wants = (gpus: number) => ({ host: 'local', resources: { gpus }, workers: ['true'] });
const probe = (gpus: readonly Gpu[]) =>
  ({ gpus: { kind: 'gpus', driver: '1', gpus } }) as unknown as HostProbe;

test('a job chooses of what the shell shows and the setting allows, in the order of the shell', () => {
  expect(chooseGpus(NO_RULES, CARDS)).toEqual({ only: null, warnings: [] });
  const setting = ['GPU-b1', 'GPU-a0'];
  expect(chooseGpus({ ...NO_RULES, setting }, CARDS).only).toEqual(['GPU-a0', 'GPU-b1']);
  expect(chooseGpus({ ...NO_RULES, setting, visible: '2,1,0' }, CARDS).only).toEqual([
    'GPU-b1',
    'GPU-a0',
  ]);
  expect(chooseGpus({ ...NO_RULES, visible: '' }, CARDS)).toEqual({ only: [], warnings: [] });
  expect(chooseGpus({ ...NO_RULES, visible: '-1' }, CARDS).warnings).toEqual([]);
  const { only, warnings } = chooseGpus({ ...NO_RULES, visible: '1,7,0' }, CARDS);
  expect(only).toEqual(['GPU-b1']);
  expect(warnings.map(({ message }) => message)).toEqual([
    'CUDA_VISIBLE_DEVICES is "1,7,0", and "7" is no card of this machine: it and what follows are left out, as CUDA does.',
  ]);
});

test('a job that asks for more than it may choose of is refused with what hides the rest', () => {
  const rules = { ...NO_RULES, visible: '1' };
  expect(refuseGpus(wants(1), probe(CARDS), rules)).toBeNull();
  expect(refuseGpus(wants(2), probe(CARDS), rules)?.message).toBe(
    'The job asks for 2 GPUs; this machine has 1 GPU: NVIDIA A100. Trainyard may use only 1 of its 3 cards for this job (CUDA_VISIBLE_DEVICES, or the setting of the machine). CUDA_VISIBLE_DEVICES is "1" where the job is started.',
  );
  expect(refuseGpus(wants(1), probe(CARDS), { ...NO_RULES, visible: '' })?.message).toContain(
    'Trainyard may use none of its cards',
  );
  const parts = [gpu(0, 'MIG-1'), gpu(0, 'MIG-2')];
  expect(refuseGpus(wants(1), probe(parts))).toBeNull();
  expect(refuseGpus(wants(2), probe(parts))?.message).toContain('A MIG instance is not counted');
});
