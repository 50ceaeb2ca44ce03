import { asPrefix, formatGcsAddress, type GcsAddress } from '../shared/address.ts';
import type { InputTarget } from '../shared/plan.ts';
import { areaOf, fail, ok, problem, type Problem, type Result } from '../shared/problem.ts';
import { archiveFormatOf } from './archive-format.ts';
import type { StorageAccess } from './client.ts';
import { askForGrant } from './grants.ts';
import { getObject, listAll } from './listing.ts';
import { mayReadBelow } from './may-read-below.ts';

export { archiveFormatOf };

const OP = 'look at the input';

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

/** One address names an object and a folder. Pure. */
export function addressAmbiguous(address: GcsAddress): Problem {
  const text = formatGcsAddress(address);
  return problem({
    code: 'input.address-ambiguous',
    op: OP,
    subject: text,
    message: `${text} is an object, and there are objects below ${text}/ too. Which of them is meant?`,
    hint: `For the folder write ${text}/ with the slash. For the single object give it a name of its own (copy or rename it), as this address names both.`,
  });
}

/** Decides what an address without an archive ending and without a slash at its end means. Pure. */
export function decideInput(address: GcsAddress, findings: Findings): Result<InputTarget> {
  if (findings.below && findings.object) return fail(addressAmbiguous(address));
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
    if (!page.ok) return page;
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
      return ok({ object: false, refused: null });
    case 'access.get-refused':
    case 'access.credential-needed':
      return ok({ object: false, refused: found.problem });
    default:
      return found;
  }
}

/** The listing was refused, not unanswered: it says nothing of an object that can be had without it. */
const isRefusal = (found: Problem): boolean =>
  areaOf(found) === 'access' || found.code === 'input.bucket-not-found';

/**
 * What is to be said where the listing below an address is refused: the grants that are missing, and no others. `single`: what is known of an
 * object of exactly that name; null where none is meant.
 */
async function explainUnlisted(
  request: InputRequest,
  refusal: Problem,
  single: Single | null,
): Promise<Problem> {
  if (refusal.code !== 'access.list-refused') return { ...refusal, op: OP };
  const { address, ...access } = request;
  const { bucket, path } = address;
  const prefix = asPrefix(path);
  const email = access.tokens?.email ?? null;
  const readable = await mayReadBelow({ ...access, bucket, prefix });
  const list = askForGrant('storage.objects.list', { bucket, email });
  const read = askForGrant('storage.objects.get', { bucket, prefix, email });
  const folder =
    readable === true
      ? `To fetch a folder one grant is missing. ${list}`
      : readable === false
        ? `To fetch a folder two grants are missing. ${list} ${read}`
        : `Two grants are needed to fetch a folder; the listing is missing. ${list} ${read}`;
  const end = 'New grants take a few minutes to work.';
  const text = formatGcsAddress(address);
  const whole = formatGcsAddress({ bucket, path: prefix });
  const who = email ?? 'Someone without a credential';
  if (single === null)
    return {
      ...refusal,
      op: OP,
      subject: text,
      message: `${who} may not list what lies below ${whole} (403, storage.objects.list).`,
      hint: `${folder} ${end}`,
    };
  const about = { ...refusal, op: OP, subject: text };
  return single.refused === null
    ? {
        ...about,
        message: `There is no object ${text}. Whether there is a folder ${whole} is not known: ${who} may not list it (403, storage.objects.list).`,
        hint: `Check the address for a typing mistake, also in upper and lower case. ${folder} ${end}`,
      }
    : {
        ...about,
        message: `${who} may not list what lies below ${whole} (403, storage.objects.list), and may not read an object ${text} (403, storage.objects.get).`,
        hint: `To fetch the one object ${text} one grant is missing. ${askForGrant('storage.objects.get', { bucket, object: path, email })} ${folder} ${end}`,
      };
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
 * One object needs no listing: where that is refused, an object that is there is taken. A refusal to read the single object counts as not there, and
 * is told where there is nothing else; a refusal to list is told with the grants that are missing.
 * Errors: `access.list-refused`, `access.get-refused`, `access.credential-needed`, `input.nothing-there`, `input.address-ambiguous`, those of `listPage` and `getObject`.
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
    if (!looked.ok) return fail(await explainUnlisted(request, looked.problem, null));
    return looked.value.below
      ? ok({ kind: 'folder', prefix: address.path })
      : fail(nothingThere(address, looked.value.marker));
  }
  const [looked, there] = await Promise.all([
    lookBelow(request, asPrefix(address.path)),
    lookAtObject(request),
  ]);
  if (!looked.ok && !isRefusal(looked.problem)) return looked;
  if (!there.ok) return there;
  if (!looked.ok)
    return there.value.object
      ? ok({ kind: 'object', object: address.path })
      : fail(await explainUnlisted(request, looked.problem, there.value));
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
