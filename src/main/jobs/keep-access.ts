import type { GrantedToken } from '../../shared/agent-protocol.ts';
import { hasEnded, isStaged } from '../../shared/job-status.ts';
import { fail, ok, type Result } from '../../shared/problem.ts';
import type { KeyService } from '../keys/service.ts';
import { sleep, type Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { ACCESS_FILE, accessEnds, isDue, mintTokens, readAccessRecord } from './access.ts';
import { decidedFor, type BegunRuns } from './begun-runs.ts';
import type { KnownRun, Runs } from './runs.ts';
import { inboxFor, refuseChangedPlan } from './seal-tokens.ts';
import { alarm } from './watch.ts';

/** What a look at a run's access found. */
export interface AccessNews {
  /** Fresh tokens were put where the agent looks for them. */
  readonly delivered: boolean;
  /** When the first token that the agent has runs out, milliseconds since 1970; null where the run needs none. */
  readonly expiresAt: number | null;
}

/** How often all runs are looked at, at the least and at the most. Milliseconds. */
const LOOK_SELDOM = 5_000;
const LOOK_OFTEN = 250;
/** Between two looks this part of the time passes that is left: well below the quarter at which tokens are due. */
const PART_OF_REST = 1 / 12;

/** How often and how many times an agent is given to take what was delivered: five seconds. Milliseconds. */
const TAKEN_EVERY = 50;
const TAKEN_LOOKS = 100;

/**
 * Mints and delivers fresh tokens when those of a live run have less than a quarter of their life left, or the agent waits for some; `now`
 * delivers in any case. A run that is over, or whose agent holds its key, is left alone.
 */
export async function refreshAccess(
  parts: { readonly keys: KeyService; readonly clock: Clock; readonly begun: BegunRuns },
  run: KnownRun,
  options: {
    readonly now?: boolean;
    readonly signal?: AbortSignal;
    /** For minting, milliseconds. */
    readonly timeoutMs?: number;
  } = {},
): Promise<Result<AccessNews>> {
  const plan = await run.reader.plan();
  if (!plan.ok) return plan;
  const view = await run.reader.view();
  const record = await readAccessRecord(run.host, run.id);
  const nothing = ok({ delivered: false, expiresAt: accessEnds(record) });
  if (view.agent === null || hasEnded(view.state) || plan.value.unattended) return nothing;
  const awaited = view.status.accessAwaited !== null;
  const due = record === null || isDue(record, parts.clock.now());
  if (!awaited && !due && options.now !== true) return nothing;
  const changed = await refuseChangedPlan(run, parts.begun);
  if (changed !== null) return fail(changed);
  const minted = await mintTokens(parts.keys, plan.value, parts.clock, {
    ...decidedFor(parts.begun.read(run.id)),
    staged: isStaged(view.status),
    some: true,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  });
  if (!minted.ok) return minted;
  if (minted.value.granted.length === 0) return nothing;
  const delivered = await deliver(run, minted.value.granted, parts.begun);
  if (!delivered.ok || !delivered.value) return delivered.ok ? nothing : delivered;
  await run.host.writeFile(run.id, ACCESS_FILE, JSON.stringify(minted.value.record));
  return ok({ delivered: true, expiresAt: accessEnds(minted.value.record) });
}

/**
 * Puts tokens into the agent's inbox and sees that they do not stay: a run may end at this very moment, and nothing secret is to be left in
 * its directory. Says whether the agent got them.
 */
async function deliver(
  run: KnownRun,
  tokens: readonly GrantedToken[],
  begun: BegunRuns,
): Promise<Result<boolean>> {
  const over = async (): Promise<boolean> => {
    const { agent, state } = await run.reader.view();
    return agent === null || hasEnded(state);
  };
  if (await over()) return ok(false);
  const agent = await run.host.agent(run.id);
  if (!agent.ok) return agent;
  if (agent.value === null) return ok(false);
  const inbox = await inboxFor(run, agent.value, tokens, begun);
  if (!inbox.ok) return inbox;
  const name = await run.host.deliverTokens(run.id, inbox.value);
  if (!name.ok) return (await over()) ? ok(false) : name;
  for (let looks = 0; looks < TAKEN_LOOKS; looks += 1) {
    const there = await run.host.statFile(run.id, name.value);
    if (there.ok && there.value === null) return ok(true);
    if (await over()) {
      const removed = await run.host.removeFile(run.id, name.value);
      return removed.ok ? ok(false) : removed;
    }
    await sleep(TAKEN_EVERY);
  }
  return ok(true);
}

export interface KeepAccessParts {
  readonly keys: KeyService;
  readonly clock: Clock;
  readonly log: Log;
  readonly runs: Runs;
  readonly begun: BegunRuns;
  /** Functions to call when a run was started: it is looked at at once. */
  readonly wakers: Set<() => void>;
}

/** Keeps the access of all live runs fresh until the signal is aborted. A failure is logged once for each run and reason. */
export async function keepAccess(parts: KeepAccessParts, signal: AbortSignal): Promise<void> {
  const told = new Set<string>();
  const { wait, ring } = alarm();
  parts.wakers.add(ring);
  signal.addEventListener('abort', ring, { once: true });
  while (!signal.aborted) {
    let pause = LOOK_SELDOM;
    for (const view of await parts.runs.current()) {
      if (view.agent === null || hasEnded(view.state)) continue;
      const run = await parts.runs.find(view.id);
      if (!run.ok) continue;
      const news = await refreshAccess(parts, run.value, { signal });
      if (!news.ok) {
        const reason = `${view.id} ${news.problem.code}`;
        if (!told.has(reason)) parts.log.warn(`no fresh access for ${reason}`, news.problem);
        told.add(reason);
      } else if (news.value.expiresAt !== null) {
        const rest = (news.value.expiresAt - parts.clock.now()) * PART_OF_REST;
        pause = Math.max(LOOK_OFTEN, Math.min(pause, rest));
      }
    }
    if (!stopped(signal)) await wait(pause);
  }
  parts.wakers.delete(ring);
}

/** Asked anew: it may have been aborted during a wait. */
const stopped = (signal: AbortSignal): boolean => signal.aborted;
