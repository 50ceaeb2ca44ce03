import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sample } from '../../../src/shared/gpu.ts';
import { RUN } from '../../../src/shared/run-directory.ts';
import { writeRun, type WrittenRun } from './runs.ts';
import { ago, runningOn } from './samples.ts';

const GPUS = [
  { uuid: 'GPU-1', index: 0, name: 'NVIDIA A100' },
  { uuid: 'GPU-2', index: 1, name: 'NVIDIA A100' },
];

/** Two workers with a card each, samples of ten minutes, coloured logs, an output on the disk. */
export const richRun = (): WrittenRun => ({
  id: '20261122-130000-ffffff',
  name: 'bert-finetune',
  workers: 2,
  createdAt: ago(620),
  output: 'artifacts-bucket',
  alive: true,
  events: [
    ...runningOn(GPUS),
    [40, { kind: 'warning', message: 'The disk fills up.', hint: 'Make room.' }],
  ],
  logs: {
    0: [
      '\x1b[1mbert-finetune\x1b[0m on \x1b[36mNVIDIA A100\x1b[0m\r\n',
      ...[1, 2, 3].flatMap((epoch) => [
        ...Array.from({ length: 30 }, (_, step) => `epoch ${epoch} [${'#'.repeat(step)}]\r`),
        `epoch ${epoch} \x1b[32mloss ${(1 / epoch).toFixed(3)}\x1b[0m \x1b[33mlr 2e-5\x1b[0m\n`,
      ]),
      '\x1b[31mwarning: gradient overflow\x1b[0m\n',
    ].join(''),
  },
});

export function samplesFrom(begin: number, count: number): readonly Sample[] {
  return Array.from({ length: count }, (_, index) => ({
    time: new Date(begin + index * 2_000).toISOString(),
    gpus: GPUS.map(({ uuid }, card) => ({
      uuid,
      memoryUsed: 30_000 + 4_000 * card + index,
      utilization: Math.round(80 + 15 * Math.sin(index / 9 + card)),
      temperature: 60 + card + (index % 7),
      power: 280 + 30 * Math.sin(index / 5 + card),
    })),
    cpu: 35 + (index % 11),
    memoryUsed: 20_000 + 10 * index,
    memoryTotal: 128_000,
    disk: { in: 40_000_000 + 1_000_000 * (index % 13), out: 5_000_000 },
    network: { in: 90_000_000 * (1 + Math.sin(index / 20)), out: 2_000_000 },
  }));
}

export async function writeRichRun(home: string): Promise<string> {
  const folder = await writeRun(home, richRun());
  const lines = samplesFrom(Date.now() - 600_000, 300).map((sample) => JSON.stringify(sample));
  await writeFile(join(folder, RUN.samples), lines.map((line) => `${line}\n`).join(''));
  const output = join(folder, RUN.output, 'worker-0');
  await mkdir(join(output, 'checkpoints'), { recursive: true });
  await writeFile(join(output, 'metrics.json'), '{"loss": 0.3}');
  await writeFile(join(output, 'checkpoints', 'epoch-3.safetensors'), 'x'.repeat(400_000));
  return folder;
}
