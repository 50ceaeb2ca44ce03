import type { JobView } from '../../../shared/views.ts';
import { canRetry, canStop, canUploadAgain, retryWord } from './job-view-model.ts';

export type JobAction = 'retry' | 'upload-again' | 'run-again' | 'stop';

export interface OfferedAction {
  readonly action: JobAction;
  /** On its button, and in the palette. */
  readonly label: string;
}

/** What can be done with a job now, in the order of the buttons. `canFill`: the form of a new job is there. Pure. */
export function actionsOf(job: JobView, canFill: boolean): readonly OfferedAction[] {
  // Nothing of it can be understood, or taken up.
  if (job.unreadable === true) return [];
  const offered: readonly (OfferedAction & { readonly is: boolean })[] = [
    { action: 'retry', label: retryWord(job), is: canRetry(job) },
    { action: 'upload-again', label: 'Upload again', is: canUploadAgain(job) },
    { action: 'run-again', label: 'Run again', is: canFill && job.kind === 'training' },
    { action: 'stop', label: stopWord(job), is: canStop(job) },
  ];
  return offered.filter(({ is }) => is).map(({ action, label }) => ({ action, label }));
}

function stopWord({ kind, output }: JobView): string {
  if (kind === 'transfer') return 'Pause';
  return kind === 'notebook' && output !== null ? 'Stop and upload' : 'Stop';
}
