import * as z from 'zod';
import { gpuSchema } from './gpu.ts';
import { gpusAwaitedShape } from './gpus-awaited.ts';
import { keepUnknown } from './unknown-fields.ts';
import { leftOutSchema } from './left-out.ts';
import { processesEndedShape, processesLeftShape } from './left-processes.ts';
import { RUN_FORMAT } from './plan.ts';
import { problemSchema } from './problem-schema.ts';
import { processIdentitySchema } from './process-identity.ts';
import { STAGES } from './stages.ts';
import { ACTIVATED_KINDS } from './terminal-environment.ts';

export { STAGES, type Stage } from './stages.ts';

const stage = z.enum(STAGES);

/** How far a transfer is. Bytes and whole objects; `secondsLeft` is null while nobody can tell. */
export const progressSchema = z.strictObject({
  bytes: z.number(),
  bytesTotal: z.number(),
  objects: z.number(),
  objectsTotal: z.number(),
  bytesPerSecond: z.number(),
  secondsLeft: z.number().nullable(),
});
export type Progress = Readonly<z.infer<typeof progressSchema>>;

/** What the code was when it was taken: null where it is no git checkout or git could not tell. */
export const codeStateSchema = z.strictObject({
  commit: z.string().nullable(),
  branch: z.string().nullable(),
  /** Changes that no commit has. */
  dirty: z.boolean().nullable(),
  /** Commits that no remote has. */
  unpushed: z.boolean().nullable(),
  /** What rules such as `.gitignore` left out; not there for nothing. */
  ignored: z.strictObject({ count: z.int(), first: z.array(z.string()) }).exactOptional(),
});
export type CodeState = Readonly<z.infer<typeof codeStateSchema>>;

/** In words; empty for nothing. Pure. */
export function ignoredText({ ignored }: CodeState): string {
  if (ignored === undefined) return '';
  const { count, first } = ignored;
  const more = count > first.length ? `, and ${count - first.length} more` : '';
  return `left out by .gitignore: ${first.join(', ')}${more}`;
}

/** A Python environment that was activated. */
export const activatedSchema = z.strictObject({
  kind: z.enum(ACTIVATED_KINDS),
  prefix: z.string(),
});

const worker = z.int().min(0);

/** What each kind of event carries besides format, seq, time and kind. */
const kinds = {
  /** An agent took the run up: the first event of every attempt. */
  'agent-started': { agent: processIdentitySchema, version: z.string(), attempt: z.int().min(1) },
  'stage-started': { stage },
  'stage-progress': { stage, what: z.enum(['code', 'data', 'output']), progress: progressSchema },
  'stage-ended': { stage },
  'code-staged': { files: z.int(), bytes: z.int(), state: codeStateSchema },
  'data-staged': {
    objects: z.int(),
    bytes: z.int(),
    seconds: z.number(),
    /** How many of the objects were in place already. Runs of earlier versions do not tell. */
    skipped: z.int().default(0),
  },
  'setup-ended': { exitCode: z.int().nullable(), seconds: z.number() },
  /**
   * What workers inherit: from the login shell as in a terminal, without what is for terminals, from its last answer, or the agent's own; which `python`
   * they find; the Python environment that is activated; the names of the variables that the terminal has in which the attempt was started.
   */
  environment: {
    source: z.enum(['login', 'login-only', 'kept', 'own']),
    shell: z.string().nullable(),
    python: z.string().nullable(),
    activated: activatedSchema.nullable(),
    terminal: z.array(z.string()),
  },
  'gpus-awaited': gpusAwaitedShape,
  'worker-started': {
    worker,
    pid: z.int(),
    startTime: z.string(),
    /** Which start of this worker: 1, and more after retries of a failed one. */
    start: z.int().min(1),
    gpus: z.array(gpuSchema.pick({ uuid: true, index: true, name: true })),
  },
  /** A new agent found it running. */
  'worker-adopted': { worker, pid: z.int() },
  'worker-ended': {
    worker,
    exitCode: z.int().nullable(),
    signal: z.string().nullable(),
    /** The stop was asked for. */
    stopped: z.boolean(),
    /** The kernel ended a process for lack of memory while it ran. */
    outOfMemory: z.literal(true).exactOptional(),
  },
  'processes-left': processesLeftShape,
  'processes-ended': processesEndedShape,
  /** Tokens ran out and nobody is there to renew them: the run goes on once some arrive. */
  'access-awaited': { account: z.string(), message: z.string(), hint: z.string() },
  'access-renewed': { account: z.string() },
  /** What was uploaded earlier was looked for in the bucket: so many objects, of which so many are not there any more. */
  'output-checked': { objects: z.int(), missing: z.int() },
  'output-uploaded': { objects: z.int(), bytes: z.int(), seconds: z.number() },
  'manifest-uploaded': { object: z.string() },
  /** What of the code, the data or the output was left out at the last try; nothing any more where both counts are 0. */
  'left-out': leftOutSchema.shape,
  'stop-requested': {
    graceSeconds: z.number(),
    /** What asks the workers to end; SIGTERM where it is not told. */
    signal: z.string().exactOptional(),
  },
  /** The Jupyter of a notebook answers, to its token alone. */
  'notebook-ready': { program: z.string(), version: z.string() },
  'worker-log-full': { worker, limit: z.int() },
  warning: { message: z.string(), hint: z.string() },
  /** The last event of an attempt that ran to an end. `private/` is empty by then. */
  ended: {
    state: z.enum(['finished', 'failed', 'stopped']),
    /** Where a failed run failed: a retry starts there. */
    stage: stage.nullable(),
    problem: problemSchema.nullable(),
  },
} as const;

const base = {
  format: z.literal(RUN_FORMAT),
  /** 1, 2, 3, ... through all attempts. */
  seq: z.int().min(1),
  /** ISO 8601. */
  time: z.string(),
};

type Kinds = typeof kinds;
export type RunEventKind = keyof Kinds;
/** What an event of each kind carries. */
export type RunEventBody = {
  [Kind in RunEventKind]: { readonly kind: Kind } & Readonly<z.infer<z.ZodObject<Kinds[Kind]>>>;
}[RunEventKind];
export type RunEvent = RunEventBody & {
  readonly format: 1;
  readonly seq: number;
  readonly time: string;
};

const schemas = new Map(
  Object.entries(kinds).map(([kind, body]) => [
    kind,
    z.object({ ...base, kind: z.literal(kind), ...body }),
  ]),
);

/** Any event of this format. */
export const runEventSchema = z.discriminatedUnion('kind', [
  ...schemas.values(),
] as never) as unknown as z.ZodType<RunEvent>;

export type ParsedEvent =
  | { readonly event: RunEvent }
  /** Of a kind that a later version writes: skipped. */
  | { readonly unknown: string }
  | { readonly refused: string };

/**
 * One line of `events.jsonl`. A later format is refused in words, an unknown kind of format 1 is skipped,
 * a torn line (the writer died inside it) is refused.
 */
export function parseEventLine(line: string): ParsedEvent {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { refused: 'a line that is not JSON' };
  }
  const head = z.object({ format: z.number(), kind: z.string() }).safeParse(value);
  if (!head.success) return { refused: 'a line that is no event' };
  if (head.data.format !== RUN_FORMAT)
    return {
      refused: `an event of format ${head.data.format}; this version of Trainyard reads format ${RUN_FORMAT}: update it`,
    };
  const schema = schemas.get(head.data.kind);
  if (schema === undefined) return { unknown: head.data.kind };
  const parsed = keepUnknown(schema).safeParse(value);
  if (!parsed.success)
    return { refused: `an event "${head.data.kind}" whose fields are not as agreed` };
  return { event: parsed.data as RunEvent };
}
