import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  listOutput,
  readEvents,
  readManifest,
  readSamples,
} from '../../../src/main/jobs/inspect.ts';
import { localHost } from '../../../src/main/hosts/local/host.ts';
import { openLog } from '../../../src/main/platform/log.ts';
import { pathsBelow } from '../../../src/main/platform/paths.ts';
import { runEventSchema } from '../../../src/shared/events.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';

const id = '20261121-090000-aaaaaa';

function world() {
  const paths = pathsBelow(temporaryFolder());
  const host = localHost({
    paths,
    agentFolder: '/none',
    nodeRuntime: null,
    env: {},
    log: openLog(join(paths.home, 'log')),
  });
  const run = join(paths.runs, id);
  mkdirSync(join(run, 'logs'), { recursive: true });
  const jobs = {
    readRunFile: (...a: Parameters<typeof host.readFile>) => host.readFile(...a),
    listRunFolder: (...a: Parameters<typeof host.listFolder>) => host.listFolder(...a),
  };
  return { run, jobs };
}

const sample = (second: number) => ({
  time: `2026-11-21T09:00:${String(second).padStart(2, '0')}.000Z`,
  gpus: [],
  cpu: 12.5,
  memoryUsed: 100,
  memoryTotal: 200,
});
const lines = (values: readonly unknown[]) =>
  values.map((value) => `${JSON.stringify(value)}\n`).join('');

test('samples are read from where the last call ended; a torn line waits for its end', async () => {
  const { run, jobs } = world();
  const file = join(run, 'logs', 'samples.jsonl');
  expect(valueOf(await readSamples(jobs, id, 0))).toEqual({
    lines: [],
    next: 0,
    restart: false,
    more: false,
  });
  const whole = lines([sample(0), 'no sample', sample(2)]);
  writeFileSync(file, `${whole}{"time":`);
  const first = valueOf(await readSamples(jobs, id, 0));
  expect(first).toEqual({
    // Samples of an earlier version say nothing of disk and network.
    lines: [sample(0), sample(2)].map((one) => ({ ...one, disk: null, network: null })),
    next: whole.length,
    restart: false,
    more: true,
  });
  expect(valueOf(await readSamples(jobs, id, first.next)).lines).toEqual([]);
  expect(valueOf(await readSamples(jobs, id, first.next)).more).toBe(false);
  writeFileSync(file, lines([sample(0)]));
  expect(valueOf(await readSamples(jobs, id, first.next))).toEqual({
    lines: [],
    next: 0,
    restart: true,
    more: true,
  });
});

test('events come whole, progress in a row as its last', async () => {
  const { run, jobs } = world();
  const event = (seq: number, body: object) => ({
    format: 1,
    seq,
    time: sample(seq).time,
    ...body,
  });
  const progress = (seq: number, bytes: number) =>
    event(seq, {
      kind: 'stage-progress',
      stage: 'staging',
      what: 'data',
      progress: {
        bytes,
        bytesTotal: 9,
        objects: 1,
        objectsTotal: 1,
        bytesPerSecond: 1,
        secondsLeft: null,
      },
    });
  const started = event(1, { kind: 'stage-started', stage: 'staging' });
  writeFileSync(
    join(run, 'events.jsonl'),
    lines([
      started,
      progress(2, 1),
      progress(3, 2),
      event(4, { kind: 'stage-ended', stage: 'staging' }),
      progress(5, 3),
      { kind: 'later', format: 1, seq: 6, time: '' },
    ]),
  );
  const { lines: events } = valueOf(await readEvents(jobs, id, 0));
  expect(events.map(({ seq }) => seq)).toEqual([1, 3, 4, 5]);
  for (const one of events) expect(runEventSchema.parse(one)).toEqual(one);
});

test('the output is listed folders first, within a bound, and never outside the run', async () => {
  const { run, jobs } = world();
  expect(valueOf(await listOutput(jobs, id, ''))).toBeNull();
  mkdirSync(join(run, 'output', 'worker-0', 'checkpoints'), { recursive: true });
  writeFileSync(join(run, 'output', 'worker-0', 'a.txt'), 'twelve bytes');
  symlinkSync('/etc', join(run, 'output', 'worker-0', 'outside'));
  const listed = valueOf(await listOutput(jobs, id, 'worker-0'));
  expect(listed?.entries.map(({ name, kind, size }) => [name, kind, size])).toEqual([
    ['checkpoints', 'folder', 0],
    ['a.txt', 'file', 12],
    ['outside', 'other', 0],
  ]);
  expect(valueOf(await listOutput(jobs, id, 'worker-0/outside'))).toBeNull();
  for (const path of ['..', 'worker-0/../..', '/etc', 'worker-0//x', 'a\\b', 'a\0'])
    expect(problemOf(await listOutput(jobs, id, path)).code, path).toBe('input.path');
  for (let index = 0; index < 1_005; index += 1)
    writeFileSync(join(run, 'output', 'worker-0', `many-${index}`), '');
  const many = valueOf(await listOutput(jobs, id, 'worker-0'));
  expect([many?.entries.length, many?.total]).toEqual([1_000, 1_008]);
});

test('the manifest comes in pages; one that is none is told', async () => {
  const { run, jobs } = world();
  expect(valueOf(await readManifest(jobs, id, 0))).toBeNull();
  const objects = Array.from({ length: 1_500 }, (_, index) => ({
    name: `results/${index}`,
    size: 2,
    crc32c: 'AAAAAA==',
    generation: '1',
    assumed: false,
  }));
  const manifest = {
    format: 1,
    job: { id, name: 'x' },
    createdAt: sample(0).time,
    bucket: 'artifacts',
    prefix: 'results/',
    state: 'finished',
    workers: [],
    objects,
  };
  writeFileSync(join(run, 'manifest.json'), JSON.stringify(manifest));
  const page = valueOf(await readManifest(jobs, id, 1_000));
  expect(page).toMatchObject({ bucket: 'artifacts', total: 1_500, bytes: 3_000 });
  expect([page?.objects.length, page?.objects[0]?.name]).toEqual([500, 'results/1000']);
  writeFileSync(join(run, 'manifest.json'), '{"format":');
  expect(problemOf(await readManifest(jobs, id, 0)).code).toBe('job.manifest');
});
