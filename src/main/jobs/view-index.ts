import { z } from 'zod';
import { codeStateSchema, progressSchema, STAGES } from '../../shared/events.ts';
import { gpuSchema } from '../../shared/gpu.ts';
import { hasEnded, JOB_STATES, WORKER_STATES } from '../../shared/job-status.ts';
import { problemSchema } from '../../shared/problem.ts';
import type { JobView } from '../../shared/views.ts';
import type { FileStatus, Host } from '../hosts/types.ts';
import type { IndexedJob, JobIndexReader, JobIndexWriter } from '../store/jobs.ts';

const time = z.string().nullable();
const workerSchema = z.strictObject({
  index: z.int(),
  state: z.enum(WORKER_STATES),
  pid: z.int().nullable(),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  gpus: z.array(gpuSchema.pick({ uuid: true, index: true, name: true })),
  startedAt: time,
  endedAt: time,
  starts: z.int(),
});
const said = z.strictObject({ message: z.string(), hint: z.string() });
const stage = z.enum(STAGES);

/** A row's view: stored by some version of ours, so unknown until parsed. One that does not fit is read from its directory. */
const viewSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  kind: z.enum(['training', 'notebook', 'transfer']),
  host: z.string(),
  createdAt: z.string(),
  state: z.enum(JOB_STATES),
  agent: z.null(),
  workers: z.array(workerSchema),
  runDirectory: z.string(),
  output: z.string().nullable(),
  status: z.strictObject({
    state: z.enum(JOB_STATES),
    attempt: z.int(),
    stages: z.array(
      z.strictObject({
        stage,
        state: z.enum(['pending', 'active', 'done', 'failed']),
        startedAt: time,
        endedAt: time,
        progress: progressSchema.nullable(),
      }),
    ),
    workers: z.array(workerSchema),
    code: codeStateSchema.nullable(),
    problem: problemSchema.nullable(),
    failedStage: stage.nullable(),
    accessAwaited: z
      .strictObject({ account: z.string(), message: z.string(), hint: z.string() })
      .nullable(),
    stopRequested: z.boolean(),
    warnings: z.array(said),
    startedAt: time,
    endedAt: time,
    uploaded: z.strictObject({ objects: z.number(), bytes: z.number() }).nullable(),
    seq: z.int(),
  }),
});

/** Looked at before the view was made: a run that goes on meanwhile makes the row out of date, never wrong. */
export interface Dated {
  readonly view: JobView;
  readonly events: FileStatus | null;
}

/** Views of runs that ended, by id, as long as their events are what they were. */
export interface ViewIndex {
  /** The view, when the run ended and its events did not change since. */
  find(host: Host, id: string, events: FileStatus | null): JobView | null;
  /** Keeps the views of ended runs; forgets the rows of runs that are gone. A store that cannot be used is no trouble. */
  keep(host: Host, views: readonly Dated[]): void;
}

export function viewIndex(rows: JobIndexReader & JobIndexWriter): ViewIndex {
  let known: Map<string, IndexedJob> | null = null;

  const load = (): Map<string, IndexedJob> => {
    if (known === null) {
      const listed = rows.list();
      known = new Map(listed.ok ? listed.value.map((row) => [row.id, row]) : []);
    }
    return known;
  };

  return {
    find(host, id, events) {
      const row = load().get(id);
      if (row === undefined || events === null) return null;
      if (events.size !== row.eventsSize || events.changedAt !== row.eventsChanged) return null;
      const view = parseView(row.view);
      return view?.runDirectory === host.runDirectory(id) ? view : null;
    },
    keep(host, views) {
      const index = load();
      const fresh: IndexedJob[] = [];
      for (const { view, events } of views) {
        if (!hasEnded(view.state) || view.agent !== null || view.status.seq === 0) continue;
        if (events === null) continue;
        const old = index.get(view.id);
        if (old?.eventsSize === events.size && old.eventsChanged === events.changedAt) continue;
        const row: IndexedJob = {
          id: view.id,
          host: host.name,
          eventsSize: events.size,
          eventsChanged: events.changedAt,
          view: JSON.stringify(view),
        };
        index.set(view.id, row);
        fresh.push(row);
      }
      if (fresh.length > 0) rows.put(fresh);
      const there = new Set(views.map(({ view }) => view.id));
      const gone = [...index.values()].filter(
        (row) => row.host === host.name && !there.has(row.id),
      );
      for (const { id } of gone) index.delete(id);
      if (gone.length > 0) rows.remove(gone.map(({ id }) => id));
    },
  };
}

function parseView(text: string): JobView | null {
  try {
    const parsed = viewSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
