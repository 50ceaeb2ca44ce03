import type { HandlersOf } from '../../../shared/ipc.ts';
import type { SAMPLE_CALLS } from '../../../shared/ipc/sample.ts';
import { ok } from '../../../shared/problem.ts';
import type { Services } from '../../services.ts';

export function sampleHandlers({
  sample,
}: Pick<Services, 'sample'>): HandlersOf<typeof SAMPLE_CALLS> {
  return {
    'sample-status': async () => ok(await sample.status()),
    'sample-start': () => sample.start(),
    'sample-stop': ({ remove }) => sample.stop(remove),
  };
}
