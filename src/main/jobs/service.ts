import type { AgentSecrets } from '../../shared/agent-protocol.ts';
import { hasEnded, isStaged } from '../../shared/job-status.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import type { NotebookRequest } from '../../shared/notebook.ts';
import type { JobPlan, RunPlan } from '../../shared/plan.ts';
import { fail, ok, type Problem, type Result } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import { hasOutputToUpload, lacksOutput, type JobView } from '../../shared/views.ts';
import type { FilePiece, FolderListing } from '../hosts/types.ts';
import type { Host } from '../hosts/types.ts';
import { isoTime, sleep, systemClock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { JobIndexReader, JobIndexWriter } from '../store/jobs.ts';
import {
  ACCESS_FILE,
  accessEnds,
  DISPENSABLE_MINT_TIME,
  gatherAccess,
  NO_NARROWING,
  toldOf,
  type Access,
} from './access.ts';
import type { BegunRuns } from './begun-runs.ts';
import { keepAccess, refreshAccess, type AccessNews } from './keep-access.ts';
import { findKeyOfAccount } from './key-of-account.ts';
import type { NarrowingBook } from './narrowing-book.ts';
import { accountsOf } from './power-marks.ts';
import { readLog, type LogPiece, type ReadLogOptions } from './read-log.ts';
import { cancelled, goesOn, nothingToUpload, over, running, unreadable } from './refused.ts';
import { runs, type KnownRun, type PageRequest, type RunsPage } from './runs.ts';
import { checksumOfPlan, refuseChangedPlan } from './seal-tokens.ts';
import { prepareJob, type PreparedJob, type SubmitOptions, type SubmitParts } from './submit.ts';
import {
  findNotebook,
  jobOfNotebook,
  prepareNotebook,
  type OpenNotebook,
} from './submit-notebook.ts';
import { prepareTransfer, type TransferRequest } from './submit-transfer.ts';
import { viewIndex } from './view-index.ts';
import { followRun, watchRuns, type RunChange } from './watch.ts';

export interface SubmittedJob {
  readonly id: string;
  readonly plan: JobPlan;
  /** When the agent's first token runs out, milliseconds since 1970; null where it needs none or holds the key. */
  readonly accessExpiresAt: number | null;
  /** Why the agent has no tokens yet; null where it has. */
  readonly accessMissing: Problem | null;
  /** What the user should know, though it did not stand in the way. */
  readonly warnings: readonly Problem[];
}

/** What a retry did: a new agent took the run up, or the one that waits got fresh access. */
export type Retried = Started & { readonly how: 'started' | 'access-delivered' };

/** An agent took a run up. */
export interface Started {
  readonly accessExpiresAt: number | null;
  readonly accessMissing: Problem | null;
  /** That its access reaches more than the run needs, and why. */
  readonly warnings: readonly Problem[];
}

/** Sees a plan before anything starts, what to warn of, and what its keys can do beyond it. */
export type OnPlan = (plan: JobPlan, warnings: readonly Problem[], more: readonly string[]) => void;

export interface JobService {
  /** Checks, freezes and starts a transfer outside a job. */
  submitTransfer(
    request: TransferRequest,
    signal?: AbortSignal,
  ): Promise<Result<{ readonly id: string }>>;
  /** Checks, freezes and starts a job. */
  submit(
    spec: JobSpec,
    options: SubmitOptions & { readonly onPlan?: OnPlan },
  ): Promise<Result<SubmittedJob>>;
  /** {@link JobService.submit} for a notebook. It can be opened once `status.notebook` is set. */
  submitNotebook(
    request: NotebookRequest,
    options: SubmitOptions & { readonly onPlan?: OnPlan },
  ): Promise<Result<SubmittedJob>>;
  /** Where the Jupyter of a notebook is. Errors: `input.not-a-notebook`, `input.notebook-not-there`. */
  openNotebook(id: string): Promise<Result<OpenNotebook>>;
  /** A job that does what a notebook did. Errors: `input.not-a-notebook`, `input.notebook-file`. */
  jobOfNotebook(
    id: string,
    wanted: { readonly file?: string; readonly command?: string },
  ): Promise<Result<JobSpec>>;
  /** All runs, newest first; one that cannot be read is in the list with its problem. */
  list(): Promise<readonly JobView[]>;
  get(id: string): Promise<Result<JobView>>;
  /** Some runs, the newest first, without a look at those that ended: {@link watch} tells what was out of date. */
  page(request: PageRequest): Promise<RunsPage>;
  /** The frozen plan. */
  plan(id: string): Promise<Result<RunPlan>>;
  /** Calls back with every new state until the run is over or the signal is aborted; resolves with the last. */
  follow(
    id: string,
    onChange: (view: JobView) => void,
    signal: AbortSignal,
  ): Promise<Result<JobView>>;
  /** Calls back for every run that appears, changes or goes. Returns the disposer. */
  watch(listener: (change: RunChange) => void): () => void;
  /** Asks a running job to stop; an interrupted one is taken up and stopped. */
  stop(id: string): Promise<Result<void>>;
  /** Goes on with a job that failed, was stopped, was interrupted, waits for access, or finished without some of its output. */
  retry(id: string, signal?: AbortSignal): Promise<Result<Retried>>;
  /**
   * Uploads what the bucket lacks of the output of a job that has ended; no worker runs. Errors: `input.job-goes-on`,
   * `input.nothing-to-upload`.
   */
  uploadAgain(id: string, signal?: AbortSignal): Promise<Result<Started>>;
  /** `offset` below 0 counts from the log's end. A log that is not there yet is empty. */
  readLog(id: string, options: ReadLogOptions): Promise<Result<LogPiece>>;
  /** A piece of any file of a run; null: it is not there. */
  readRunFile(
    id: string,
    name: string,
    offset: number,
    maxBytes: number,
  ): Promise<Result<FilePiece | null>>;
  /** A folder of a run; null: it is not there. */
  listRunFolder(id: string, name: string, limit: number): Promise<Result<FolderListing | null>>;
  /** Delivers fresh tokens when they are due. */
  refreshAccess(id: string, signal?: AbortSignal): Promise<Result<AccessNews>>;
  /** Keeps access fresh for all live jobs until the signal is aborted. */
  keepAccess(signal: AbortSignal): void;
  /** Runs that are not finished and use a key, by the id of its card; with `finished` also that many of the newest finished ones are looked at. */
  usingKey(keyId: string, finished?: number): Promise<readonly JobView[]>;
}

export interface JobServiceParts extends Omit<SubmitParts, 'clock'> {
  readonly rows: JobIndexReader & JobIndexWriter;
  readonly narrowing: NarrowingBook;
  readonly begun: BegunRuns;
  readonly log: Log;
  readonly clock?: SubmitParts['clock'];
  /** The variables of the terminal in which this program was started. */
  readonly terminal?: Readonly<Record<string, string>>;
}

export function jobService(given: JobServiceParts): JobService {
  const parts = { ...given, clock: given.clock ?? systemClock };
  const all = runs(parts.hosts, viewIndex(parts.rows), parts.clock);

  const wakers = new Set<() => void>();

  const start = async (
    run: Pick<KnownRun, 'id' | 'host'>,
    access: Access,
    options: { readonly keepStop?: boolean } = {},
  ): Promise<Result<void>> => {
    await run.host.writeFile(run.id, ACCESS_FILE, JSON.stringify(access.record));
    // Whoever carries it from now on, it is not the agent that was known; where this process ends meanwhile, the new one's announcement counts.
    parts.begun.note(run.id, { whole: [...access.narrowing.whole], inbox: null });
    const told: { key: string | null } = { key: null };
    const announced = (key: string): void => void (told.key = key);
    const secrets =
      parts.terminal === undefined
        ? access.secrets
        : { ...access.secrets, terminal: { ...parts.terminal } };
    const agent = await run.host.start(run.id, secrets, { ...options, announced });
    if (!agent.ok) return agent;
    if (told.key !== null)
      parts.begun.note(run.id, { inbox: { agent: agent.value, key: told.key } });
    for (const wake of wakers) wake();
    parts.log.info(`started the agent of ${run.id}, pid ${agent.value.pid}`);
    return ok();
  };

  /** Makes the run directory and starts its agent. */
  const begin = async (host: Host, plan: RunPlan, access: Access): Promise<Result<void>> => {
    const made = await host.createRun(plan);
    if (!made.ok) return made;
    parts.begun.note(plan.id, { plan: await checksumOfPlan({ id: plan.id, host }) });
    const started = await start({ id: plan.id, host }, access);
    if (!started.ok) {
      // A folder that no agent ever took up would only be in the way; where nobody can tell whether one did, it stays.
      const events = await host.statFile(plan.id, RUN.events);
      if (started.problem.code !== 'host.start-cut-off' && events.ok && events.value === null)
        await host.removeRun(plan.id);
      return started;
    }
    return ok();
  };

  /** Starts an agent for a run that nobody carries. */
  const takeUp = async (
    run: KnownRun,
    plan: RunPlan,
    view: JobView,
    task: Pick<AgentSecrets, 'uploadAgain'>,
    signal: AbortSignal | undefined,
  ): Promise<Result<Started>> => {
    const changed = await refuseChangedPlan(run, parts.begun);
    if (changed !== null) return fail(changed);
    const access = await gatherAccess(parts.keys, plan, parts.clock, {
      staged: isStaged(view.status),
      dispensable: true,
      ...(signal === undefined ? {} : { signal }),
    });
    if (!access.ok) return access;
    const secrets = { ...access.value.secrets, ...task };
    all.touch(run.id);
    const started = await start(run, { ...access.value, secrets });
    if (!started.ok) return started;
    return ok({
      accessExpiresAt: plan.unattended ? null : accessEnds(access.value.record),
      accessMissing: access.value.missing,
      warnings: toldOf(access.value.narrowing),
    });
  };

  const submitPrepared = async (
    prepared: Result<PreparedJob>,
    options: Parameters<JobService['submit']>[1],
  ): Promise<Result<SubmittedJob>> => {
    if (!prepared.ok) return prepared;
    const { host, plan, access, warnings, more } = prepared.value;
    options.onPlan?.(plan, warnings, more);
    if (options.signal?.aborted === true) return fail(cancelled(plan.id));
    const unasked = access.narrowing.refused.filter((one) => !parts.narrowing.isAccepted(one));
    const [first] = unasked;
    if (first !== undefined && options.onNotNarrowed !== undefined) {
      const goesAhead = await options.onNotNarrowed(unasked.map((one) => one.problem));
      if (!goesAhead) return fail(first.problem);
      for (const one of unasked) parts.narrowing.accept(one);
    }
    const started = await begin(host, plan, access);
    if (!started.ok) return started;
    return ok({
      id: plan.id,
      plan,
      warnings,
      accessExpiresAt: plan.unattended ? null : accessEnds(access.record),
      accessMissing: access.missing,
    });
  };

  return {
    submit: async (spec, options) =>
      submitPrepared(await prepareJob(parts, spec, options), options),
    submitNotebook: async (request, options) =>
      submitPrepared(await prepareNotebook(parts, request, options), options),
    async openNotebook(id) {
      const run = await all.find(id);
      if (!run.ok) return run;
      const plan = await run.value.reader.plan();
      if (!plan.ok) return plan;
      return findNotebook(run.value.host, plan.value, await run.value.reader.view());
    },
    async jobOfNotebook(id, wanted) {
      const run = await all.find(id);
      if (!run.ok) return run;
      const plan = await run.value.reader.plan();
      return plan.ok ? jobOfNotebook(run.value.host, plan.value, wanted) : plan;
    },
    async submitTransfer(request, signal) {
      const prepared = await prepareTransfer(parts, request, signal);
      if (!prepared.ok) return prepared;
      const { host, plan, access } = prepared.value;
      const started = await begin(host, plan, access);
      return started.ok ? ok({ id: plan.id }) : started;
    },
    list: () => all.list(),
    async get(id) {
      const run = await all.find(id);
      return run.ok ? ok(await run.value.reader.view()) : run;
    },
    async plan(id) {
      const run = await all.find(id);
      return run.ok ? run.value.reader.plan() : run;
    },
    async follow(id, onChange, signal) {
      const run = await all.find(id);
      return run.ok ? followRun(run.value, onChange, signal) : run;
    },
    watch: (listener) =>
      watchRuns(all, listener, (error) => parts.log.error('watching the runs', error)),
    page: (request) => all.page(request),
    async stop(id) {
      const run = await all.find(id);
      if (!run.ok) return run;
      const view = await run.value.reader.view();
      const refused = unreadable(view);
      if (refused !== null) return fail(refused);
      if (hasEnded(view.state)) return fail(over(view, 'stop'));
      const asked = await run.value.host.requestStop(id, isoTime(parts.clock));
      if (!asked.ok || view.agent !== null) return asked;
      // Nobody carries it, but its workers may still run: an agent takes it up, stops them and saves what they made.
      const plan = await run.value.reader.plan();
      if (!plan.ok) return plan;
      // Without a network it is stopped all the same; its output then waits for access.
      const changed = await refuseChangedPlan(run.value, parts.begun);
      const access =
        changed !== null
          ? fail(changed)
          : await gatherAccess(parts.keys, plan.value, parts.clock, {
              staged: true,
              dispensable: true,
            });
      all.touch(id);
      return start(run.value, access.ok ? access.value : NO_ACCESS, { keepStop: true });
    },
    async retry(id, signal) {
      const run = await all.find(id);
      if (!run.ok) return run;
      const plan = await run.value.reader.plan();
      if (!plan.ok) return plan;
      const view = await settledView(run.value);
      const refused = unreadable(view);
      if (refused !== null) return fail(refused);
      if (view.state === 'finished') {
        // What of its output was left out may be uploaded by now: somebody renamed it.
        if (!lacksOutput(view)) return fail(over(view, 'retry'));
        const again = await takeUp(run.value, plan.value, view, { uploadAgain: true }, signal);
        return again.ok ? ok({ how: 'started', ...again.value }) : again;
      }
      const withSignal = signal === undefined ? {} : { signal };
      if (view.agent !== null && !hasEnded(view.state)) {
        const news = await refreshAccess(parts, run.value, {
          ...withSignal,
          timeoutMs: DISPENSABLE_MINT_TIME,
        });
        if (!news.ok) return news;
        if (!news.value.delivered) return fail(running(id));
        return ok({
          how: 'access-delivered',
          accessExpiresAt: news.value.expiresAt,
          accessMissing: null,
          warnings: [],
        });
      }
      const started = await takeUp(run.value, plan.value, view, {}, signal);
      return started.ok ? ok({ how: 'started', ...started.value }) : started;
    },
    async uploadAgain(id, signal) {
      const run = await all.find(id);
      if (!run.ok) return run;
      const plan = await run.value.reader.plan();
      if (!plan.ok) return plan;
      const view = await settledView(run.value);
      const refused = unreadable(view);
      if (refused !== null) return fail(refused);
      if (!hasEnded(view.state)) return fail(goesOn(view));
      if (!hasOutputToUpload(view)) return fail(nothingToUpload(view));
      return takeUp(run.value, plan.value, view, { uploadAgain: true }, signal);
    },
    async readLog(id, options) {
      const run = await all.find(id);
      return run.ok ? readLog(run.value, options) : run;
    },
    async readRunFile(id, name, offset, maxBytes) {
      const run = await all.find(id);
      return run.ok ? run.value.host.readFile(id, name, offset, maxBytes) : run;
    },
    async listRunFolder(id, name, limit) {
      const run = await all.find(id);
      return run.ok ? run.value.host.listFolder(id, name, limit) : run;
    },
    async refreshAccess(id, signal) {
      const run = await all.find(id);
      if (!run.ok) return run;
      return refreshAccess(parts, run.value, signal === undefined ? {} : { signal });
    },
    keepAccess(signal) {
      keepAccess({ ...parts, runs: all, wakers }, signal).catch((error: unknown) =>
        parts.log.error('keeping access fresh', error),
      );
    },
    async usingKey(keyId, finished = 0) {
      const listed = await parts.keys.list();
      const cards = listed.ok ? listed.value : [];
      const using: JobView[] = [];
      let looked = 0;
      for (const view of await all.list()) {
        if (view.state === 'finished') looked += 1;
        if (view.state === 'finished' && looked > finished) continue;
        const run = await all.find(view.id);
        const plan = run.ok ? await run.value.reader.plan() : run;
        if (!plan.ok) continue;
        const uses = accountsOf(plan.value).some(
          (account) => account.keyId === keyId || findKeyOfAccount(cards, account)?.id === keyId,
        );
        if (uses) using.push(view);
      }
      return using;
    },
  };
}

/** The view of a run; where its agent wrote its last event and is about to leave, the view after that. */
async function settledView(run: KnownRun): Promise<JobView> {
  for (let looks = 0; ; looks += 1) {
    const view = await run.reader.view();
    if (view.agent === null || !hasEnded(view.state) || looks === LEAVING_LOOKS) return view;
    await sleep(LEAVING_EVERY);
  }
}

/** How long an agent may take to leave: ten seconds. Milliseconds. */
const LEAVING_EVERY = 100;
const LEAVING_LOOKS = 100;

const NO_SECRETS: AgentSecrets = { format: 1, tokens: [], keys: [] };
const NO_ACCESS: Access = {
  secrets: NO_SECRETS,
  record: { format: 1, tokens: [] },
  missing: null,
  narrowing: NO_NARROWING,
};
