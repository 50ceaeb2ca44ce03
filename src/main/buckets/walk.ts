import { listAll, type ListPage, type ListRequest } from '../../google/listing.ts';
import { totalOf, type ObjectInfo } from '../../shared/object-info.ts';
import { ok, type Result } from '../../shared/problem.ts';

/** How far a walk through everything below a prefix is. */
export interface Walked {
  readonly objects: number;
  /** As stored. */
  readonly bytes: number;
  /** Of how many the size is not told. */
  readonly untold: number;
}

export interface Found extends Walked {
  readonly matches: readonly ObjectInfo[];
  /** It stopped at the most matches that were asked for: there may be more. */
  readonly more: boolean;
}

type Below = Omit<ListRequest, 'pageToken' | 'pageSize' | 'delimiter'>;

/** Counts objects and bytes below a prefix, page by page. Errors: those of `listPage`. */
export function measureBelow(
  request: Below,
  onPage: (walked: Walked) => void,
): Promise<Result<Walked>> {
  return walk(request, (_page, walked) => {
    onPage(walked);
    return true;
  });
}

export interface SearchRequest extends Below {
  /** Looked for in the part of the names after the prefix, in either case. */
  readonly text: string;
  readonly maxMatches: number;
}

/** Looks through the names of everything below a prefix. `onPage` gets what is new. Errors: those of `listPage`. */
export async function searchBelow(
  request: SearchRequest,
  onPage: (walked: Walked, fresh: readonly ObjectInfo[]) => void,
): Promise<Result<Found>> {
  const { text, maxMatches, ...below } = request;
  const wanted = text.toLowerCase();
  const matches: ObjectInfo[] = [];
  let more = false;
  const walked = await walk(below, (page, so) => {
    const fresh = page.objects.filter(({ name }) =>
      name.slice(below.prefix.length).toLowerCase().includes(wanted),
    );
    const taken = fresh.slice(0, maxMatches - matches.length);
    matches.push(...taken);
    more = taken.length < fresh.length;
    onPage(so, taken);
    return !more;
  });
  return walked.ok ? ok({ ...walked.value, matches, more }) : walked;
}

async function walk(
  below: Below,
  onPage: (page: ListPage, walked: Walked) => boolean,
): Promise<Result<Walked>> {
  let walked: Walked = { objects: 0, bytes: 0, untold: 0 };
  for await (const page of listAll({ ...below, delimiter: false })) {
    if (!page.ok) return page;
    const { bytes, untold } = totalOf(page.value.objects);
    walked = {
      objects: walked.objects + page.value.objects.length,
      bytes: walked.bytes + bytes,
      untold: walked.untold + untold,
    };
    if (!onPage(page.value, walked)) break;
  }
  return ok(walked);
}
