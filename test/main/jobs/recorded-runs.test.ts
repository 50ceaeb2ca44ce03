import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Services } from '../../../src/main/services.ts';
import { jobViewSchema } from '../../../src/shared/ipc/jobs.ts';
import { dropUnknown } from '../../../src/shared/unknown-fields.ts';
import type { JobView } from '../../../src/shared/views.ts';
import { ROOT } from '../../support/programs.ts';
import { valueOf } from '../temp.ts';
import { ends, freshHome, google } from './harness.ts';

/** Made by test/support/record-runs.ts. */
interface Recording {
  readonly base: string;
  readonly emulator: string;
  readonly runs: readonly {
    readonly id: string;
    readonly kind: string;
    readonly end: 'running' | 'finished' | 'failed' | 'stopped';
    readonly view: JobView;
  }[];
  readonly folders: readonly string[];
}

const recordings = join(ROOT, 'test/fixtures/runs');
const later = { since: 'a later version', deep: [{ more: true }] };

/** A field that nobody knows, in every object at every depth. */
function withUnknown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withUnknown);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, each]) => [name, withUnknown(each)]);
  return { ...Object.fromEntries(entries), addedLater: later };
}

/** Its `env` is names and texts of the user, where every name is known. */
const planWithUnknown = (plan: { env?: object; spec?: { env?: object } }): unknown => {
  const changed = withUnknown(plan) as typeof plan & { spec?: { env?: object } };
  if (plan.env !== undefined) changed.env = plan.env;
  if (plan.spec?.env !== undefined && changed.spec !== undefined) changed.spec.env = plan.spec.env;
  return changed;
};

/** Puts a recording into a home, as if it had been made there. */
function putBack(
  name: string,
  into: { home: string; base: string; emulator: string },
  change: 'as it was' | 'as a later version would write',
): Recording {
  const folder = join(recordings, name);
  const recording = JSON.parse(readFileSync(join(folder, 'recorded.json'), 'utf8')) as Recording;
  cpSync(join(folder, 'runs'), join(into.home, 'runs'), { recursive: true });
  for (const each of recording.folders)
    mkdirSync(join(into.home, each), { recursive: true, mode: 0o700 });
  for (const entry of readdirSync(join(into.home, 'runs'), {
    recursive: true,
    withFileTypes: true,
  })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    let text = readFileSync(file, 'utf8')
      .replaceAll(recording.base, into.base)
      .replaceAll(recording.emulator, into.emulator);
    if (change === 'as a later version would write') {
      const one = (line: string): string => JSON.stringify(withUnknown(JSON.parse(line)));
      if (entry.name === 'plan.json')
        text = JSON.stringify(planWithUnknown(JSON.parse(text) as object));
      else if (entry.name.endsWith('.json')) text = one(text);
      else if (entry.name === 'events.jsonl' || entry.name === 'samples.jsonl')
        text = text.replaceAll(/^.+$/gm, one);
    }
    writeFileSync(file, text);
  }
  return recording;
}

/** What a user sees of a run, without what depends on the place. */
const seen = ({ id, name, kind, workers, output, status }: JobView) => ({
  ...{ id, name, kind, output },
  workers: workers.map(({ index, state, exitCode, starts }) => ({
    index,
    state,
    exitCode,
    starts,
  })),
  stages: status.stages.map(({ state }) => state),
  problem: status.problem?.code ?? null,
});

async function open(change: 'as it was' | 'as a later version would write', name: string) {
  const emulator = await google();
  const home = freshHome(emulator.environment);
  const services = await home.open();
  const recording = putBack(
    name,
    { home: home.home, base: home.base, emulator: emulator.url },
    change,
  );
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!));
  return { services, recording };
}

async function read(services: Services, recording: Recording): Promise<readonly JobView[]> {
  const views = await services.jobs.list();
  expect(views.map(({ id }) => id).sort()).toEqual(recording.runs.map(({ id }) => id).sort());
  for (const { id, kind, end, view: before } of recording.runs) {
    const view = views.find((each) => each.id === id)!;
    expect(view.unreadable, id).toBe(undefined);
    expect(view.kind, id).toBe(kind === 'sweep' ? 'training' : kind);
    // Nobody carries it any more.
    expect(view.state, id).toBe(end === 'running' ? 'interrupted' : before.state);
    if (end !== 'running') expect(seen(view), id).toEqual(seen(before));
    expect(valueOf(await services.jobs.plan(id)).name).toBe(before.name);
    if (view.workers.length > 0)
      expect(
        valueOf(await services.jobs.readLog(id, { worker: 0, offset: 0, maxBytes: 4_096 })),
      ).toHaveProperty('size');
  }
  return views;
}

describe.each(readdirSync(recordings))('runs recorded by %s', (name) => {
  it('are read as that version read them, and go on', async () => {
    const { services, recording } = await open('as it was', name);
    await read(services, recording);
    const byEnd = (kind: string, end: string): string =>
      recording.runs.find((run) => run.kind === kind && run.end === end)!.id;

    const failed = byEnd('sweep', 'failed');
    valueOf(await services.jobs.retry(failed));
    expect(await ends(services, failed)).toMatchObject({
      state: 'failed',
      workers: [{ starts: 1 }, { starts: 1 }, { starts: 2, exitCode: 3 }],
    });
    // Their workers would go on for a minute.
    for (const id of [byEnd('training', 'running'), byEnd('transfer', 'running')]) {
      valueOf(await services.jobs.stop(id));
      expect(await ends(services, id)).toMatchObject({ state: 'stopped' });
    }
  }, 120_000);

  it('are read, and go on, where a later version added fields at every depth', async () => {
    const { services, recording } = await open('as a later version would write', name);
    const views = await read(services, recording);
    // What is not known here does not reach the window.
    const shown = views.map((view) => dropUnknown(jobViewSchema).parse(view));
    expect(JSON.stringify(shown)).not.toContain('addedLater');
    const failed = recording.runs.find((run) => run.kind === 'training' && run.end === 'failed')!;
    valueOf(await services.jobs.retry(failed.id));
    expect(await ends(services, failed.id)).toMatchObject({
      state: 'failed',
      workers: [{ starts: 2, exitCode: 3 }],
    });
  }, 120_000);
});
