import { stringify } from 'yaml';
import type { HandlersOf } from '../../../shared/ipc.ts';
import { MAX_LOG_BYTES, type JOB_CALLS } from '../../../shared/ipc/jobs.ts';
import type { TransferPlan } from '../../../shared/plan.ts';
import { ok } from '../../../shared/problem.ts';
import { findInLog } from '../../jobs/find-in-log.ts';
import { listOutput, readEvents, readManifest, readSamples } from '../../jobs/inspect.ts';
import { specToRunAgain } from '../../jobs/run-again.ts';
import { outputKey } from '../../jobs/output-key.ts';
import { saveLog } from '../../jobs/save-log.ts';
import type { Services } from '../../services.ts';
import type { WindowShell } from '../window-shell.ts';
import { withoutValue } from './without-value.ts';

export function jobHandlers(
  { jobs, keys }: Pick<Services, 'jobs' | 'keys'>,
  shell: Pick<WindowShell, 'saveAs' | 'stopAsked'>,
): HandlersOf<typeof JOB_CALLS> {
  return {
    'jobs-list': async () => ok([...(await jobs.list())]),
    'jobs-page': async (request) => {
      const page = await jobs.page(request);
      return ok({ ...page, jobs: [...page.jobs] });
    },
    'jobs-stop': async ({ id }) => {
      shell.stopAsked(id);
      return withoutValue(await jobs.stop(id));
    },
    'jobs-retry': async ({ id }) => withoutValue(await jobs.retry(id)),
    'jobs-upload-again': async ({ id }) => withoutValue(await jobs.uploadAgain(id)),
    'jobs-read-log': async ({ id, source, offset, maxBytes }) => {
      const read = await jobs.readLog(id, { worker: source, offset, maxBytes });
      // A view into a larger buffer would cross with all of it.
      return read.ok ? ok({ ...read.value, bytes: Uint8Array.from(read.value.bytes) }) : read;
    },
    'jobs-find-in-log': async ({ id, source, text, from, direction }) => {
      const found = await findInLog({
        read: (offset, maxBytes) => jobs.readLog(id, { worker: source, offset, maxBytes }),
        text,
        from,
        direction,
      });
      return found.ok ? ok({ line: found.value }) : found;
    },
    'jobs-save-log': async ({ id, source }) => {
      const name = source === 'stage' ? `${id}-stages.log` : `${id}-worker-${source}.log`;
      const path = await shell.saveAs('Save the log', name);
      if (path === null) return ok(null);
      const saved = await saveLog(
        (offset) => jobs.readLog(id, { worker: source, offset, maxBytes: MAX_LOG_BYTES }),
        path,
      );
      return saved.ok ? ok(path) : saved;
    },
    'jobs-samples': async ({ id, offset }) => {
      const read = await readSamples(jobs, id, offset);
      if (!read.ok) return read;
      const { lines, ...rest } = read.value;
      return ok({ samples: [...lines], ...rest });
    },
    'jobs-events': async ({ id, offset }) => {
      const read = await readEvents(jobs, id, offset);
      if (!read.ok) return read;
      const { lines, ...rest } = read.value;
      return ok({ events: [...lines], ...rest });
    },
    'jobs-output-folder': ({ id, path }) => listOutput(jobs, id, path),
    'jobs-manifest': async ({ id, offset }) => {
      const page = await readManifest(jobs, id, offset);
      if (!page.ok) return page;
      if (page.value === null) return ok(null);
      return ok({ ...page.value, key: await outputKey({ jobs, keys }, id) });
    },
    'jobs-spec': async ({ id }) => {
      const plan = await jobs.plan(id);
      if (!plan.ok) return plan;
      const { value } = plan;
      return ok(
        stringify(value.kind === 'transfer' ? describeTransfer(value) : specToRunAgain(value), {
          lineWidth: 0,
        }),
      );
    },
  };
}

/** A transfer has no job file: what it was asked to do. */
function describeTransfer(plan: TransferPlan) {
  const { name, host, direction, bucket, target, prefix, path, account } = plan;
  return { name, host, direction, bucket, target, prefix, path, key: account?.name ?? null };
}
