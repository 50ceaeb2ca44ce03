import { expect, test } from 'vitest';
import { askForGrant, objectCondition, prefixCondition } from '../../src/google/grants.ts';
import { explainHttpError, meansTaken, type StorageContext } from '../../src/google/http-error.ts';
import { exitStatusOf } from '../../src/shared/problem.ts';

const email = 'trainer@p.iam.gserviceaccount.com';
const context: StorageContext = {
  op: 'list objects',
  bucket: 'input-data-bucket',
  prefix: 'data/',
  permission: 'storage.objects.list',
  email,
};
const google = (code: number, message: string, reason = 'forbidden'): string =>
  JSON.stringify({ error: { code, message, errors: [{ message, domain: 'global', reason }] } });
const denied = (permission: string): string =>
  google(
    403,
    `${email} does not have ${permission} access to the Google Cloud Storage bucket. Permission '${permission}' denied on resource (or it may not exist).`,
  );

test('a refused listing asks for the custom role on the bucket, and for no condition', () => {
  const problem = explainHttpError(403, denied('storage.objects.list'), context);
  expect(problem.code).toBe('access.list-refused');
  expect(exitStatusOf(problem)).toBe(3);
  expect(problem.hint).toContain('custom role that holds only storage.objects.list');
  expect(problem.hint).toContain('gs://input-data-bucket');
  expect(problem.hint).toContain(email);
  expect(problem.hint).not.toContain('startsWith');
});

test('a refused read asks for Object Viewer on that object', () => {
  const problem = explainHttpError(403, denied('storage.objects.get'), {
    ...context,
    object: 'data/a b.bin',
    permission: 'storage.objects.get',
    prefix: 'data/',
  });
  expect(problem.code).toBe('access.get-refused');
  expect(problem.hint).toContain('roles/storage.objectViewer');
  expect(problem.hint).toContain(
    'resource.name.startsWith("projects/_/buckets/input-data-bucket/objects/data/")',
  );
});

test('a refused upload asks for Object Creator below the prefix', () => {
  const problem = explainHttpError(403, `${email} does not have storage.objects.create access`, {
    ...context,
    bucket: 'artifacts-bucket',
    prefix: 'results/',
    object: 'results/x/model.json',
    permission: 'storage.objects.create',
  });
  expect(problem.code).toBe('access.create-refused');
  expect(problem.hint).toContain(
    'roles/storage.objectCreator) on the bucket gs://artifacts-bucket for trainer@p.iam.gserviceaccount.com, with the condition resource.name.startsWith("projects/_/buckets/artifacts-bucket/objects/results/")',
  );
});

test('an upload refused for want of storage.objects.delete is told as such', () => {
  const problem = explainHttpError(403, denied('storage.objects.delete'), {
    ...context,
    permission: 'storage.objects.create',
  });
  expect(problem.code).toBe('access.delete-refused');
});

test.each([
  [401, google(401, 'Anonymous caller', 'required'), 'access.token-refused', 3, false],
  [403, google(403, 'slow down', 'rateLimitExceeded'), 'network.server-busy', 4, true],
  [
    403,
    google(403, 'The billing account is disabled', 'accountDisabled'),
    'access.billing',
    3,
    false,
  ],
  [
    403,
    google(403, "Request is prohibited by organization's policy."),
    'access.organization-policy',
    3,
    false,
  ],
  [403, google(403, 'Provided scope(s) are not authorized'), 'access.scope', 3, false],
  [403, '<html>Blocked by proxy</html>', 'network.unexpected-answer', 4, false],
  [
    404,
    google(404, 'The specified bucket does not exist.', 'notFound'),
    'input.bucket-not-found',
    2,
    false,
  ],
  [
    400,
    google(400, 'Bucket is a requester pays bucket but no user project provided.', 'required'),
    'access.requester-pays',
    3,
    false,
  ],
  [400, google(400, 'Invalid argument', 'invalid'), 'storage.refused', 1, false],
  [204, '', 'network.unexpected-answer', 4, false],
  [302, '', 'network.unexpected-answer', 4, false],
  [308, '', 'network.unexpected-answer', 4, false],
  [407, '', 'network.unexpected-answer', 4, false],
  [408, '', 'network.server-busy', 4, true],
  [409, google(409, 'Conflict'), 'storage.conflict', 1, false],
  [410, '', 'storage.gone', 1, false],
  [412, google(412, 'At least one ...', 'conditionNotMet'), 'storage.exists', 1, false],
  [412, 'Precondition Failed', 'storage.exists', 1, false],
  [412, google(412, 'No.', 'orgPolicyConstraintFailed'), 'access.organization-policy', 3, false],
  [412, google(412, 'No.', 'retentionPolicyNotMet'), 'access.refused', 3, false],
  [416, '', 'storage.range', 1, false],
  [429, '', 'network.server-busy', 4, true],
  [500, 'oops', 'network.server-busy', 4, true],
  [503, '<html>busy</html>', 'network.server-busy', 4, true],
])('%i %s is %s', (status, body, code, exit, retryable) => {
  const problem = explainHttpError(status, body, context);
  expect([problem.code, exitStatusOf(problem), problem.retryable]).toEqual([code, exit, retryable]);
  expect(problem.hint).not.toBe('');
  expect(problem.message).toMatch(/\.$/);
  expect(problem.subject).toBe('gs://input-data-bucket/data/');
});

/** As the newer part of Google's errors has it. */
const withDetails = (message: string, reason: string): string =>
  JSON.stringify({
    error: {
      code: 403,
      message,
      errors: [{ message, domain: 'global', reason: 'forbidden' }],
      details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason }],
    },
  });

// What Google says where no grant is missing: its words are all that the administrator has.
test.each([
  [
    'Cloud KMS',
    google(
      403,
      'Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key.',
    ),
  ],
  [
    'an address filter',
    google(403, 'There is an IP filtering condition that is preventing access to the resource.'),
  ],
  [
    'a retention policy',
    google(
      403,
      "Object 'input-data-bucket/data/x' is subject to bucket's retention policy or object retention and cannot be deleted or overwritten until 2027-01-01T00:00:00Z",
      'retentionPolicyNotMet',
    ),
  ],
  [
    'a hold',
    google(
      403,
      "Object 'input-data-bucket/data/x' is under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed.",
      'objectUnderActiveHold',
    ),
  ],
  ['a country', google(403, 'Your country is blocked.', 'countryBlocked')],
  ['a quota', google(403, 'Quota exceeded for quota metric.', 'quotaExceeded')],
  ['TLS', google(403, 'SSL is required to perform this operation.', 'sslRequired')],
  [
    'an access boundary',
    google(403, 'Request is not allowed by the access boundary of this credential.'),
  ],
])('%s: no grant is asked for, and Google is quoted', (_what, body) => {
  const { message } = (JSON.parse(body) as { error: { message: string } }).error;
  for (const permission of [
    'storage.objects.list',
    'storage.objects.get',
    'storage.objects.create',
  ]) {
    const problem = explainHttpError(403, body, { ...context, object: 'data/x', permission });
    expect(problem.code).toBe('access.refused');
    expect(problem.message).toContain(message.slice(0, 60).replace(/\.$/, ''));
    expect(problem.hint).not.toMatch(/role|grant/);
  }
});

test('what an administrator needs of a refusal is quoted', () => {
  const vpc = explainHttpError(
    403,
    withDetails(
      "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: Zm9vYmFy-x1",
      'SECURITY_POLICY_VIOLATED',
    ),
    context,
  );
  expect(vpc.code).toBe('access.organization-policy');
  expect(vpc.message).toContain('vpcServiceControlsUniqueIdentifier: Zm9vYmFy-x1');
  const project = explainHttpError(
    403,
    withDetails(
      `Caller does not have required permission to use project ml-billing-1. Grant the caller the roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use permission.`,
      'USER_PROJECT_DENIED',
    ),
    context,
  );
  expect(project.code).toBe('access.serviceusage-services-use-refused');
  expect(project.message).toContain('serviceusage.services.use');
  expect(project.hint).toContain('serviceusage.services.use');
  expect(project.hint).not.toContain('storage.objects');
});

test('an object that is not there is told so to whoever may read it and not list', () => {
  const asked = { ...context, object: 'data/a.txt', permission: 'storage.objects.get' };
  const missing = explainHttpError(403, denied('storage.objects.list'), asked);
  expect(missing.code).toBe('storage.object-not-found');
  expect(missing.hint).not.toContain('Ask for');
  const written = { ...asked, permission: 'storage.objects.create' };
  expect(explainHttpError(403, denied('storage.objects.list'), written).code).toBe(
    'access.list-refused',
  );
});

test('a refusal asks for the permission that Google names, not for the one that was thought of', () => {
  for (const [named, code] of [
    ['storage.folders.create', 'access.storage-folders-create-refused'],
    ['storage.managedFolders.get', 'access.storage-managedFolders-get-refused'],
    ['storage.buckets.get', 'access.storage-buckets-get-refused'],
    ['storage.objects.update', 'access.update-refused'],
  ] as const) {
    const problem = explainHttpError(403, denied(named), {
      ...context,
      permission: 'storage.objects.create',
    });
    expect(problem.code).toBe(code);
    expect(problem.message).toContain(named);
    expect(problem.hint).toContain(named);
    expect(problem.hint).not.toContain('objectCreator');
  }
});

// Anybody may call an account, a project, a bucket or an object after a word of Google's.
test.each([
  ['microscope@my-scope.iam.gserviceaccount.com', 'scope-data', 'scopes/insufficient scope.bin'],
  ['ml-billing@billing-dept.iam.gserviceaccount.com', 'billing', 'billing/billing account.csv'],
  [
    'policy@security-policy.iam.gserviceaccount.com',
    'security-policy',
    "organization's policy/vpc service controls",
  ],
  [
    'api@has-not-been-used.iam.gserviceaccount.com',
    'it-is-disabled',
    'has not been used in/it is disabled',
  ],
  ['payer@requester-pays.iam.gserviceaccount.com', 'requester-pays', 'requester pays/user project'],
  ['delete@p.iam.gserviceaccount.com', 'storage.objects.delete', 'storage.objects.delete'],
])('names decide nothing: %s, %s, %s', (who, bucket, object) => {
  const asked = { ...context, bucket, object, email: who, permission: 'storage.objects.create' };
  const said = google(
    403,
    `${who} does not have storage.objects.create access to the Google Cloud Storage object '${bucket}/${object}' in project ${bucket}. Permission 'storage.objects.create' denied on resource (or it may not exist).`,
  );
  expect(explainHttpError(403, said, asked).code).toBe('access.create-refused');
  expect(meansTaken(403, said, asked)).toBe(false);
  const other = google(
    403,
    `An IP filter of ${bucket} refuses ${who} (object ${object}, project ${bucket}).`,
  );
  expect(explainHttpError(403, other, asked).code).toBe('access.refused');
});

test('a name is taken where the condition was not met, or where the right to replace is missing', () => {
  const named = { bucket: 'b', object: 'x', email };
  expect(meansTaken(412, google(412, 'x', 'conditionNotMet'), named)).toBe(true);
  expect(meansTaken(412, 'Precondition Failed', named)).toBe(true);
  expect(meansTaken(412, google(412, 'x', 'orgPolicyConstraintFailed'), named)).toBe(false);
  expect(meansTaken(403, denied('storage.objects.delete'), named)).toBe(true);
  expect(meansTaken(403, denied('storage.objects.create'), named)).toBe(false);
});

test('a missing object is told apart from a missing bucket, whatever the bucket is called', () => {
  const asked = { ...context, object: 'data/x', permission: 'storage.objects.get' };
  const object = explainHttpError(404, 'No such object: input-data-bucket/data/x', asked);
  expect(object.code).toBe('storage.object-not-found');
  expect(object.message).toContain('or trainer@p.iam.gserviceaccount.com may not know of it');
  const bucket = explainHttpError(404, google(404, 'The specified bucket does not exist.'), asked);
  expect(bucket.code).toBe('input.bucket-not-found');
});

test('without a credential a refusal asks for a key', () => {
  const problem = explainHttpError(401, google(401, 'Anonymous caller'), {
    ...context,
    email: null,
  });
  expect(problem.code).toBe('access.credential-needed');
  expect(problem.hint).toContain('Name a key');
});

test('no name can break out of a condition', () => {
  expect(prefixCondition('b', 'data')).toBe(
    'resource.name.startsWith("projects/_/buckets/b/objects/data/")',
  );
  expect(objectCondition('b', 'a')).toBe('resource.name == "projects/_/buckets/b/objects/a"');
  for (const name of ['a"b', "a'b", 'a\\b', 'a\nb', 'a\u2028b', '\ud800']) {
    expect(prefixCondition('b', name)).toBe(null);
    expect(objectCondition('b', name)).toBe(null);
    expect(askForGrant('storage.objects.get', { bucket: 'b', prefix: name, email })).not.toContain(
      name,
    );
  }
  expect(askForGrant('storage.objects.get', { bucket: 'b', prefix: '', email })).not.toContain(
    'condition',
  );
});
