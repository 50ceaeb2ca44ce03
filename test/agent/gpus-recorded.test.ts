import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { assignGpus } from '../../src/agent/gpu/assign.ts';
import {
  brokenMessage,
  combine,
  parseCards,
  parseMigInstances,
  parseProcesses,
} from '../../src/agent/gpu/parse.ts';
import { hostProbeSchema } from '../../src/shared/agent-protocol.ts';
import { callAgent, FAKE_NVIDIA_SMI } from './harness.ts';

const CASES = path.resolve(import.meta.dirname, '../fixtures/nvidia-smi');
const recorded = (file: string): string => readFileSync(path.join(CASES, 'recorded', file), 'utf8');

describe('what nvidia-smi 535.261.03 printed on a machine without a card', () => {
  test('no driver', () => {
    expect(parseCards(recorded('driver-missing.txt'), true)).toEqual([]);
    expect(brokenMessage(recorded('driver-missing.txt'))).toBe(
      "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.",
    );
    expect(readFileSync(path.join(CASES, 'driver-missing/broken.txt'), 'utf8')).toBe(
      recorded('driver-missing.txt'),
    );
  });
  test('no NVML library', () => {
    expect(parseCards(recorded('library-missing.txt'), true)).toEqual([]);
    expect(brokenMessage(recorded('library-missing.txt'))).toMatch(
      /^NVIDIA-SMI couldn't find libnvidia-ml\.so library in your system\..* present in your system\.$/,
    );
  });
});

describe('what driver 580.159.04 answered on machines with a card', () => {
  const probeOf = async (name: string) => {
    const { code, stdout } = await callAgent(['probe', '/tmp'], {
      HOME: '/nonexistent',
      SHELL: '/bin/bash',
      PATH: `${FAKE_NVIDIA_SMI}:${process.env['PATH'] ?? ''}`,
      FAKE_NVIDIA_SMI: path.join(CASES, 'recorded', name),
    });
    expect(code).toBe(0);
    const { gpus } = hostProbeSchema.parse(JSON.parse(stdout));
    if (gpus.kind !== 'gpus') throw new Error(gpus.kind);
    expect(gpus.driver).toBe('580.159.04');
    expect(gpus.gpus).toHaveLength(1);
    return gpus.gpus;
  };
  test('nobody on it: it is free', async () => {
    const cards = await probeOf('h200-idle');
    expect(cards).toMatchObject([
      {
        index: 0,
        name: 'NVIDIA H200',
        memoryTotal: 143771,
        memoryUsed: 0,
        utilization: 0,
        temperature: 42,
        power: 79.21,
        processes: [],
      },
    ]);
    expect(assignGpus(cards, 1, new Set()).chosen).toHaveLength(1);
    expect(await probeOf('h100-idle')).toMatchObject([
      { name: 'NVIDIA H100 80GB HBM3', memoryTotal: 81559, processes: [] },
    ]);
  });
  test('a training on it: its process is seen, and the card is given to nobody else', async () => {
    const cards = await probeOf('h100-busy');
    expect(cards).toMatchObject([{ memoryUsed: 1827, utilization: 99, processes: [2042] }]);
    expect(assignGpus(cards, 1, new Set())).toEqual({ free: [], chosen: null });
    expect(await probeOf('h200-busy')).toMatchObject([
      { utilization: 100, power: 587.15, processes: [2021] },
    ]);
  });
});

/** Forms seen in outputs that others published; UUIDs, pids and values are made up. */
describe('forms of other machines', () => {
  const card = (values: string, mig: string, name: string): string =>
    `0, GPU-00000050-1f2e-4d3c-8b5a-987654321050, ${values}, 535.161.08, ${mig}, ${name}\n`;

  test('a card that requires a reset is given to no job', () => {
    const [broken, whole] = ['[GPU requires reset]', '31'].map(
      (value) =>
        parseCards(card(`24576, 0, 0, ${value}, 50.00`, '[N/A]', 'NVIDIA A100-SXM4-80GB'), true)[0]!
          .gpu,
    );
    expect(broken).toMatchObject({ needsReset: true });
    expect(whole!.needsReset).toBeUndefined();
    expect(assignGpus([broken!], 1, new Set()).chosen).toBeNull();
    expect(assignGpus([whole!], 1, new Set()).chosen).toHaveLength(1);
  });

  // https://github.com/Stability-AI/StableSwarmUI/issues/388 (2024-06-13)
  test('a MIG card seen from a container that may not read its memory', () => {
    const values = '[Insufficient Permissions], [Insufficient Permissions], [N/A], 47, 61.20';
    const cards = parseCards(card(values, 'Enabled', 'NVIDIA A100-SXM4-80GB'), true);
    expect(cards).toMatchObject([
      { gpu: { memoryTotal: null, memoryUsed: null, utilization: null, temperature: 47 } },
    ]);
    expect(combine(cards, [], new Map())).toMatchObject({ kind: 'gpus', gpus: [] });
  });

  // https://github.com/enkore/i3pystatus/pull/776 (2020-04-02) and /850 (2023-08-13: Unknown Error), https://github.com/HSF/prmon/pull/318 (2026-08-10: a vGPU),
  // https://github.com/Ricks-Lab/gpu-utils/issues/83 (driver 440.64: N/A without brackets); for the card that requires a reset there is no thread to name
  test.each([
    ['[Not Supported]', 'NVIDIA GeForce GT 710'],
    ['[N/A]', 'NVIDIA H100L-2-24C'],
    ['N/A', 'NVIDIA GeForce RTX 2080'],
    ['[Unknown Error]', 'NVIDIA H100L-2-24C'],
    ['[GPU requires reset]', 'NVIDIA A100-SXM4-80GB'],
  ])('%s is no number', (nothing, name) => {
    expect(
      parseCards(card(`24576, 0, 0, ${nothing}, ${nothing}`, '[N/A]', name), true),
    ).toMatchObject([
      { mig: false, gpu: { name, memoryTotal: 24576, temperature: null, power: null } },
    ]);
  });

  // https://github.com/influxdata/telegraf/issues/5812 (2023-08-04), https://github.com/NVIDIA/nvidia-container-toolkit/issues/203 (2024-01-08: both forms of a MIG UUID);
  // the profiles 1c.3g.40gb and 1g.10gb+me are named after NVIDIA's guide to MIG, and not after an output
  test('MIG instances of one card among whole ones, with UUIDs of new and old drivers', () => {
    const whole = 'GPU-00000051-1f2e-4d3c-8b5a-987654321051';
    const split = 'GPU-00000052-1f2e-4d3c-8b5a-987654321052';
    const list = `GPU 0: NVIDIA A100-SXM4-80GB (UUID: ${split})
  MIG 3g.40gb     Device  0: (UUID: MIG-${split}/1/0)
  MIG 1c.3g.40gb  Device  1: (UUID: MIG-00000053-aaaa-5bbb-8ccc-ddddddddddd3)
  MIG 1g.10gb+me  Device  2: (UUID: MIG-00000054-aaaa-5bbb-8ccc-ddddddddddd4)
GPU 1: NVIDIA A100-SXM4-80GB (UUID: ${whole})
`;
    const instances = parseMigInstances(list);
    expect(instances.map((each) => [each.card, each.uuid.slice(0, 12), each.profile])).toEqual([
      [split, 'MIG-GPU-0000', '3g.40gb'],
      [split, 'MIG-00000053', '1c.3g.40gb'],
      [split, 'MIG-00000054', '1g.10gb+me'],
    ]);
    const cards = parseCards(
      `0, ${split}, 81920, 26, [N/A], 30, 42.00, 520.61.05, Enabled, NVIDIA A100-SXM4-80GB
1, ${whole}, 81920, 0, 0, 38, 45.00, 520.61.05, Disabled, NVIDIA A100-SXM4-80GB
`,
      true,
    );
    const probe = combine(cards, instances, new Map());
    if (probe.kind !== 'gpus') throw new Error(probe.kind);
    expect(probe.gpus.map((gpu) => [gpu.index, gpu.memoryTotal])).toEqual([
      [0, 40960],
      [0, 40960],
      [0, 10240],
      [1, 81920],
    ]);
  });

  // https://github.com/NVIDIA/dcgm-exporter/issues/94 (2022-08-19: several lines a card, a header)
  test('processes: a header, several on one card, a pid that is not told', () => {
    const [one, two] = ['GPU-00000055-1f2e', 'GPU-00000056-1f2e'];
    const output = `gpu_uuid, pid\n${one}, 4711\n${two}, 4712\n${two}, 4713\n${two}, [N/A]\n`;
    expect([...parseProcesses(output)]).toEqual([
      [one, [4711]],
      [two, [4712, 4713]],
    ]);
  });

  // https://github.com/marian-nmt/marian/issues/251 (2019-02-27), https://github.com/meta-llama/llama-models/issues/200 (2024-10-27: no space after GPU),
  // https://github.com/CoHDI/composable-resource-operator/issues/37 (2026-04-07: an empty line follows)
  test.each([
    'Unable to determine the device handle for GPU 0000:03:00.0: GPU is lost.  Reboot the system to recover this GPU',
    'Unable to determine the device handle for GPU0000:17:00.0: Unknown Error',
    'Field "mig.mode.current" is not a valid field to query.',
    'Failed to initialize NVML: Unknown Error',
  ])('%s', (message) => {
    expect(brokenMessage(`${message}\n\n\n`)).toBe(message);
    expect(parseCards(`${message}\n\n`, true)).toEqual([]);
  });

  // https://github.com/NVIDIA/gpu-operator/issues/285 (2021-11-25), https://github.com/pytorch/pytorch/pull/87464 (2022-10-21)
  test('a corrupted infoROM is a warning: the card is there although the exit code is 14', async () => {
    const { code, stdout } = await callAgent(['probe', '/tmp'], {
      HOME: '/nonexistent',
      SHELL: '/bin/bash',
      PATH: `${FAKE_NVIDIA_SMI}:${process.env['PATH'] ?? ''}`,
      FAKE_NVIDIA_SMI: path.join(CASES, 'inforom'),
    });
    expect(code).toBe(0);
    expect(hostProbeSchema.parse(JSON.parse(stdout)).gpus).toMatchObject({
      kind: 'gpus',
      gpus: [{ name: 'Tesla P100-PCIE-16GB', processes: [4713] }],
    });
  });
});
