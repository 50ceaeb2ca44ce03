import { parseEventLine } from '../../shared/events.ts';
import { applyEvent, initialStatus, withAgent, type JobStatus } from '../../shared/job-status.ts';
import { keepUnknown } from '../../shared/unknown-fields.ts';
import { runPlanSchema, RUN_FORMAT, type RunPlan } from '../../shared/plan.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import { STAGES, TRANSFER_STAGE, type Stage } from '../../shared/stages.ts';
import type { JobView } from '../../shared/views.ts';
import type { Clock } from '../platform/clock.ts';
import type { Host } from '../hosts/types.ts';
import { outputAddress } from './make-plan.ts';
import { transferPlaces } from './transfer-places.ts';

const CHUNK = 1024 * 1024;
const MAX_PLAN = 16 * 1024 * 1024;
/** A longer line is no event of ours: it is skipped without being kept. */
const MAX_LINE = 4 * 1024 * 1024;

/** Reads one run: its plan once, its events from where it stopped last time. */
export interface RunReader {
  /** The run as it is now. Never fails: what cannot be read is told in the view. */
  view(): Promise<JobView>;
  /** Errors: `host.*`, `job.plan-unreadable`, `input.run-format`. */
  plan(): Promise<Result<RunPlan>>;
  /** The byte of `events.jsonl` up to which events were taken in. */
  offset(): number;
}

export function runReader(host: Host, id: string, clock: Clock): RunReader {
  let known: RunPlan | null = null;
  let offset = 0;
  let rest: Buffer = Buffer.alloc(0);
  let status: JobStatus | null = null;
  let refused: string | null = null;
  let queue: Promise<unknown> = Promise.resolve();

  const plan = async (): Promise<Result<RunPlan>> => {
    if (known !== null) return ok(known);
    const read = await readPlan(host, id);
    if (read.ok) known = read.value;
    return read;
  };

  const take = (line: Buffer): void => {
    if (line.length === 0 || line.length > MAX_LINE || status === null) return;
    const parsed = parseEventLine(line.toString('utf8'));
    if ('event' in parsed) status = applyEvent(status, parsed.event);
    else if ('refused' in parsed && parsed.refused.includes('format')) refused = parsed.refused;
  };

  /**
   * Takes in whole lines. Of the many progress events in a row only the last one of its stage says anything: the others are
   * not parsed, so that a run of days opens at once.
   */
  const takeAll = (lines: readonly Buffer[]): void => {
    let held: { readonly line: Buffer; readonly stage: string } | null = null;
    for (const line of lines) {
      const stage = progressStage(line);
      if (held !== null && held.stage !== stage) take(held.line);
      held = stage === null ? null : { line, stage };
      if (held === null) take(line);
    }
    if (held !== null) take(held.line);
  };

  /** Takes in what was appended since the last call. */
  const readEvents = async (plan: RunPlan): Promise<Result<JobStatus>> => {
    const { workers, stages } = describePlan(plan);
    status ??= initialStatus(workers, stages);
    for (;;) {
      const piece = await host.readFile(id, RUN.events, offset, CHUNK);
      if (!piece.ok) return piece;
      if (piece.value === null) break;
      if (piece.value.size < offset) {
        // Shorter than what was read: another file. From the beginning.
        offset = 0;
        rest = Buffer.alloc(0);
        status = initialStatus(workers, stages);
        continue;
      }
      if (piece.value.bytes.length === 0) break;
      offset += piece.value.bytes.length;
      rest = Buffer.concat([rest, piece.value.bytes]);
      const lines: Buffer[] = [];
      let begin = 0;
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, begin)) {
        lines.push(rest.subarray(begin, end));
        begin = end + 1;
      }
      takeAll(lines);
      rest = Buffer.from(rest.subarray(begin));
      if (offset >= piece.value.size) break;
    }
    return ok(status);
  };

  const unreadable = async (why: Problem, plan?: RunPlan): Promise<JobView> => {
    const agent = await host.agent(id);
    return unreadableView(host, id, why, agent.ok ? (agent.value?.pid ?? null) : null, plan);
  };

  const look = async (): Promise<JobView> => {
    const found = await plan();
    if (!found.ok) return unreadable(found.problem);
    const { createdAt } = found.value;
    // The agent first: one that is gone by now wrote all its events before.
    const agent = await host.agent(id);
    const events = agent.ok ? await readEvents(found.value) : agent;
    if (!agent.ok) return unreadable(agent.problem, found.value);
    if (!events.ok) return unreadable(events.problem, found.value);
    if (refused !== null) return unreadable(laterEvents(id, refused), found.value);
    const agentAlive = agent.value !== null;
    const now = withAgent(events.value, { agentAlive, createdAt, now: clock.now() });
    const told =
      now.state === 'interrupted' ? { ...now, problem: now.problem ?? interrupted(id) } : now;
    return viewOf(host, found.value, told, agent.value?.pid ?? null);
  };

  return {
    plan,
    offset: () => offset,
    view() {
      const next = queue.then(look);
      queue = next.catch(() => undefined);
      return next;
    },
  };
}

/** The stage of a line that looks like a progress event; null for every other line. */
function progressStage(line: Buffer): string | null {
  if (!line.includes('"kind":"stage-progress"')) return null;
  return /"stage":"([a-z]+)"/.exec(line.toString('latin1'))?.[1] ?? null;
}

function describePlan(plan: RunPlan): { workers: number; stages: readonly Stage[] } {
  return plan.kind === 'transfer'
    ? { workers: 0, stages: [TRANSFER_STAGE[plan.direction]] }
    : { workers: plan.workers.length, stages: STAGES };
}

function viewOf(host: Host, plan: RunPlan, status: JobStatus, pid: number | null): JobView {
  return {
    id: plan.id,
    name: plan.name,
    kind: plan.kind,
    host: plan.host,
    createdAt: plan.createdAt,
    state: status.state,
    agent: pid === null ? null : { pid },
    workers: status.workers,
    runDirectory: host.runDirectory(plan.id),
    output: outputAddress(plan),
    ...(plan.kind === 'transfer' ? { transfer: transferPlaces(plan) } : {}),
    ...workerKeysOf(plan),
    status,
  };
}

function workerKeysOf(plan: RunPlan): Pick<JobView, 'workerKeys'> {
  if (plan.kind === 'transfer' || plan.workerKeys.length === 0) return {};
  return { workerKeys: plan.workerKeys.map(({ account, mode }) => ({ name: account.name, mode })) };
}

/** A run that cannot be read is shown with the reason; it is never dropped. */
function unreadableView(
  host: Host,
  id: string,
  why: Problem,
  pid: number | null,
  plan?: RunPlan,
): JobView {
  // Of a later version's run nobody here can say that it failed.
  const state =
    pid !== null ? 'running' : why.code === 'input.run-format' ? 'interrupted' : 'failed';
  const status: JobStatus = { ...initialStatus(0), state, problem: why };
  const at = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)/.exec(id);
  const [, year, month, day, hour, minute, second] = at ?? [];
  return {
    id,
    name: plan?.name ?? id,
    kind: plan?.kind ?? 'training',
    host: host.name,
    createdAt: plan?.createdAt ?? `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`,
    state: status.state,
    agent: pid === null ? null : { pid },
    unreadable: true,
    workers: [],
    runDirectory: host.runDirectory(id),
    output: plan === undefined ? null : outputAddress(plan),
    status,
  };
}

async function readPlan(host: Host, id: string): Promise<Result<RunPlan>> {
  const file = await host.readFile(id, RUN.plan, 0, MAX_PLAN);
  if (!file.ok) return file;
  const refuse = (
    code: 'job.plan-unreadable' | 'input.run-format',
    message: string,
    hint: string,
  ) => fail(problem({ code, op: 'read the run', subject: id, message, hint }));
  const torn =
    'Its files are still there: look into its folder. Submit the job again for a new run.';
  if (file.value === null) return refuse('job.plan-unreadable', `The run ${id} has no plan.`, torn);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(file.value.bytes).toString('utf8'));
  } catch {
    return refuse(
      'job.plan-unreadable',
      `The plan of the run ${id} is torn: it is not JSON.`,
      torn,
    );
  }
  const format =
    typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  if (format !== undefined && format !== RUN_FORMAT)
    return refuse(
      'input.run-format',
      `The run ${id} was made by a later Trainyard (format ${JSON.stringify(format)}; this one knows ${RUN_FORMAT}).`,
      LATER_HINT,
    );
  const parsed = keepUnknown(runPlanSchema).safeParse(value);
  if (!parsed.success || parsed.data.id !== id)
    return refuse(
      'job.plan-unreadable',
      `The plan of the run ${id} is not as it was agreed${parsed.success ? ': it belongs to another run' : ''}.`,
      torn,
    );
  return ok(parsed.data);
}

const LATER_HINT =
  'Update this Trainyard to see the run and to change it. What carries it goes on meanwhile.';

function laterEvents(id: string, what: string): Problem {
  return problem({
    code: 'input.run-format',
    op: 'read the events',
    subject: id,
    message: `The run ${id} has ${what}.`,
    hint: LATER_HINT,
  });
}

function interrupted(id: string): Problem {
  return problem({
    code: 'job.interrupted',
    op: 'carry the run',
    subject: id,
    message:
      'Nothing carries this run any more: its agent ended before the run did, or the machine was restarted.',
    hint: `Go on with it: trainyard retry ${id}. What was done is not done again.`,
    retryable: true,
  });
}
