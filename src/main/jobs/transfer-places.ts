import { formatGcsAddress } from '../../shared/address.ts';
import type { TransferPlan } from '../../shared/plan.ts';
import type { TransferPlaces } from '../../shared/views.ts';

/** Between which places a transfer goes, as its plan says it. Pure. */
export function transferPlaces(plan: TransferPlan): TransferPlaces {
  const { direction, bucket, target, prefix, path, names } = plan;
  const below =
    prefix ?? (target === null ? '' : target.kind === 'folder' ? target.prefix : target.object);
  const local =
    names === null
      ? path
      : names.length === 1
        ? `${path}/${names[0] ?? ''}`
        : `${path} (${names.length} entries)`;
  return { direction, address: formatGcsAddress({ bucket, path: below }), local };
}
