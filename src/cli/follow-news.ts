import type { JobStatus, StageStatus, WorkerStatus } from '../shared/job-status.ts';
import type { JobView } from '../shared/views.ts';
import { formatBytes, formatCount, formatSeconds, plural, printable } from './format.ts';
import { codeText, workerEnd } from './job-text.ts';
import { progressText } from './progress.ts';

/** A line for whoever follows a job. */
export interface News {
  readonly kind: 'step' | 'warning';
  readonly text: string;
  readonly hint?: string;
}

/** What happened between two looks at a job, in the order in which it is told. Pure. */
export function newsBetween(before: JobView | null, now: JobView): readonly News[] {
  const news: News[] = [];
  const step = (text: string) => news.push({ kind: 'step', text });
  for (const stage of now.status.stages) {
    const known = before?.status.stages.find((other) => other.stage === stage.stage);
    if (stage.startedAt !== null && stage.startedAt !== known?.startedAt) step(stage.stage);
    if (stage.state === 'done' && known?.state !== 'done') {
      const text = stageEnd(stage, now.status.uploaded);
      if (text !== null) step(text);
    }
  }
  if (now.status.code !== null && (before?.status.code ?? null) === null)
    step(`  code: ${codeText(now.status)}`);
  for (const worker of now.workers) {
    const known = before?.workers.find((other) => other.index === worker.index);
    news.push(...workerNews(known, worker));
  }
  for (const warning of now.status.warnings.slice(before?.status.warnings.length ?? 0))
    news.push({ kind: 'warning', text: printable(warning.message), hint: printable(warning.hint) });
  if (now.status.stopRequested && before?.status.stopRequested !== true) step('stop asked for');
  const awaited = now.status.accessAwaited;
  const awaitedBefore = before?.status.accessAwaited ?? null;
  if (awaited !== null && awaitedBefore === null)
    news.push({ kind: 'warning', text: printable(awaited.message), hint: printable(awaited.hint) });
  if (awaited === null && awaitedBefore !== null) step('  access renewed');
  return news;
}

function workerNews(before: WorkerStatus | undefined, now: WorkerStatus): readonly News[] {
  const news: News[] = [];
  const step = (text: string) => news.push({ kind: 'step', text });
  if (now.starts > 0 && now.starts !== before?.starts) {
    const gpus = now.gpus.map((gpu) => `GPU ${gpu.index}`).join(', ');
    const details = [`process ${now.pid ?? 0}`, ...(gpus === '' ? [] : [gpus])].join(', ');
    step(`  worker ${now.index} started (${details})`);
  }
  const ended = now.state !== 'pending' && now.state !== 'running';
  if (ended && (before?.state !== now.state || before.starts !== now.starts)) {
    const took =
      now.startedAt === null || now.endedAt === null
        ? ''
        : ` after ${formatSeconds(secondsBetween(now.startedAt, now.endedAt))}`;
    const end = now.state === 'finished' ? '' : `: ${workerEnd(now)}`;
    step(`  worker ${now.index} ${now.state}${took}${end}`);
  }
  return news;
}

function stageEnd(stage: StageStatus, uploaded: JobStatus['uploaded']): string | null {
  const { progress, startedAt, endedAt } = stage;
  if (startedAt === null || endedAt === null) return null;
  // The last progress of an upload may be that of the manifest alone.
  const moved = stage.stage === 'uploading' ? uploaded : progress;
  if (moved === null || moved.objects === 0) return null;
  const took = formatSeconds(secondsBetween(startedAt, endedAt));
  return `  ${plural(moved.objects, 'object')}, ${formatBytes(moved.bytes)} in ${took}`;
}

/** The live line: how far the stage is. Pure. */
export function liveText(job: JobView): string {
  const active = job.status.stages.find((stage) => stage.state === 'active');
  if (active === undefined) return job.state;
  if (job.status.accessAwaited !== null) return `${active.stage}: waits for access`;
  if (active.stage === 'running') {
    const running = job.workers.filter((worker) => worker.state === 'running').length;
    return `running: ${formatCount(running)} of ${plural(job.workers.length, 'worker')}`;
  }
  return active.progress === null ? active.stage : progressText(active.stage, active.progress);
}

const secondsBetween = (from: string, to: string): number =>
  (new Date(to).getTime() - new Date(from).getTime()) / 1000;
