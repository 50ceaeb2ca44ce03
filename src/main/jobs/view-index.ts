import * as z from 'zod';
import { codeStateSchema, progressSchema, STAGES } from '../../shared/events.ts';
import { gpuSchema } from '../../shared/gpu.ts';
import { hasEnded, JOB_STATES, STAGE_STATES, WORKER_STATES } from '../../shared/job-status.ts';
import { leftOutSchema } from '../../shared/left-out.ts';
import { workerKeysSchema } from '../../shared/job-spec.ts';
import { environmentSchema, transferPlacesSchema } from '../../shared/ipc/jobs.ts';
import { problemSchema } from '../../shared/problem-schema.ts';
import { keepUnknown } from '../../shared/unknown-fields.ts';
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
  transfer: transferPlacesSchema.exactOptional(),
  workerKeys: workerKeysSchema,
  status: z.strictObject({
    state: z.enum(JOB_STATES),
    attempt: z.int(),
    stages: z.array(
      z.strictObject({
        stage,
        state: z.enum(STAGE_STATES),
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
    gpusAwaited: z.null().default(null),
    stopRequested: z.boolean(),
    warnings: z.array(said),
    leftOut: z.array(leftOutSchema),
    notebook: z.strictObject({ program: z.string(), version: z.string() }).nullable().default(null),
    environment: environmentSchema,
    startedAt: time,
    attemptStartedAt: time,
    endedAt: time,
    staged: z
      .strictObject({ objects: z.number(), bytes: z.number(), skipped: z.number() })
      .nullable(),
    uploaded: z.strictObject({ objects: z.number(), bytes: z.number() }).nullable(),
    seq: z.int(),
  }),
});

/** A view, and what its events were: looked at before the view was made, so that a run that goes on meanwhile makes it out of date, never wrong. */
export interface Dated {
  readonly view: JobView;
  readonly events: FileStatus | null;
  /** The index has it as it is. */
  readonly isKept: boolean;
}

/** Views of runs that ended, by id. A store that cannot be used is no trouble: then it knows none. */
export interface ViewIndex {
  /** What the rows say of these runs. True as long as the events are what they were, which the caller looks after. */
  recall(host: Host, ids: readonly string[]): readonly Dated[];
  /** Keeps views of ended runs. Says whether that worked. */
  keep(host: Host, views: readonly Dated[]): boolean;
  /** Forgets rows. */
  forget(ids: readonly string[]): void;
  /** Forgets the rows of runs that are not among these. */
  prune(host: Host, there: ReadonlySet<string>): void;
}

/** Whether nothing more will come of it unless somebody retries it. Pure. */
export function isSettled(view: JobView): boolean {
  return view.unreadable !== true && hasEnded(view.state) && view.agent === null;
}

export function viewIndex(rows: JobIndexReader & JobIndexWriter): ViewIndex {
  return {
    recall(host, ids) {
      if (ids.length === 0) return [];
      const found = rows.find(ids);
      if (!found.ok) return [];
      return found.value.flatMap(({ id, eventsSize, eventsChanged, view: text }) => {
        const view = parseView(text);
        if (view?.runDirectory !== host.runDirectory(id) || !isSettled(view)) return [];
        return [{ view, events: { size: eventsSize, changedAt: eventsChanged }, isKept: true }];
      });
    },
    keep(host, views) {
      const fresh = views.flatMap(({ view, events }): IndexedJob[] =>
        events === null || !isSettled(view) || view.status.seq === 0
          ? []
          : [
              {
                id: view.id,
                host: host.name,
                eventsSize: events.size,
                eventsChanged: events.changedAt,
                view: JSON.stringify(view),
              },
            ],
      );
      return fresh.length === 0 || rows.put(fresh).ok;
    },
    forget(ids) {
      if (ids.length > 0) rows.remove(ids);
    },
    prune(host, there) {
      const known = rows.ids(host.name);
      if (known.ok) this.forget(known.value.filter((id) => !there.has(id)));
    },
  };
}

/** Null for a row of an earlier version, which lacks fields of this one: its run is read anew. */
function parseView(text: string): JobView | null {
  try {
    const parsed = keepUnknown(viewSchema).safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
