import { asPrefix, formatGcsAddress, type GcsAddress } from '../shared/address.ts';
import type { ArchiveFormat } from '../shared/job-spec.ts';
import type { InputTarget } from '../shared/plan.ts';
import { fail, ok, problem, type Problem, type Result } from '../shared/problem.ts';
import type { StorageAccess } from './client.ts';
import { askForGrant, type GrantSubject } from './grants.ts';
import { getObject, listAll } from './listing.ts';

const OP = 'look at the input';

/** Longest first, so that `.tar.gz` is not taken for something that ends in `.gz`. */
const ENDINGS: readonly (readonly [string, ArchiveFormat])[] = [
  ['.tar.bz2', 'tar.bz2'],
  ['.tar.gz', 'tar.gz'],
  ['.tgz', 'tgz'],
  ['.tar', 'tar'],
  ['.zip', 'zip'],
];

/** The format of an archive by the ending of its name, in either case; null for everything else. A name that is nothing but the ending is none. */
export function archiveFormatOf(path: string): ArchiveFormat | null {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  const found = ENDINGS.find(([ending]) => name.endsWith(ending) && name.length > ending.length);
  return found?.[1] ?? null;
}

/** What lies at an address, as two questions found out. */
export interface Findings {
  /** Objects below `path/`, other than the empty one that stands for the folder itself. */
  readonly below: boolean;
  /** That empty one is there: a folder without anything in it. */
  readonly marker: boolean;
  /** An object of exactly this name. */
  readonly object: boolean;
  /** Why nobody can say whether there is one: its reading was refused, and its name is in no listing that the account may see. */
  readonly refused?: Problem | null;
}

/** Decides what an address without an archive ending and without a slash at its end means. Pure. */
export function decideInput(address: GcsAddress, findings: Findings): Result<InputTarget> {
  const text = formatGcsAddress(address);
  if (findings.below && findings.object)
    return fail(
      problem({
        code: 'input.address-ambiguous',
        op: OP,
        subject: text,
        message: `${text} is an object, and there are objects below ${text}/ too. Which of them is meant?`,
        hint: `For the folder write ${text}/ with the slash. For the single object give it a name of its own (copy or rename it), as this address names both.`,
      }),
    );
  if (findings.below) return ok({ kind: 'folder', prefix: asPrefix(address.path) });
  if (findings.object) return ok({ kind: 'object', object: address.path });
  const { refused = null } = findings;
  return fail(refused === null ? nothingThere(address, findings.marker) : refused);
}

function nothingThere(address: GcsAddress, marker: boolean): Problem {
  const text = formatGcsAddress(address);
  const whole = address.path === '';
  return problem({
    code: 'input.nothing-there',
    op: OP,
    subject: text,
    message: whole
      ? `The bucket ${text} is empty.`
      : marker
        ? `The folder ${text} is empty.`
        : address.path.endsWith('/')
          ? `There is nothing below ${text}`
          : `There is nothing at ${text}: no object of that name, and none below ${text}/`,
    hint: whole
      ? 'Put the data in the bucket first, or check its name.'
      : `Check the address for a typing mistake, also in upper and lower case: \`trainyard ls gs://${address.bucket}/\` shows what is there.`,
  });
}

/** A refused listing, with what the job will need: the listing itself, and reading what is listed. */
function listingRefused(refusal: Problem, subject: GrantSubject): Problem {
  return {
    ...refusal,
    op: OP,
    hint: `Two grants are needed to fetch a folder. ${askForGrant('storage.objects.list', subject)} ${askForGrant('storage.objects.get', subject)} New grants take a few minutes to work.`,
  };
}

export interface InputRequest extends StorageAccess {
  readonly address: GcsAddress;
}

/** Looks below a prefix: two objects tell a folder's empty marker from its contents. A page may be empty though more follow. */
async function lookBelow(
  request: InputRequest,
  prefix: string,
): Promise<Result<Pick<Findings, 'below' | 'marker'>>> {
  const { address, ...access } = request;
  let marker = false;
  const pages = listAll({
    ...access,
    bucket: address.bucket,
    prefix,
    delimiter: false,
    pageSize: 2,
  });
  for await (const page of pages) {
    if (!page.ok)
      return page.problem.code === 'access.list-refused'
        ? fail(
            listingRefused(page.problem, {
              bucket: address.bucket,
              prefix,
              email: access.tokens?.email ?? null,
            }),
          )
        : page;
    marker ||= page.value.objects.some((object) => object.name === prefix);
    if (page.value.objects.some((object) => object.name !== prefix))
      return ok({ below: true, marker });
  }
  return ok({ below: false, marker });
}

type Single = Required<Pick<Findings, 'object' | 'refused'>>;

/** Whether an object is there, as far as the account may know: refused (403; 401 for one without a credential) counts as not there. */
async function lookAtObject(request: InputRequest): Promise<Result<Single>> {
  const { address, ...access } = request;
  const found = await getObject({ ...access, bucket: address.bucket, name: address.path });
  if (found.ok) return ok({ object: true, refused: null });
  switch (found.problem.code) {
    case 'storage.object-not-found':
    case 'input.object-name':
    // So Google says that there is no object to whoever could read it and may not list.
    case 'access.list-refused':
      return ok({ object: false, refused: null });
    case 'access.get-refused':
    case 'access.credential-needed':
      return ok({ object: false, refused: found.problem });
    default:
      return found;
  }
}

/** The first name that begins with a prefix; null for none. */
async function firstName(
  request: Pick<Parameters<typeof listAll>[0], keyof StorageAccess | 'bucket' | 'prefix'>,
): Promise<Result<string | null>> {
  for await (const page of listAll({ ...request, delimiter: false, pageSize: 1 })) {
    if (!page.ok) return page;
    const [first] = page.value.objects;
    if (first !== undefined) return ok(first.name);
  }
  return ok(null);
}

/**
 * What is to be said where nothing is below an address and reading the one object of that name was refused: whoever may list knows whether it is
 * there, and others are told that it may be. Null: it is not there.
 */
async function explainRefusal(
  request: InputRequest,
  refused: Problem,
  marker: boolean,
): Promise<Problem | null> {
  const { address, ...access } = request;
  const text = formatGcsAddress(address);
  const common = { ...refused, op: OP, subject: text };
  // Of all names that begin with it the name itself is the first.
  const first = await firstName({ ...access, bucket: address.bucket, prefix: address.path });
  if (first.ok) return first.value === address.path ? common : null;
  const email = access.tokens?.email ?? null;
  return {
    ...common,
    message: `There is nothing at ${text} that ${email ?? 'someone without a credential'} may read: ${marker ? `the folder ${text}/ is empty` : `nothing below ${text}/`}, and no object of that name, or one that is refused.`,
    hint: `Check the address for a typing mistake, also in upper and lower case. Where it is right: ${askForGrant('storage.objects.get', { bucket: address.bucket, object: address.path, email })} A new grant takes a few minutes to work.`,
  };
}

/**
 * What an input address names: an archive ending is one object, to be unpacked; a `/` at the end (and the whole bucket) is everything below;
 * otherwise something below `path/` means a folder, nothing there means one object, and both is refused with the question.
 *
 * A refusal to read the single object counts as not there, and is told where there is nothing else; a refusal to list is reported with the grants
 * for it. Errors: `access.get-refused`, `access.credential-needed`, `input.nothing-there`, `input.address-ambiguous`, those of `listPage` and `getObject`.
 */
export async function resolveInput(request: InputRequest): Promise<Result<InputTarget>> {
  const { address, ...access } = request;
  const format = archiveFormatOf(address.path);
  if (format !== null && !address.path.endsWith('/')) {
    const found = await getObject({ ...access, bucket: address.bucket, name: address.path });
    if (found.ok) return ok({ kind: 'archive', object: address.path, format });
    return found.problem.code === 'storage.object-not-found'
      ? fail(nothingAtArchive(address))
      : found;
  }
  if (address.path === '' || address.path.endsWith('/')) {
    const looked = await lookBelow(request, address.path);
    if (!looked.ok) return looked;
    return looked.value.below
      ? ok({ kind: 'folder', prefix: address.path })
      : fail(nothingThere(address, looked.value.marker));
  }
  const [looked, there] = await Promise.all([
    lookBelow(request, asPrefix(address.path)),
    lookAtObject(request),
  ]);
  if (!looked.ok) return looked;
  if (!there.ok) return there;
  const { object } = there.value;
  const refused =
    there.value.refused === null || looked.value.below
      ? null
      : await explainRefusal(request, there.value.refused, looked.value.marker);
  return decideInput(address, { ...looked.value, object, refused });
}

function nothingAtArchive(address: GcsAddress): Problem {
  const text = formatGcsAddress(address);
  return problem({
    code: 'input.nothing-there',
    op: OP,
    subject: text,
    message: `There is no archive ${text}.`,
    hint: `Check the address for a typing mistake: \`trainyard ls gs://${address.bucket}/\` shows what is there. A folder of that name is written with a slash at its end.`,
  });
}
