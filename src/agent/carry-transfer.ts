import type { TransferPlan } from '../shared/plan.ts';
import { endedAt, type Ending } from './ending.ts';
import type { Run } from './run.ts';
import { fetchTarget } from './stages/fetch.ts';
import { uploadFolder } from './stages/uploading.ts';

/** Carries a transfer that was asked for outside a job: one stage, `staging` for a download, `uploading` for an upload. */
export async function carryTransfer(run: Run<TransferPlan>): Promise<Ending> {
  const { plan } = run;
  const stage = plan.direction === 'download' ? 'staging' : 'uploading';
  const tell = (): void => run.events.append({ kind: 'stop-requested', graceSeconds: 0 });
  if (run.stop.asked.aborted) tell();
  else run.stop.asked.addEventListener('abort', tell, { once: true });
  run.events.append({ kind: 'stage-started', stage });
  const done =
    plan.target !== null && plan.direction === 'download'
      ? await fetchTarget(run, { ...plan, target: plan.target }, plan.path)
      : await uploadFolder(run, {
          ...plan,
          prefix: plan.prefix ?? '',
          names: plan.names,
          source: plan.path,
          journal: 'upload.jsonl',
          signal: run.stop.asked,
        });
  if (!done.ok) return endedAt(run, stage, done.problem);
  run.events.append({ kind: 'stage-ended', stage });
  return { state: 'finished', stage: null, problem: null };
}
