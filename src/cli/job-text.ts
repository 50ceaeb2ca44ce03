import { ignoredText } from '../shared/events.ts';
import { hasEnded, type JobStatus, type WorkerStatus } from '../shared/job-status.ts';
import { gpusAwaitedText } from '../shared/gpus-awaited.ts';
import type { WorkerKeyMode } from '../shared/job-spec.ts';
import { leftOutText } from '../shared/left-out.ts';
import { pythonText } from '../shared/terminal-environment.ts';
import type { JobView } from '../shared/views.ts';
import { progressText } from './progress.ts';
import { formatBytes, formatSeconds, formatTime, plural, printable } from './format.ts';
import { table, type Output } from './output.ts';

/** The state in one word or two: waiting for access, and what cannot be read, are said, though they are no states of their own. */
export function stateWord(job: JobView): string {
  if (job.unreadable === true) return job.agent === null ? 'unreadable' : 'running (unreadable)';
  return job.status.accessAwaited === null || hasEnded(job.state)
    ? job.state
    : `${job.state} (needs access)`;
}

/** `exit status 1`, `SIGKILL`, `` while it runs. Of one whose supervisor was ended nobody learns how it ended. */
export function workerEnd(worker: WorkerStatus): string {
  if (worker.signal !== null) return worker.signal;
  if (worker.exitCode !== null) return `exit status ${worker.exitCode}`;
  return worker.state === 'pending' || worker.state === 'running'
    ? ''
    : 'nobody saw how it ended, because its supervisor is gone';
}

/** What workers get, by the mode of their key. */
export const MODE_TEXT: Readonly<Record<WorkerKeyMode, string>> = {
  token: "tokens for the job's own input and output alone",
  'account-token': 'tokens for everything that the account may do',
  'key-file': 'the whole key, in a file',
};

/** How many of what was left out are named. */
const LEFT_OUT_NAMED = 20;

/** Everything of one job, for people. */
export function describeJob(job: JobView, output: Output): readonly string[] {
  const { status } = job;
  const title = (text: string) => output.paint('dim', text.padEnd(10), output.stdout);
  const lines = [
    `${title('Job')}${job.id}`,
    `${title('Name')}${printable(job.name)}`,
    `${title('State')}${stateWord(job)}`,
    `${title('Host')}${job.host}`,
    `${title('Submitted')}${formatTime(job.createdAt)}`,
    `${title('Folder')}${printable(job.runDirectory)}`,
    `${title('Output')}${job.output === null ? 'stays in the folder' : printable(job.output)}`,
  ];
  for (const { name, mode } of job.workerKeys ?? [])
    lines.push(`${title('Keys')}workers get ${printable(name)}, mode ${mode}: ${MODE_TEXT[mode]}`);
  if (status.code !== null) lines.push(`${title('Code')}${codeText(status)}`);
  if (status.environment !== undefined)
    lines.push(
      `${title('Python')}${printable(pythonText(status.environment).replace(/^python /, ''))}`,
    );
  if (job.agent !== null) lines.push(`${title('Agent')}process ${job.agent.pid}`);
  if (status.uploaded !== null)
    lines.push(
      `${title('Uploaded')}${plural(status.uploaded.objects, 'object')}, ${formatBytes(status.uploaded.bytes)}`,
    );
  lines.push('');
  for (const stage of job.unreadable === true ? [] : status.stages) {
    const took =
      stage.startedAt === null
        ? ''
        : formatSeconds(
            (timeOf(stage.endedAt) ?? Date.now()) / 1000 - (timeOf(stage.startedAt) ?? 0) / 1000,
          );
    const progress =
      stage.state === 'active' && stage.progress !== null
        ? progressText('', stage.progress).trim()
        : '';
    lines.push(
      `${stage.stage.padEnd(10)}  ${stage.state.padEnd(11)}  ${took.padEnd(10)}  ${progress}`.trimEnd(),
    );
  }
  if (job.workers.length > 0)
    lines.push(
      '',
      ...table(
        [
          { title: 'Worker', align: 'right' },
          { title: 'State' },
          { title: 'Process', align: 'right' },
          { title: 'End' },
          { title: 'GPUs' },
        ],
        job.workers.map((worker) => [
          String(worker.index),
          worker.state,
          worker.pid === null ? '' : String(worker.pid),
          workerEnd(worker),
          worker.gpus.map((gpu) => `${gpu.index}: ${gpu.name}`).join(', '),
        ]),
        (text) => output.paint('bold', text, output.stdout),
      ),
    );
  const notes = [
    ...status.leftOut.map((left) => leftOutText(left, LEFT_OUT_NAMED)),
    ...status.warnings,
    ...(status.accessAwaited === null ? [] : [status.accessAwaited]),
    ...(status.gpusAwaited === null ? [] : [gpusAwaitedText(status.gpusAwaited)]),
    ...(status.problem === null ? [] : [status.problem]),
  ];
  for (const note of notes) {
    lines.push('', printable(note.message));
    if (note.hint !== '') lines.push(`  ${printable(note.hint)}`);
  }
  if (job.state === 'interrupted' && status.problem === null)
    lines.push('', 'Nothing carries this job on.', `  Go on with \`trainyard retry ${job.id}\`.`);
  return lines;
}

/** `commit 1a2b3c4 on main, with changes that no commit has, not pushed` */
export function codeText(status: JobStatus): string {
  const { code } = status;
  if (code === null) return 'no git checkout';
  const ignored = printable(ignoredText(code));
  if (code.commit === null)
    return ['no git checkout', ignored].filter((part) => part !== '').join('; ');
  const parts = [
    `commit ${code.commit.slice(0, 12)}${code.branch === null ? '' : ` on ${printable(code.branch)}`}`,
  ];
  if (code.dirty === true) parts.push('with changes that no commit has');
  if (code.unpushed === true) parts.push('with commits that no remote has');
  return [parts.join(', '), ignored].filter((part) => part !== '').join('; ');
}

function timeOf(iso: string | null): number | null {
  return iso === null ? null : new Date(iso).getTime();
}
