import { getObject, listAll, saysAbsent } from '../google/listing.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import type { InputTarget } from '../shared/plan.ts';
import { fail, ok, type Result } from '../shared/problem.ts';
import type { Wire } from './wire.ts';

export interface Listed {
  readonly objects: readonly ObjectInfo[];
  /** Items of the listing that are no objects, in words: see listing.ts. */
  readonly odd: readonly string[];
}

/** The objects of a target as the bucket has them now: a listing, or one object's metadata. Errors: those of src/google's listing. */
export async function listTarget(wire: Wire, target: InputTarget): Promise<Result<Listed>> {
  const { endpoints, tokens, bucket, signal } = wire;
  if (target.kind !== 'folder') {
    const object = await getObject({ endpoints, tokens, bucket, name: target.object, signal });
    if (object.ok) return ok({ objects: [object.value], odd: [] });
    const { subject } = object.problem;
    return saysAbsent(object.problem)
      ? fail({
          ...object.problem,
          code: 'storage.object-not-found',
          message: `There is no object ${subject}.`,
          hint: 'It may have been deleted or replaced since the start. Put it there, then try again.',
        })
      : object;
  }
  // A name that comes twice, as where pages were kept by a proxy, is one object: as it was told last.
  const objects = new Map<string, ObjectInfo>();
  const odd: string[] = [];
  const pages = listAll({
    endpoints,
    tokens,
    bucket,
    prefix: target.prefix,
    delimiter: false,
    signal,
  });
  for await (const page of pages) {
    if (!page.ok) return page;
    for (const object of page.value.objects) objects.set(object.name, object);
    odd.push(...(page.value.odd ?? []));
  }
  return ok({ objects: [...objects.values()], odd });
}
