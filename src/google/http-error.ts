import { problem, type Problem } from '../shared/problem.ts';
import {
  permissionIn,
  readErrorBody,
  wordsWithoutNames,
  type Named,
  type StorageErrorBody,
} from './error-body.ts';
import { askForGrant } from './grants.ts';
import { kindOfPermission } from './resources.ts';
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

function addressOf(context: StorageContext): string {
  return context.subject ?? `gs://${context.bucket}/${context.object ?? context.prefix ?? ''}`;
}

const DOING: Readonly<Record<string, string>> = {
  'storage.objects.list': 'list the objects of',
  'storage.objects.get': 'read',
  'storage.objects.create': 'create objects in',
  'storage.objects.delete': 'overwrite or delete objects in',
  'storage.folders.create': 'create folders in',
  'storage.folders.get': 'see the folders of',
  'storage.folders.list': 'list the folders of',
};

type Fields = Pick<Problem, 'code' | 'message' | 'hint'> & { readonly retryable?: boolean };

/** Google's reasons (https://docs.cloud.google.com/storage/docs/json_api/v1/status-codes and google.api.ErrorReason) that have words of their own. */
const BY_REASON: readonly (readonly [
  reasons: readonly string[],
  fields: (said: StorageErrorBody) => Fields,
])[] = [
  [
    ['rateLimitExceeded', 'userRateLimitExceeded', 'backendError', 'RATE_LIMIT_EXCEEDED'],
    () => busy(403),
  ],
  [['ACCESS_TOKEN_SCOPE_INSUFFICIENT', 'insufficientScopes'], () => wrongScope()],
  [['accountDisabled', 'BILLING_DISABLED', 'UserProjectAccountProblem'], (said) => billing(said)],
  [
    ['SECURITY_POLICY_VIOLATED', 'vpcServiceControls', 'orgPolicyConstraintFailed'],
    (said) => policy(said),
  ],
  [['accessNotConfigured', 'SERVICE_DISABLED'], (said) => notSwitchedOn(said)],
  [['UserProjectMissing', 'userProjectMissing'], () => requesterPays()],
];

function wrongScope(): Fields {
  return {
    code: 'access.scope',
    message: 'The access token was made for less than this request needs.',
    hint: 'This is a mistake of Trainyard: a reading token was used to write. Please report it.',
  };
}

function billing(said: StorageErrorBody): Fields {
  return {
    code: 'access.billing',
    message: `Google refuses because of the billing of the bucket’s project${quoted(said)}.`,
    hint: 'Ask the administrator of the project to set its billing account right.',
  };
}

function policy(said: StorageErrorBody): Fields {
  return {
    code: 'access.organization-policy',
    message: `A policy of the bucket’s organisation refuses this request${quoted(said)}.`,
    hint: 'Send Google’s words to the administrator of the organisation. An identifier in them tells which rule it was.',
  };
}

function notSwitchedOn(said: StorageErrorBody): Fields {
  return {
    code: 'access.service-disabled',
    message: `Cloud Storage is not switched on in the account’s project${quoted(said)}.`,
    hint: 'Ask the administrator of the project to enable the Cloud Storage JSON API (storage.googleapis.com).',
  };
}

/** What only words tell: a few answers have no reason but `forbidden`. No name is left in them. */
function byWords(said: StorageErrorBody, words: string): Fields | null {
  if (/\b(authentication |auth )?scopes?\b|scope\(s\)/i.test(words)) return wrongScope();
  if (/\bbilling\b/i.test(words)) return billing(said);
  if (/organization'?s policy|vpc service controls|security policy/i.test(words))
    return policy(said);
  if (/has not been used in|\bAPI\b.*\bis disabled\b|is disabled\. enable it/i.test(words))
    return notSwitchedOn(said);
  if (/requester pays|user project/i.test(words)) return requesterPays();
  return null;
}

function forbidden(said: StorageErrorBody, context: StorageContext): Fields {
  const who = context.email ?? 'Someone without a credential';
  const byReason = BY_REASON.find(([reasons]) =>
    reasons.some((reason) => said.reasons.includes(reason)),
  );
  if (byReason !== undefined) return byReason[1](said);
  const permission = permissionIn(said.message, context);
  if (permission === null)
    return (
      byWords(said, wordsWithoutNames(said.message, context)) ??
      (said.message === '' ? unexplained(who, context) : refusedInWords(who, said, context))
    );
  if (permission === 'storage.objects.list' && isLookAtObject(context))
    return {
      code: 'storage.object-not-found',
      message: `Nothing is at ${addressOf(context)}: the name is wrong, or there is no such object any more. So Google answers ${who}, who may read and not list (403, ${permission}).`,
      hint: 'Check the address for a typing mistake, also in upper and lower case; the object may also have been deleted or replaced.',
    };
  const folders = kindOfPermission(permission) === 'folders';
  const doing = DOING[permission] ?? `use ${permission} on`;
  const target =
    permission === 'storage.objects.get' ? addressOf(context) : `gs://${context.bucket}`;
  return {
    code: `access.${permission.startsWith('storage.objects.') ? permission.slice(16) : permission.replaceAll('.', '-')}-refused`,
    message: permission.startsWith('storage.')
      ? `${who} may not ${doing} ${target} (403, ${permission}).`
      : `${who} lacks ${permission}, which this request to gs://${context.bucket} needs (403${quoted(said)}).`,
    hint:
      context.email === null
        ? `Name a key that may; one needs this grant: ${askForGrant(permission, context)}`
        : `${folders ? 'The bucket has a hierarchical namespace, in which the first object of a folder makes the folder, too. ' : ''}${askForGrant(permission, context)} A new grant takes a few minutes to work.`,
  };
}

/** One object is asked for. Whoever may read it and not list is told of a missing one by a refusal of the listing. */
const isLookAtObject = ({ object, permission, email }: StorageContext): boolean =>
  object !== undefined && permission === 'storage.objects.get' && email !== null;

/** A 403 that names no permission: a hold, a retention policy, a key of Cloud KMS, an address filter, a quota, ... Google's words say what. */
function refusedInWords(who: string, said: StorageErrorBody, context: StorageContext): Fields {
  const reasons = said.reasons.filter((reason) => reason !== 'forbidden');
  return {
    code: 'access.refused',
    message: `Google refuses this request of ${who} to gs://${context.bucket} (403${reasons.length === 0 ? '' : `, ${reasons.join(', ')}`}${quoted(said)}).`,
    hint: 'Send Google’s words to the administrator of the bucket.',
  };
}

function unexplained(who: string, context: StorageContext): Fields {
  const { permission } = context;
  return {
    code: `access.${permission.split('.').at(-1) ?? 'request'}-refused`,
    message: `${who} may not ${DOING[permission] ?? `use ${permission} on`} gs://${context.bucket} (403, and Google gives no reason).`,
    hint: `Probably a grant is missing: ${askForGrant(permission, context)}`,
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
      if (!isConditionNotMet(said)) return policyOr412(said, context);
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

/** A 412 is about the condition that Trainyard set, unless Google's reason says otherwise: policies answer 412, too. */
const isConditionNotMet = ({ reasons }: StorageErrorBody): boolean =>
  reasons.length === 0 || reasons.includes('conditionNotMet');

function policyOr412(said: StorageErrorBody, context: StorageContext): Fields {
  if (said.reasons.includes('orgPolicyConstraintFailed')) return policy(said);
  return {
    code: 'access.refused',
    message: `Google refuses this request to gs://${context.bucket} (412, ${said.reasons.join(', ')}${quoted(said)}).`,
    hint: 'Send Google’s words to the administrator of the bucket.',
  };
}

/** Whether a refusal of a new object means that its name is taken: the condition was not met, or the right to replace is what is missing. Pure. */
export function meansTaken(status: number, body: string, named: Named): boolean {
  const said = readErrorBody(body);
  if (status === 412) return isConditionNotMet(said);
  return status === 403 && permissionIn(said.message, named) === 'storage.objects.delete';
}

function quoted(said: StorageErrorBody): string {
  return said.message === '' ? '' : `: ${quoteServer(said.message).replace(/\.$/, '')}`;
}

/**
 * Explains an HTTP status of Cloud Storage. For a refusal the hint holds the exact role and condition to ask for; a 404 covers "missing,
 * or you may not know of it". Retryable: 408, 429, 5xx, and a 403 that only says "too fast".
 * Codes: `access.list-refused`, `access.get-refused`, `access.create-refused`, `access.delete-refused`, `access.storage-folders-create-refused`, `access.credential-needed`,
 * `access.token-refused`, `access.refused`, `access.scope`, `access.billing`, `access.organization-policy`, `access.service-disabled`, `access.requester-pays`,
 * `input.bucket-not-found`, `storage.object-not-found`, `storage.exists`, `storage.range`, `storage.gone`, `storage.conflict`, `storage.refused`,
 * `network.server-busy`, `network.unexpected-answer`.
 */
export function explainHttpError(status: number, body: string, context: StorageContext): Problem {
  const { retryable = false, ...fields } = fieldsOf(status, readErrorBody(body), context);
  return problem({ ...fields, op: context.op, subject: addressOf(context), retryable });
}
