import {
  asPrefix,
  formatGcsAddress,
  parseGcsAddress,
  type GcsAddress,
} from '../../shared/address.ts';
import type { GrantVariant, GrantWish } from '../../shared/grant.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { holdsUnseen } from '../../shared/unseen.ts';
import { archiveFormatOf } from '../archive-format.ts';
import { isExpressible } from '../grants.ts';
import { isProjectId } from '../project-id.ts';

/** What is asked for, checked: every name in it can stand in an expression, on a shell line and before a reader's eyes. */
export interface CheckedWish {
  readonly input: WantedInput | null;
  readonly output: { readonly bucket: string; readonly prefix: string } | null;
  /** The service account, in small letters. */
  readonly email: string;
  readonly variant: GrantVariant;
  /** The project that owns the buckets, where it was given. */
  readonly project: string | null;
}

/**
 * What an input address may name. `archive`: one object. `folder`: everything below `prefix`, empty for the whole bucket. `either`: no slash at
 * its end, so only the bucket can tell whether it is a folder or one object.
 */
export interface WantedInput {
  readonly kind: 'archive' | 'folder' | 'either';
  readonly bucket: string;
  /** Of `archive` and `either`: the object's name. */
  readonly object: string;
  /** Of `folder` and `either`: what names below it begin with. */
  readonly prefix: string;
}

const OP = 'write the grant';
const ACCOUNT = /^[a-z0-9][a-z0-9._-]{0,62}@([a-z0-9-]+\.)+gserviceaccount\.com$/;

function refuse(code: `input.${string}`, subject: string, message: string, hint: string): Problem {
  return problem({ code, op: OP, subject, message, hint });
}

/** Why an address cannot be granted safely; null where it can. */
function refuseAddress(
  side: 'Input' | 'Output',
  address: GcsAddress,
  variant: GrantVariant,
): Problem | null {
  const text = formatGcsAddress(address);
  const { path } = address;
  if (!isExpressible(path))
    return refuse(
      'input.grant-name',
      text,
      `${side}: this name holds a quote, a backslash, a line break or another control character, so it cannot stand in the expression of a condition.`,
      'A condition is code, and such a name could change what it allows. Grant a folder above it whose name is plain, or rename it.',
    );
  if (holdsUnseen(path))
    return refuse(
      'input.grant-name',
      text,
      `${side}: this name holds characters that nobody sees as what they are (marks of writing direction or of no width, blanks that are no plain space), so nobody could check the grant by reading it.`,
      'Grant a folder above it whose name is plain, or rename it.',
    );
  if (path.includes('*'))
    return refuse(
      'input.grant-wildcard',
      text,
      `${side}: "*" stands for nothing but itself in a grant; there are no wildcards.`,
      'Name the folder with a slash at its end, for example gs://bucket/data/, to mean everything below it.',
    );
  if (variant === 'managed-folder' && /[?[\]#]/.test(path))
    return refuse(
      'input.grant-wildcard',
      text,
      `${side}: gcloud reads "?", "[", "]" and "#" in the name of a managed folder as something else than themselves.`,
      'Choose another variant, such as a custom role for listing (--variant custom-role).',
    );
  return null;
}

/** Reads an address of the wish; null where none was given. */
function readAddress(
  side: 'Input' | 'Output',
  text: string | null,
  variant: GrantVariant,
): Result<GcsAddress | null> {
  if (text === null) return ok(null);
  const parsed = parseGcsAddress(text);
  if (!parsed.ok)
    return fail({ ...parsed.problem, op: OP, message: `${side}: ${parsed.problem.message}` });
  const refusal = refuseAddress(side, parsed.value, variant);
  return refusal === null ? parsed : fail(refusal);
}

/** What an input address asks for. Pure. */
export function wantedInput({ bucket, path }: GcsAddress): WantedInput {
  if (path === '' || path.endsWith('/'))
    return { kind: 'folder', bucket, object: '', prefix: path };
  if (archiveFormatOf(path) !== null) return { kind: 'archive', bucket, object: path, prefix: '' };
  return { kind: 'either', bucket, object: path, prefix: asPrefix(path) };
}

/**
 * Checks a wish. Pure; no key, no network. Errors, all of the area `input`: `input.usage` (no address at all), `input.address`,
 * `input.grant-name` and `input.grant-wildcard` (a name that cannot be granted safely), `input.grant-account`, `input.grant-project`.
 */
export function checkWish(wish: GrantWish): Result<CheckedWish> {
  const { variant, project } = wish;
  const input = readAddress('Input', wish.input, variant);
  if (!input.ok) return input;
  const output = readAddress('Output', wish.output, variant);
  if (!output.ok) return output;
  if (input.value === null && output.value === null)
    return fail(
      refuse(
        'input.usage',
        '',
        'It is not said what the account should be able to reach.',
        'Give what is read, what is created below, or both (--input gs://bucket/folder/, --output gs://bucket/folder/).',
      ),
    );
  const email = wish.account.trim().toLowerCase();
  if (!ACCOUNT.test(email))
    return fail(
      refuse(
        'input.grant-account',
        wish.account,
        'The account is not the e-mail address of a service account.',
        'It looks like NAME@PROJECT.iam.gserviceaccount.com: `trainyard keys list` shows those of your keys, and client_email in a key file is one.',
      ),
    );
  if (project !== null && !isProjectId(project))
    return fail(
      refuse(
        'input.grant-project',
        project,
        'The project is not the id of a project.',
        'An id has 6 to 30 small letters, digits and "-". It is the project that owns the bucket.',
      ),
    );
  return ok({
    input: input.value === null ? null : wantedInput(input.value),
    output:
      output.value === null
        ? null
        : { bucket: output.value.bucket, prefix: asPrefix(output.value.path) },
    email,
    variant,
    project,
  });
}
