import * as z from 'zod';
import { problem, type Problem } from '../shared/problem.ts';
import { askForGrant } from './grants.ts';
import { quoteServer } from './token-refusal.ts';

/** What was asked of Cloud Storage, so that a refusal can name what is missing. */
export interface StorageContext {
  readonly op: string;
  /** For the problem; default the `gs://` address of bucket and object or prefix. */
  readonly subject?: string;
  readonly bucket: string;
  /** The one object asked for. */
  readonly object?: string;
  /** The prefix that was listed, or that the object belongs to: narrows the grant that is asked for. */
  readonly prefix?: string;
  /** The permission that the request needs. */
  readonly permission: string;
  /** The account that asked; null where no credential was sent. */
  readonly email: string | null;
}

const bodySchema = z.object({
  error: z.object({
    message: z.string().optional(),
    errors: z
      .array(z.object({ reason: z.string().optional(), message: z.string().optional() }))
      .optional(),
  }),
});

/** What the body of an error says: Google's JSON, or plain text as the media addresses send it. */
export interface StorageErrorBody {
  readonly message: string;
  readonly reasons: readonly string[];
  /** A web page or nothing: not Cloud Storage's own words. */
  readonly foreign: boolean;
}

export function readErrorBody(body: string): StorageErrorBody {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    const foreign = /^\s*</.test(body) && !/<Error>/.test(body);
    return { message: foreign ? '' : body.trim(), reasons: [], foreign };
  }
  const parsed = bodySchema.safeParse(value);
  if (!parsed.success) return { message: '', reasons: [], foreign: false };
  const { message, errors = [] } = parsed.data.error;
  return {
    message: message ?? errors[0]?.message ?? '',
    reasons: errors.flatMap((one) => (one.reason === undefined ? [] : [one.reason])),
    foreign: false,
  };
}

const RATE_REASONS = new Set(['rateLimitExceeded', 'userRateLimitExceeded', 'backendError']);

function addressOf(context: StorageContext): string {
  return context.subject ?? `gs://${context.bucket}/${context.object ?? context.prefix ?? ''}`;
}

/** The permission that Google's own words name, else the one that the request needs. */
function missingPermission(message: string, context: StorageContext): string {
  return (
    /\bstorage\.(objects|buckets|multipartUploads)\.[a-z][A-Za-z]*\b/.exec(message)?.[0] ??
    context.permission
  );
}

const DOING: Readonly<Record<string, string>> = {
  'storage.objects.list': 'list the objects of',
  'storage.objects.get': 'read',
  'storage.objects.create': 'create objects in',
  'storage.objects.delete': 'overwrite or delete objects in',
};

type Fields = Pick<Problem, 'code' | 'message' | 'hint'> & { readonly retryable?: boolean };

function forbidden(said: StorageErrorBody, context: StorageContext): Fields {
  const who = context.email ?? 'Someone without a credential';
  const words = said.message.toLowerCase();
  if (said.reasons.some((reason) => RATE_REASONS.has(reason))) return busy(403);
  if (/scope/.test(words) || said.reasons.includes('ACCESS_TOKEN_SCOPE_INSUFFICIENT'))
    return {
      code: 'access.scope',
      message: 'The access token was made for less than this request needs.',
      hint: 'This is a mistake of Trainyard: a reading token was used to write. Please report it.',
    };
  if (/billing/.test(words) || said.reasons.includes('accountDisabled'))
    return {
      code: 'access.billing',
      message: `Google refuses because of the billing of the bucket’s project (${quoteServer(said.message)}).`,
      hint: 'Ask the administrator of the project to set its billing account right.',
    };
  if (/organization'?s policy|vpc service controls|security ?policy/.test(words))
    return {
      code: 'access.organization-policy',
      message:
        'A policy of the bucket’s organisation (VPC Service Controls) refuses requests from this network.',
      hint: 'Ask its administrator to let this network or account in, or work from a network that is let in.',
    };
  if (
    /has not been used|it is disabled|accessnotconfigured/.test(words) ||
    said.reasons.includes('accessNotConfigured')
  )
    return {
      code: 'access.service-disabled',
      message: 'Cloud Storage is not switched on in the account’s project.',
      hint: 'Ask the administrator of the project to enable the Cloud Storage JSON API (storage.googleapis.com).',
    };
  if (/requester pays|user project/.test(words)) return requesterPays();
  const permission = missingPermission(said.message, context);
  const doing = DOING[permission] ?? `use ${permission} on`;
  const target =
    permission === 'storage.objects.get' ? addressOf(context) : `gs://${context.bucket}`;
  return {
    code: `access.${permission.split('.').at(-1) ?? 'request'}-refused`,
    message: `${who} may not ${doing} ${target} (403, ${permission}).`,
    hint:
      context.email === null
        ? `Name a key that may; one needs this grant: ${askForGrant(permission, context)}`
        : `${askForGrant(permission, context)} A new grant takes a few minutes to work.`,
  };
}

function requesterPays(): Fields {
  return {
    code: 'access.requester-pays',
    message: 'The bucket wants whoever reads it to pay (requester pays).',
    hint: 'Trainyard names no project to be billed: use a bucket without requester pays, or copy the data to one of your own.',
  };
}

function busy(status: number): Fields {
  return {
    code: 'network.server-busy',
    message: `Cloud Storage answered ${status}.`,
    hint: 'It is usually over within minutes: try again.',
    retryable: true,
  };
}

function notFound(said: StorageErrorBody, context: StorageContext): Fields {
  const bucketMissing = context.object === undefined || /bucket does not exist/i.test(said.message);
  if (bucketMissing)
    return {
      code: 'input.bucket-not-found',
      message: `The bucket gs://${context.bucket} does not exist, or ${context.email ?? 'someone without a credential'} may not know of it.`,
      hint: `Check the name for a typing mistake. Where it is right: ${askForGrant(context.permission, context)}`,
    };
  return {
    code: 'storage.object-not-found',
    message: `There is no object ${addressOf(context)}, or ${context.email ?? 'someone without a credential'} may not know of it.`,
    hint: `Check the address for a typing mistake, also in upper and lower case; the object may also have been deleted or replaced. Where it is right: ${askForGrant(context.permission, context)}`,
  };
}

function fieldsOf(status: number, said: StorageErrorBody, context: StorageContext): Fields {
  if (status === 408 || status === 429 || status >= 500) return busy(status);
  if (
    said.foreign ||
    // What was not asked for, such as 204 or 308 in place of an object, is no refusal either.
    status < 400 ||
    status === 407
  )
    return {
      code: 'network.unexpected-answer',
      message: `The answer (${status}) is not Cloud Storage’s own.`,
      hint: 'A proxy or the sign-in page of a network may stand between: open a web page to sign in, or check the proxy settings, then try again.',
    };
  switch (status) {
    case 401:
      return context.email === null
        ? {
            code: 'access.credential-needed',
            message: `gs://${context.bucket} is not open to everyone (401), and no key was named.`,
            hint: `Name a key (see \`trainyard keys list\`); its account needs this grant: ${askForGrant(context.permission, context)}`,
          }
        : {
            code: 'access.token-refused',
            message: `Google refuses the access token of ${context.email} (401).`,
            hint: 'The key or its account may have been disabled or deleted: check the key, or ask the administrator of its project.',
          };
    case 403:
      return forbidden(said, context);
    case 404:
      return notFound(said, context);
    case 410:
      return {
        code: 'storage.gone',
        message: 'The upload session has ended (410).',
        hint: 'The upload starts again from the beginning.',
      };
    case 409:
      return {
        code: 'storage.conflict',
        message: `Cloud Storage says that this conflicts with what is there${quoted(said)}.`,
        hint: 'Something else may be changing the same object: try again later.',
      };
    case 412:
      return {
        code: 'storage.exists',
        message: `${addressOf(context)} is there already or was changed meanwhile (412).`,
        hint: 'Trainyard overwrites nothing: choose another name or prefix, or remove what is there.',
      };
    case 416:
      return {
        code: 'storage.range',
        message: `${addressOf(context)} is shorter than was expected (416).`,
        hint: 'It was replaced meanwhile: start again.',
      };
    default:
      if (/requester pays|user project/i.test(said.message)) return requesterPays();
      return {
        code: 'storage.refused',
        message: `Cloud Storage refuses the request (${status})${quoted(said)}.`,
        hint: 'If nothing in the address is unusual, please report this.',
      };
  }
}

function quoted(said: StorageErrorBody): string {
  return said.message === '' ? '' : `: ${quoteServer(said.message).replace(/\.$/, '')}`;
}

/**
 * Explains an HTTP status of Cloud Storage. For a refusal the hint holds the exact role and condition to ask for; a 404 covers "missing,
 * or you may not know of it". Retryable: 408, 429, 5xx, and a 403 that only says "too fast".
 * Codes: `access.list-refused`, `access.get-refused`, `access.create-refused`, `access.delete-refused`, `access.credential-needed`,
 * `access.token-refused`, `access.scope`, `access.billing`, `access.organization-policy`, `access.service-disabled`, `access.requester-pays`,
 * `input.bucket-not-found`, `storage.object-not-found`, `storage.exists`, `storage.range`, `storage.gone`, `storage.conflict`, `storage.refused`,
 * `network.server-busy`, `network.unexpected-answer`.
 */
export function explainHttpError(status: number, body: string, context: StorageContext): Problem {
  const { retryable = false, ...fields } = fieldsOf(status, readErrorBody(body), context);
  return problem({ ...fields, op: context.op, subject: addressOf(context), retryable });
}
