import type { AccessUse, Rung } from '../shared/access-check.ts';
import { areaOf, isOffline, type Problem, type Result } from '../shared/problem.ts';
import { GRANTABLE, offline, pass, refused, rung, settle } from './check-rungs.ts';
import type { StorageAccess } from './client.ts';
import { grantFor } from './grant/ask.ts';
import type { WantedInput } from './grant/wish.ts';
import { addressAmbiguous } from './input.ts';
import { listAll } from './listing.ts';
import { mayReadBelow } from './may-read-below.ts';
import { readObjectStart } from './read-object.ts';

/** Pages of a listing that are looked through for a first object: a page may be empty. */
const PAGES = 5;

interface InputCheck {
  readonly address: string;
  readonly for: AccessUse;
  /** The account of the key, for the grants; null without one. */
  readonly account: string | null;
}

/** What is tried at an input, and with which access. */
interface Trial {
  readonly request: InputCheck;
  readonly access: StorageAccess;
  readonly input: WantedInput;
  /** What Google says that the account holds on the whole bucket. */
  readonly held: readonly string[];
}

/**
 * The steps `list` and `read`, as a job would take them: one object is read by its name, and needs no listing; below a folder the names are
 * listed and the first one is read. Where the listing is refused it is found out whether reading is granted, so that what is missing is named, and
 * nothing else. A step that nobody answered is `not-checked`, and the last one.
 */
export async function tryInput(
  request: InputCheck,
  access: StorageAccess,
  input: WantedInput,
  held: readonly string[],
): Promise<readonly Rung[]> {
  const trial: Trial = { request, access, input, held };
  if (input.kind === 'archive') return [readRung(trial, input.object, await read(trial))];
  const single = input.kind === 'either' ? await read(trial) : null;
  if (single !== null && !single.ok && isOffline(single.problem))
    return [offline('read', single.problem)];
  const listed = await firstBelow(trial);
  if (single?.ok === true) return oneObject(trial, listed);
  if (!listed.ok) {
    const list = settle('list', request, listed.problem);
    if (list.state === 'not-checked') return [list];
    const { object, bucket } = input;
    const absent =
      single?.problem.code === 'storage.object-not-found'
        ? `There is no object gs://${bucket}/${object}. `
        : '';
    const told =
      input.kind === 'either' && list.state === 'fail'
        ? {
            ...list,
            message: `${absent}${list.message}`,
            hint: `One object needs no listing, a folder does. ${list.hint}`,
          }
        : list;
    return [told, await readUnlisted(trial, listed.problem)];
  }
  const { bucket, prefix, kind } = input;
  if (listed.value !== null)
    return [
      pass('list', `Names below gs://${bucket}/${prefix} are listed.`),
      readRung(trial, listed.value, await read(trial, listed.value), true),
    ];
  const nothing = pass(
    'list',
    `Listing is allowed. There is nothing below gs://${bucket}/${prefix}.`,
    kind === 'either'
      ? ''
      : 'Check the address for a typing mistake, also in upper and lower case.',
  );
  return [nothing, nothingToRead(trial, single)];
}

/** One byte of an object; of the one that the address names where none is said. */
const read = ({ access, input }: Trial, name = input.object): Promise<Result<unknown>> =>
  readObjectStart({ ...access, bucket: input.bucket, name, maxBytes: 1 });

/** The first object below the prefix that is no empty marker of the folder; null for none. */
async function firstBelow({ access, input }: Trial): Promise<Result<string | null>> {
  const { bucket, prefix } = input;
  let pages = 0;
  for await (const page of listAll({ ...access, bucket, prefix, delimiter: false, pageSize: 2 })) {
    if (!page.ok) return page;
    const first = page.value.objects.find(({ name }) => name !== prefix);
    if (first !== undefined) return { ok: true, value: first.name };
    pages += 1;
    if (pages === PAGES) break;
  }
  return { ok: true, value: null };
}

/** The address names an object that can be read. It is what a job takes, unless a folder of the same name is seen, too. */
function oneObject({ request, input }: Trial, listed: Result<string | null>): readonly Rung[] {
  const { bucket, object, prefix } = input;
  const good = pass('read', `One byte of gs://${bucket}/${object} was read.`);
  if (listed.ok && listed.value === null)
    return [
      pass('list', `Listing is allowed. There is nothing below gs://${bucket}/${prefix}.`),
      good,
    ];
  if (listed.ok) {
    const { message, hint, code } = addressAmbiguous({ bucket, path: object });
    return [rung('list', 'fail', message, { hint, code }), good];
  }
  const denied =
    areaOf(listed.problem) === 'access' || listed.problem.code === 'input.bucket-not-found';
  return denied ? [good] : [settle('list', request, listed.problem), good];
}

/** Without a listing no object is known that could be read: it is asked for one that is not there. */
async function readUnlisted(trial: Trial, refusal: Problem): Promise<Rung> {
  const { request, access, input, held } = trial;
  const { bucket, prefix } = input;
  const readable =
    refusal.code === 'access.list-refused'
      ? await mayReadBelow({ ...access, bucket, prefix })
      : null;
  if (readable === true)
    return pass(
      'read',
      `Reading below gs://${bucket}/${prefix} is allowed: Google says of an object that is not there that there is none.`,
    );
  if (readable === false)
    return refused(
      'read',
      getRefused(trial, `below gs://${bucket}/${prefix}`, ''),
      grantFor('read', request),
    );
  const all = held.includes('storage.objects.get')
    ? ' Google says that all of the bucket may be read.'
    : '';
  return rung(
    'read',
    'could-not-tell',
    `Without a listing no object is known that could be tried.${all}`,
  );
}

/** The listing found nothing. `single`: what reading an object of exactly that name came to; null where none is meant. */
function nothingToRead({ request, input, held }: Trial, single: Result<unknown> | null): Rung {
  if (single?.ok === false) {
    const { problem } = single;
    if (problem.code === 'storage.object-not-found')
      return rung(
        'read',
        'could-not-tell',
        `There is neither an object gs://${input.bucket}/${input.object} nor anything below it, or the account may not know of it.`,
        { hint: 'Check the address for a typing mistake, also in upper and lower case.' },
      );
    return settle('read', request, problem);
  }
  return held.includes('storage.objects.get')
    ? pass('read', 'There is no object to try. Google says that all of the bucket may be read.')
    : rung('read', 'could-not-tell', 'There is no object to try.');
}

/** The refusal to read something, in one sentence. */
function getRefused({ request }: Trial, what: string, more: string): Problem {
  return {
    code: 'access.get-refused',
    op: 'read an object',
    subject: request.address,
    message: `${request.account ?? 'Someone without a credential'} may not read ${what} (storage.objects.get)${more}.`,
    hint: '',
    retryable: false,
  };
}

/** What reading one object by its name came to. `listed`: its name was in a listing. */
function readRung(trial: Trial, name: string, tried: Result<unknown>, listed = false): Rung {
  const { request, input } = trial;
  const text = `gs://${input.bucket}/${name}`;
  if (tried.ok) return pass('read', `One byte of ${text} was read.`);
  const { problem } = tried;
  if (isOffline(problem)) return offline('read', problem);
  if (listed && problem.code === 'storage.object-not-found')
    return rung('read', 'could-not-tell', 'The object was deleted a moment ago: check again.');
  // Only whoever may read is told so, and no grant would make it be there.
  if (problem.code === 'storage.object-not-found')
    return rung('read', 'fail', problem.message, {
      hint: 'Check the address for a typing mistake, also in upper and lower case; the object may also have been deleted or replaced.',
      code: problem.code,
    });
  if (problem.code === 'access.get-refused')
    return refused(
      'read',
      getRefused(
        trial,
        text,
        listed ? '' : ', or there is no such object: without a listing that is not told',
      ),
      grantFor('read', request),
    );
  return GRANTABLE.test(problem.code)
    ? refused('read', problem, grantFor('read', request))
    : settle('read', request, problem);
}
