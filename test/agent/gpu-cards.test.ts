import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { assignGpus } from '../../src/agent/gpu/assign.ts';
import { probeGpus } from '../../src/agent/gpu/nvidia-smi.ts';
import type { Gpu, GpuProbe } from '../../src/shared/gpu.ts';
import { whyFewer } from '../../src/shared/gpu-choice.ts';
import { FAKE_NVIDIA_SMI } from './harness.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'trainyard-cards-'));
  vi.stubEnv('PATH', `${FAKE_NVIDIA_SMI}:${process.env['PATH'] ?? ''}`);
  vi.stubEnv('FAKE_NVIDIA_SMI', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const uuidOf = (card: number): string => `GPU-0000009${card}-1f2e-4d3c-8b5a-98765432109${card}`;
const row = (card: number, values = '24576, 3, 0, 31, 25.10', mig = 'Disabled'): string =>
  `${card}, ${uuidOf(card)}, ${values}, 550.90.07, ${mig}, NVIDIA RTX A5000\n`;
const nameRow = (card: number): string => `GPU ${card}: NVIDIA RTX A5000 (UUID: ${uuidOf(card)})\n`;
/** One card in `nvidia-smi -q -x`, as driver 550 prints it, without the parts that nobody reads. */
const report = (card: number, inside: string): string =>
  `<gpu id="00000000:0${card}:00.0"><product_name>NVIDIA RTX A5000</product_name><uuid>${uuidOf(card)}</uuid>${inside}</gpu>\n`;
const running = (pid: number, type: string, name: string, instance = 'N/A'): string =>
  `<process_info><gpu_instance_id>${instance}</gpu_instance_id><compute_instance_id>N/A</compute_instance_id><pid>${pid}</pid><type>${type}</type><process_name>${name}</process_name><used_memory>300 MiB</used_memory></process_info>`;
const processes = (...all: string[]): string => `<processes>${all.join('')}</processes>`;

const LOST =
  'Unable to determine the device handle for GPU0000:01:00.0: GPU is lost.  Reboot the system to recover this GPU\n';

const probe = async (files: Record<string, string>): Promise<GpuProbe & { kind: 'gpus' }> => {
  const all = { 'list.txt': '', 'processes.csv': '', ...files };
  for (const [name, text] of Object.entries(all)) writeFileSync(path.join(folder, name), text);
  const found = await probeGpus(async () => undefined);
  if (found.kind !== 'gpus') throw new Error(JSON.stringify(found));
  return found;
};
const free = (gpus: readonly Gpu[]): readonly number[] =>
  assignGpus(gpus, 1, new Set()).free.map(({ index }) => index);
const wrapped = (...cards: string[]): string =>
  `<?xml version="1.0" ?>\n<nvidia_smi_log>\n<attached_gpus>${cards.length}</attached_gpus>\n${cards.join('')}</nvidia_smi_log>\n`;

describe('cards are judged one by one', () => {
  test('a lost card among others: theirs are taken from what came, and it is told', async () => {
    const found = await probe({
      'query.csv': row(0) + LOST + row(2),
      'exit-query': '15',
      'list.txt': nameRow(0) + LOST + nameRow(2),
      'exit-list': '15',
      // The list of processes ends with an error: it says nothing of the cards, until each is asked for.
      'processes.csv': LOST,
      'exit-processes': '15',
      [`processes-${uuidOf(0)}.csv`]: '',
      [`processes-${uuidOf(2)}.csv`]: `${uuidOf(2)}, 4711\n`,
    });
    expect(free(found.gpus)).toEqual([0]);
    expect(found.gpus[1]).toMatchObject({ index: 2, processes: [4711] });
    expect(found.lost).toEqual([
      'Unable to determine the device handle for GPU0000:01:00.0: GPU is lost. Reboot the system to recover this GPU',
    ]);
    expect(whyFewer(found, { each: 1, only: null })).toContain('GPU is lost');
  });

  test('an nvidia-smi that gives up over the lost card is asked for each of the others', async () => {
    const found = await probe({
      'query.csv': LOST,
      'exit-query': '15',
      'list.txt': nameRow(0) + LOST,
      'exit-list': '15',
      [`query-${uuidOf(0)}.csv`]: row(0),
    });
    expect(found.gpus.map(({ index }) => index)).toEqual([0]);
    expect(free(found.gpus)).toEqual([0]);
  });

  test('a card that the list has and no row came of is told', async () => {
    const found = await probe({ 'query.csv': row(0), 'list.txt': nameRow(0) + nameRow(1) });
    expect(found.lost).toEqual(['GPU 1 (NVIDIA RTX A5000) does not answer.']);
  });

  test.each([
    ['memory that is an error', '24576, [Unknown Error], 0, 31, 25.10', false],
    ['errors everywhere', '24576, 3, ERR!, ERR!, ERR!', false],
    ['a card that is lost', '24576, 3, [GPU is lost], 31, 25.10', false],
    ['a sensor that fails', '24576, 3, 0, 31, [Unknown Error]', true],
    ['what the card does not have', '[N/A], [N/A], [N/A], [Not Supported], [N/A]', true],
  ])('%s: %s is free: %s', async (_name, values, isFree) => {
    const found = await probe({ 'query.csv': row(0) + row(1, values) });
    expect(free(found.gpus)).toEqual(isFree ? [0, 1] : [0]);
  });
});

describe('free is what the driver shows to be free', () => {
  test.each([
    ['fails', { 'processes.csv': 'Unable to query\n', 'exit-processes': '1' }],
    ['is not supported', { 'processes.csv': '[Not Supported]\n' }],
    ['hides a process', { 'processes.csv': `${uuidOf(0)}, [Insufficient Permissions]\n` }],
  ])('a list of processes that %s is not an empty one', async (_how, files) => {
    const found = await probe({ 'query.csv': row(0), ...files });
    expect(free(found.gpus)).toEqual([]);
    expect(found.gpus[0]!.blocked).toMatchObject({ final: false });
    // Whoever says that they want the card although gets it.
    const although = { each: 1, only: null, useBusy: true };
    expect(assignGpus(found.gpus, 1, new Set(), although).chosen).toHaveLength(1);
  });

  test('memory that nobody is named for is somebody’s, unless a screen is there', async () => {
    const held = row(0, '24576, 20011, 0, 31, 25.10') + row(1, '24576, 20011, 0, 31, 25.10');
    const found = await probe({
      'query.csv': held,
      'report.xml': wrapped(
        report(0, `<display_active>Disabled</display_active>${processes()}`),
        report(1, `<display_active>Enabled</display_active>${processes()}`),
      ),
    });
    expect(free(found.gpus)).toEqual([1]);
  });

  test('compute mode, resets and drains keep a card from every job; bad memory is told and comes last', async () => {
    const state = (inside: string): string => `${inside}${processes()}`;
    const found = await probe({
      'query.csv': [0, 1, 2, 3, 4].map((card) => row(card)).join(''),
      'report.xml': wrapped(
        report(
          0,
          state('<remapped_rows><remapped_row_pending>Yes</remapped_row_pending></remapped_rows>'),
        ),
        report(1, state('<compute_mode>Prohibited</compute_mode>')),
        report(2, state('<gpu_recovery_action>Drain P2P</gpu_recovery_action>')),
        report(
          3,
          state('<gpu_reset_status><reset_required>Yes</reset_required></gpu_reset_status>'),
        ),
        report(
          4,
          state(
            '<compute_mode>Default</compute_mode><gpu_recovery_action>None</gpu_recovery_action>',
          ),
        ),
      ),
    });
    expect(free(found.gpus)).toEqual([4, 0]);
    expect(found.gpus[0]!.remarks).toEqual(['has bad memory that only a reset takes out of use']);
    const although = { each: 1, only: null, useBusy: true };
    expect(assignGpus(found.gpus, 3, new Set(), although).chosen).toBeNull();
  });
});

describe('who is on a card', () => {
  test('a desktop does not make a card busy, though it is in the list of those that compute', async () => {
    const found = await probe({
      'query.csv': row(0, '24576, 1900, 7, 41, 30.00') + row(1),
      'processes.csv': `${uuidOf(0)}, 901\n${uuidOf(0)}, 902\n${uuidOf(1)}, 903\n`,
      'report.xml': wrapped(
        report(
          0,
          processes(
            running(900, 'G', '/usr/lib/xorg/Xorg'),
            running(901, 'C+G', 'kwin_wayland'),
            running(902, 'G', 'gnome-shell'),
          ),
        ),
        report(1, processes(running(903, 'C', '/opt/a &amp; b/python'), running(904, 'G', 'Xorg'))),
      ),
    });
    expect(free(found.gpus)).toEqual([0]);
    expect(found.gpus[0]).toMatchObject({ processes: [], desktop: [900, 901, 902] });
    expect(found.gpus[1]).toMatchObject({
      processes: [903],
      programs: { '903': '/opt/a & b/python' },
    });
  });

  test('a card that one process has for itself is not shared, whoever wants it', async () => {
    const found = await probe({
      'query.csv':
        row(0) + row(1, '24576, 20000, 90, 60, 200.00') + row(2, '24576, 9000, 90, 60, 200.00'),
      'report.xml': wrapped(
        report(
          0,
          `<compute_mode>Exclusive_Process</compute_mode>${processes(running(1, 'C', 'a'))}`,
        ),
        report(1, processes(running(2, 'C', 'b'))),
        report(2, processes(running(3, 'C', 'c'))),
      ),
    });
    expect(free(found.gpus)).toEqual([]);
    const although = { each: 1, only: null, useBusy: true };
    expect(assignGpus(found.gpus, 1, new Set(), although).free.map(({ index }) => index)).toEqual([
      2, 1,
    ]);
  });
});

describe('what CUDA cannot use together', () => {
  const list = `${nameRow(0)}  MIG 3g.20gb     Device  0: (UUID: MIG-00000001-aaaa-5bbb-8ccc-ddddddddddd1)\n  MIG 1g.5gb      Device  1: (UUID: MIG-00000002-aaaa-5bbb-8ccc-ddddddddddd2)\n${nameRow(1)}${nameRow(2)}`;
  const cards = row(0, '40960, 4, [N/A], 31, 25.10', 'Enabled') + row(1) + row(2);

  test('a worker gets one MIG instance, or whole cards: never two instances, never both', async () => {
    const found = await probe({ 'query.csv': cards, 'list.txt': list });
    const chosen = (needed: number, each: number) =>
      assignGpus(found.gpus, needed, new Set(), { each, only: null, useBusy: false }).chosen?.map(
        ({ uuid }) => uuid.slice(0, 4),
      );
    expect(chosen(1, 1)).toEqual(['MIG-']);
    expect(chosen(2, 2)).toEqual(['GPU-', 'GPU-']);
    expect(chosen(3, 3)).toBeUndefined();
    expect(chosen(4, 1)).toHaveLength(4);
    expect(whyFewer(found, { each: 3, only: null })).toContain('MIG instance');
  });

  test('an instance is busy where the driver says that the process is on it', async () => {
    const device = (index: number, instance: number): string =>
      `<mig_device><index>${index}</index><gpu_instance_id>${instance}</gpu_instance_id></mig_device>`;
    const found = await probe({
      'query.csv': cards,
      'list.txt': list,
      'processes.csv': `${uuidOf(0)}, 77\n`,
      'report.xml': wrapped(
        report(
          0,
          `<mig_devices>${device(0, 2)}${device(1, 9)}</mig_devices>${processes(running(77, 'C', 'python', '9'))}`,
        ),
      ),
    });
    expect(found.gpus.map((gpu) => gpu.processes)).toEqual([[], [77], [], []]);
  });
});
