import type { HandlersOf } from '../../../shared/ipc.ts';
import type { JOB_CALLS } from '../../../shared/ipc/jobs.ts';
import { ok } from '../../../shared/problem.ts';
import type { Services } from '../../services.ts';
import { withoutValue } from './without-value.ts';

export function jobHandlers({ jobs }: Services): HandlersOf<typeof JOB_CALLS> {
  return {
    'jobs-list': async () => ok([...(await jobs.list())]),
    'jobs-stop': async ({ id }) => withoutValue(await jobs.stop(id)),
    'jobs-retry': async ({ id }) => withoutValue(await jobs.retry(id)),
    'jobs-read-log': async ({ id, source, offset, maxBytes }) => {
      const read = await jobs.readLog(id, { worker: source, offset, maxBytes });
      // A view into a larger buffer would cross with all of it.
      return read.ok ? ok({ ...read.value, bytes: Uint8Array.from(read.value.bytes) }) : read;
    },
  };
}
