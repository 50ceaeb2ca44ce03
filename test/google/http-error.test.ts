import { expect, test } from 'vitest';
import { askForGrant, objectCondition, prefixCondition } from '../../src/google/grants.ts';
import { explainHttpError, type StorageContext } from '../../src/google/http-error.ts';
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
  [412, google(412, 'conditionNotMet'), 'storage.exists', 1, false],
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
