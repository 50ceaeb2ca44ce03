import type { JobStatus, StageStatus, WorkerStatus } from '../shared/job-status.ts';
import { gpusAwaitedText, type GpusAwaited } from '../shared/gpus-awaited.ts';
import { leftOutText } from '../shared/left-out.ts';
import { STAGES } from '../shared/stages.ts';
import { pythonText } from '../shared/terminal-environment.ts';
import type { JobView } from '../shared/views.ts';
import {
  formatBytes,
  formatCount,
  formatSeconds,
  plural,
  printable,
  skippedText,
} from './format.ts';
import { codeText, workerEnd } from './job-text.ts';
import { progressText } from './progress.ts';

/** A line for whoever follows a job. */
export interface News {
  readonly kind: 'step' | 'warning';
  readonly text: string;
  readonly hint?: string;
}

/** News and when it happened: several things may lie between two looks. */
interface Dated {
  readonly at: string;
  readonly news: News;
}

/** How many of what was left out are named at once. */
const NAMED = 3;

/** Sorts after every time. */
const NOW = '~';

/** What happened between two looks at a job, in the order in which it happened. Pure. */
export function newsBetween(before: JobView | null, now: JobView): readonly News[] {
  const dated: Dated[] = [];
  const step = (at: string | null, text: string) =>
    dated.push({ at: at ?? NOW, news: { kind: 'step', text } });
  const warn = (about: { readonly message: string; readonly hint: string }) =>
    dated.push({
      at: NOW,
      news: { kind: 'warning', text: printable(about.message), hint: printable(about.hint) },
    });
  const { status } = now;
  for (const stage of status.stages) {
    const known = before?.status.stages.find((other) => other.stage === stage.stage);
    if (stage.startedAt !== null && beganBetween(before, known, stage))
      step(stage.startedAt, stage.stage);
    if (stage.stage === 'staging' && status.code !== null && (before?.status.code ?? null) === null)
      step(stage.startedAt, `  code: ${codeText(status)}`);
    if (stage.state === 'done' && known?.state !== 'done') {
      const text = stageEnd(stage, status);
      if (text !== null) step(stage.endedAt, text);
    }
  }
  const { environment } = status;
  if (
    environment !== undefined &&
    JSON.stringify(environment) !== JSON.stringify(before?.status.environment)
  )
    step(NOW, `  workers get ${printable(pythonText(environment))}`);
  for (const worker of now.workers)
    dated.push(
      ...workerNews(
        before?.workers.find((other) => other.index === worker.index),
        worker,
      ),
    );
  // What of the output was left out is told at the end.
  for (const left of status.leftOut.filter(({ what }) => what !== 'output')) {
    const known = before?.status.leftOut.find(({ what }) => what === left.what);
    if (JSON.stringify(known) !== JSON.stringify(left)) warn(leftOutText(left, NAMED));
  }
  status.warnings.slice(before?.status.warnings.length ?? 0).forEach(warn);
  if (status.stopRequested && before?.status.stopRequested !== true) step(null, 'stop asked for');
  const cards = status.gpusAwaited;
  if (cards !== null && JSON.stringify(cards) !== JSON.stringify(before?.status.gpusAwaited))
    step(null, `  ${printable(gpusLine(cards))}`);
  const awaited = status.accessAwaited;
  const awaitedBefore = before?.status.accessAwaited ?? null;
  if (awaited !== null && awaitedBefore === null) warn(awaited);
  if (awaited === null && awaitedBefore !== null) step(null, '  access renewed');
  return dated.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).map(({ news }) => news);
}

/** What is waited for; and, where somebody can do something, what. */
function gpusLine(cards: GpusAwaited): string {
  const { message, hint, isToDo } = gpusAwaitedText(cards);
  return isToDo ? `${message} ${hint}` : message;
}

/** Whether a stage began, or was taken up with workers that had begun earlier. */
function beganBetween(
  before: JobView | null,
  known: StageStatus | undefined,
  { state, startedAt }: StageStatus,
): boolean {
  if (startedAt === null) return false;
  if (known === undefined || known.startedAt === null || known.startedAt < startedAt) return true;
  return state === 'active' && (known.state === 'pending' || before?.state === 'interrupted');
}

function workerNews(before: WorkerStatus | undefined, now: WorkerStatus): readonly Dated[] {
  const dated: Dated[] = [];
  const step = (at: string | null, text: string) =>
    dated.push({ at: at ?? NOW, news: { kind: 'step', text } });
  if (now.starts > 0 && now.starts !== before?.starts) {
    const gpus = now.gpus.map((gpu) => `GPU ${gpu.index}`).join(', ');
    const details = [`process ${now.pid ?? 0}`, ...(gpus === '' ? [] : [gpus])].join(', ');
    step(now.startedAt, `  worker ${now.index} started (${details})`);
  }
  const ended = now.state !== 'pending' && now.state !== 'running';
  if (ended && (before?.state !== now.state || before.starts !== now.starts)) {
    const took =
      now.startedAt === null || now.endedAt === null
        ? ''
        : ` after ${formatSeconds(secondsBetween(now.startedAt, now.endedAt))}`;
    const end = now.state === 'finished' ? '' : `: ${workerEnd(now)}`;
    step(now.endedAt, `  worker ${now.index} ${now.state}${took}${end}`);
  }
  return dated;
}

function stageEnd(stage: StageStatus, { staged, uploaded }: JobStatus): string | null {
  const { progress, startedAt, endedAt } = stage;
  if (startedAt === null || endedAt === null) return null;
  // The last progress of an upload may be that of the manifest alone, that of a download counts what was not there.
  const hasInput = stage.stage === 'staging' && staged !== null && staged.objects > 0;
  const moved = stage.stage === 'uploading' ? uploaded : hasInput ? staged : progress;
  if (moved === null || moved.objects === 0) return null;
  const took = formatSeconds(secondsBetween(startedAt, endedAt));
  const skipped = hasInput ? skippedText(staged.objects, staged.skipped) : '';
  return `  ${plural(moved.objects, 'object')}, ${formatBytes(moved.bytes)} in ${took}${skipped}`;
}

/** The live line: how far the stage is; empty where that is no more than the news says. Pure. */
export function liveText(job: JobView): string {
  const active = job.status.stages.find((stage) => stage.state === 'active');
  if (active === undefined) return STAGES.some((stage) => stage === job.state) ? '' : job.state;
  if (job.status.accessAwaited !== null) return `${active.stage}: waits for access`;
  if (active.stage === 'waiting' && job.status.gpusAwaited !== null) {
    const { needed, free } = job.status.gpusAwaited;
    return `waiting: ${formatCount(free)} of ${plural(needed, 'GPU')} free`;
  }
  if (active.stage === 'running') {
    const running = job.workers.filter((worker) => worker.state === 'running').length;
    return running === 0
      ? ''
      : `running: ${formatCount(running)} of ${plural(job.workers.length, 'worker')}`;
  }
  return active.progress === null ? '' : progressText(active.stage, active.progress);
}

const secondsBetween = (from: string, to: string): number =>
  (new Date(to).getTime() - new Date(from).getTime()) / 1000;
