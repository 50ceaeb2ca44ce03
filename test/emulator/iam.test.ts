import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { holds, parseExpression, type Subject } from '../../src/emulator/iam/expression.ts';
import { ask, makeBucket, mint, objectPath, put, SCOPES, type Answer } from './ask.ts';
import { emailOf, startEmulator, type EmulatorOptions, type RunningEmulator } from './start.ts';
import { fc } from '../support/properties.ts';

const B = 'iam-bucket';
const LIST_PREFIX = "api.getAttribute('storage.googleapis.com/objectListPrefix', '')";
const below = (prefix: string, bucket = B) =>
  `resource.name.startsWith("projects/_/buckets/${bucket}/objects/${prefix}")`;

interface World {
  readonly emulator: RunningEmulator;
  readonly url: string;
  /** Tokens of `admin` and `user`. */
  readonly admin: string;
  readonly user: string;
}

// The same two keys for every emulator of this file: making an RSA key takes longer than all else.
let keys: string;
beforeAll(async () => {
  keys = await mkdtemp(join(tmpdir(), 'trainyard-iam-test-'));
});
afterAll(async () => rm(keys, { recursive: true, force: true }));

const running: RunningEmulator[] = [];
const stopAll = async () => {
  await Promise.all(running.splice(0).map(async (emulator) => emulator.stop()));
};

/** An emulator with the bucket, some objects, an administrator, and a user with the grants. */
async function world(
  grants: readonly string[],
  options: EmulatorOptions = {},
  scope: string = SCOPES.write,
): Promise<World> {
  const emulator = await startEmulator({
    accounts: ['admin', 'user'].map((name) => ({ name, path: join(keys, `${name}.json`) })),
    admins: [emailOf('admin')],
    grants: grants.map((grant) => (grant.includes('=') ? grant : `${emailOf('user')}=${grant}`)),
    ...options,
  });
  running.push(emulator);
  const url = emulator.url;
  const admin = await mint(emulator, 'admin', SCOPES.platform);
  await makeBucket(url, B, admin);
  for (const name of ['data/a', 'data-private/a', 'results/a'])
    await put(url, B, name, name, { token: admin });
  return { emulator, url, admin, user: await mint(emulator, 'user', scope) };
}

const get = (w: World, name: string, token: string | undefined = w.user) =>
  ask(w.url, 'GET', `${objectPath(B, name)}?alt=media`, { token });
const list = (w: World, prefix: string, token: string | undefined = w.user) =>
  ask(w.url, 'GET', `/storage/v1/b/${B}/o?prefix=${encodeURIComponent(prefix)}`, { token });
const create = (w: World, name: string, query = '') =>
  put(w.url, B, name, 'x', { token: w.user, query });
const statuses = async (...answers: Promise<Answer>[]) =>
  (await Promise.all(answers)).map((answer) => answer.status);

describe('grants, as real requests meet them', () => {
  afterEach(stopAll);

  test('the correct set of three reads and lists the input, creates below the output, and no more', async () => {
    const w = await world([
      `roles/storage.objectViewer@${B}@${below('data/')}`,
      `storage.objects.list@${B}`,
      `roles/storage.objectCreator@${B}@${below('results/')}`,
    ]);
    expect(await statuses(get(w, 'data/a'), list(w, 'data/'), create(w, 'results/new'))).toEqual([
      200, 200, 200,
    ]);
    expect(
      await statuses(
        get(w, 'data-private/a'),
        get(w, 'results/a'),
        create(w, 'data/new'),
        create(w, 'resultsnew'),
      ),
    ).toEqual([403, 403, 403, 403]);
    const refused = (await ask(w.url, 'GET', objectPath(B, 'results/a'), { token: w.user })).json();
    expect(refused.error.errors).toEqual([
      { domain: 'global', reason: 'forbidden', message: refused.error.message },
    ]);
    expect(refused.error.message).toBe(
      `${emailOf('user')} does not have storage.objects.get access to the Google Cloud Storage object. Permission 'storage.objects.get' denied on resource (or it may not exist).`,
    );
    // Creating does not replace, delete, or describe.
    const there = objectPath(B, 'results/a');
    const denied = await create(w, 'results/a');
    expect([denied.status, denied.json().error.message]).toEqual([
      403,
      expect.stringContaining('storage.objects.delete'),
    ]);
    expect((await create(w, 'results/a', 'ifGenerationMatch=0')).status).toBe(412);
    expect(await statuses(ask(w.url, 'DELETE', there, { token: w.user }))).toEqual([403]);
    expect(await statuses(ask(w.url, 'GET', `/storage/v1/b/${B}`, { token: w.user }))).toEqual([
      403,
    ]);
    expect((await get(w, 'results/a', w.admin)).text).toBe('results/a');
    // A resumable session is refused at its start.
    const start = (name: string) =>
      ask(w.url, 'POST', `/upload/storage/v1/b/${B}/o?uploadType=resumable&name=${name}`, {
        token: w.user,
        json: {},
      });
    expect(await statuses(start('results/session'), start('data/session'))).toEqual([200, 403]);
  });

  test('an object condition never lets list, and the announcement of the hosted service has that defect', async () => {
    const w = await world([`roles/storage.objectViewer@${B}@${below('data/')}`]);
    expect(await statuses(get(w, 'data/a'), list(w, 'data/'), list(w, ''))).toEqual([
      200, 403, 403,
    ]);
    const refused = (await list(w, 'data/')).json().error.message;
    expect(refused).toContain('storage.objects.list access to the Google Cloud Storage bucket');
    // A name that is not there is told to those who may list alone.
    expect((await get(w, 'data/nothing')).status).toBe(403);
    expect((await get(w, 'data/nothing', w.admin)).status).toBe(404);
  });

  test('a bucket condition without a slash at its end also matches the neighbour', async () => {
    const grant = `roles/storage.objectViewer@BUCKET@resource.name.startsWith("projects/_/buckets/${B}")`;
    const w = await world([B, `${B}-2`].map((bucket) => grant.replace('BUCKET', bucket)));
    await makeBucket(w.url, `${B}-2`, w.admin);
    await put(w.url, `${B}-2`, 'secret', 'x', { token: w.admin });
    const neighbour = ask(w.url, 'GET', objectPath(`${B}-2`, 'secret'), { token: w.user });
    expect(await statuses(neighbour, list(w, ''))).toEqual([200, 200]);
  });

  test.each([
    [true, [200, 200, 403, 403]],
    [false, [403, 403, 403, 403]],
  ])('the list prefix attribute in allow policies: %s', async (evaluated, expected) => {
    const w = await world([`storage.objects.list@${B}@${LIST_PREFIX}.startsWith("data/")`], {
      flags: evaluated ? ['--evaluate-list-prefix'] : [],
    });
    expect(
      await statuses(list(w, 'data/'), list(w, 'data/a'), list(w, 'data'), list(w, '')),
    ).toEqual(expected);
  });

  test('a create-only clash can answer 403 naming the deletion', async () => {
    const w = await world([`roles/storage.objectCreator@${B}`], {
      flags: ['--overwrite-answers-403'],
    });
    const clash = await create(w, 'results/a', 'ifGenerationMatch=0');
    expect([clash.status, clash.json().error.message]).toEqual([
      403,
      expect.stringContaining('storage.objects.delete'),
    ]);
    expect(
      (await put(w.url, B, 'results/a', 'x', { token: w.admin, query: 'ifGenerationMatch=0' }))
        .status,
    ).toBe(412);
  });

  test('roles are their permissions', async () => {
    const objectsOf = (w: World) =>
      statuses(
        get(w, 'data/a'),
        list(w, ''),
        create(w, 'new'),
        create(w, 'data/a'),
        ask(w.url, 'PATCH', objectPath(B, 'data-private/a'), { token: w.user, json: {} }),
        ask(w.url, 'GET', `/storage/v1/b/${B}`, { token: w.user }),
        ask(w.url, 'GET', `/storage/v1/b/${B}/iam`, { token: w.user }),
      );
    const flags = ['--role', 'custom=storage.objects.get,storage.buckets.get'];
    const w = await world([], { flags }, SCOPES.platform);
    for (const [role, expected] of [
      ['roles/storage.objectUser', [200, 200, 200, 200, 200, 403, 403]],
      ['roles/storage.legacyBucketReader', [403, 200, 403, 403, 403, 200, 403]],
      ['roles/storage.admin', [200, 200, 200, 200, 200, 200, 200]],
      ['projects/demo-project/roles/custom', [200, 403, 403, 403, 403, 200, 403]],
      ['storage.objects.update', [403, 403, 403, 403, 200, 403, 403]],
    ] as const) {
      const bindings = [{ role, members: [`serviceAccount:${emailOf('user')}`] }];
      const set = ask(w.url, 'PUT', `/storage/v1/b/${B}/iam`, {
        token: w.admin,
        json: { bindings },
      });
      expect(await statuses(set)).toEqual([200]);
      await ask(w.url, 'DELETE', objectPath(B, 'new'), { token: w.admin });
      expect([role, await objectsOf(w)]).toEqual([role, expected]);
    }
  });

  test('without a token: 401, unless allUsers may', async () => {
    const w = await world([`allUsers=roles/storage.legacyObjectReader@${B}`]);
    const anonymous = (name: string) => ask(w.url, 'GET', `${objectPath(B, name)}?alt=media`);
    expect((await anonymous('data/a')).text).toBe('data/a');
    const refused = await ask(w.url, 'GET', `/storage/v1/b/${B}/o`);
    expect(refused.status).toBe(401);
    expect(refused.json().error.message).toMatch(
      /^Anonymous caller does not have storage.objects.list access/,
    );
    expect((await put(w.url, B, 'x', 'x')).status).toBe(401);
    expect((await makeBucket(w.url, 'another')).status).toBe(401);
    expect(
      (await ask(w.url, 'GET', '/storage/v1/b/nowhere-at-all/o', { token: w.user })).json().error,
    ).toMatchObject({
      code: 404,
      message: 'The specified bucket does not exist.',
    });
  });

  test('a token does no more than its scope', async () => {
    const w = await world([`roles/storage.admin@${B}`], {}, SCOPES.read);
    expect(await statuses(get(w, 'data/a'), list(w, ''))).toEqual([200, 200]);
    const refused = await create(w, 'new');
    expect([refused.status, refused.json().error.message]).toEqual([
      403,
      expect.stringContaining('scopes'),
    ]);
    const deleted = ask(w.url, 'DELETE', objectPath(B, 'data/a'), { token: w.user });
    expect(await statuses(deleted)).toEqual([403]);
    const write = await mint(w.emulator, 'user', SCOPES.write);
    expect(await statuses(ask(w.url, 'GET', `/storage/v1/b/${B}/iam`, { token: write }))).toEqual([
      403,
    ]);
    const none = await mint(w.emulator, 'user', 'https://www.googleapis.com/auth/bigquery');
    expect(await statuses(get(w, 'data/a', none))).toEqual([403]);
  });

  test('composing needs reading and creating', async () => {
    const w = await world([
      `roles/storage.objectCreator@${B}`,
      `storage.objects.get@${B}@${below('data/')}`,
    ]);
    const compose = (source: string, target: string) =>
      ask(w.url, 'POST', `${objectPath(B, target)}/compose`, {
        token: w.user,
        json: { sourceObjects: [{ name: source }] },
      });
    expect(
      await statuses(
        compose('data/a', 'c1'),
        compose('results/a', 'c2'),
        compose('data/a', 'data/a'),
      ),
    ).toEqual([200, 403, 403]);
  });
});

describe('testIamPermissions', () => {
  afterEach(stopAll);

  test('on a bucket: what is held there without a condition on objects', async () => {
    const w = await world([
      `roles/storage.objectCreator@${B}`,
      `roles/storage.objectViewer@${B}@${below('data/')}`,
    ]);
    const held = async (path: string, permissions: string[], token?: string) =>
      ask(
        w.url,
        'GET',
        `/storage/v1/b/${B}${path}/testPermissions?${permissions.map((each) => `permissions=${each}`).join('&')}`,
        { token },
      );
    const asked = [
      'storage.objects.create',
      'storage.objects.get',
      'storage.objects.list',
      'storage.buckets.delete',
    ];
    expect((await held('/iam', asked, w.user)).json()).toEqual({
      kind: 'storage#testIamPermissionsResponse',
      permissions: ['storage.objects.create'],
    });
    expect((await held('/iam', asked, w.admin)).json().permissions).toEqual(asked);
    expect((await held('/iam', asked)).json().permissions).toBeUndefined();
    expect((await held('/o/data%2Fa/iam', asked, w.user)).status).toBe(404);
    for (const wrong of ['storage.buckets.list', 'storage.buckets.create', 'nonsense'])
      expect((await held('/iam', [wrong], w.user)).status).toBe(400);
  });

  test('on a project', async () => {
    const w = await world(['storage.buckets.list@projects/demo-project']);
    const asked = [
      'storage.buckets.list',
      'storage.buckets.create',
      'resourcemanager.projects.setIamPolicy',
    ];
    const held = (token?: string) =>
      ask(w.url, 'POST', '/v1/projects/demo-project:testIamPermissions', {
        token,
        json: { permissions: asked },
      });
    expect((await held(w.user)).json()).toEqual({ permissions: ['storage.buckets.list'] });
    expect((await held(w.admin)).json()).toEqual({ permissions: asked });
    expect((await held()).status).toBe(401);
    expect(
      await statuses(ask(w.url, 'GET', '/storage/v1/b?project=demo-project', { token: w.user })),
    ).toEqual([200]);
  });
});

describe('policies by the API', () => {
  afterEach(stopAll);

  test('are given, replaced, checked, and rule at once', async () => {
    const w = await world([]);
    const path = `/storage/v1/b/${B}/iam`;
    const set = (json: unknown, token = w.admin) => ask(w.url, 'PUT', path, { token, json });
    const read = async (version: number) =>
      ask(w.url, 'GET', `${path}?optionsRequestedPolicyVersion=${version}`, { token: w.admin });
    const before = (await read(1)).json();
    expect(before).toMatchObject({ kind: 'storage#policy', bindings: [], version: 1 });
    const members = [`serviceAccount:${emailOf('user')}`];
    const bindings = [
      {
        role: 'roles/storage.objectViewer',
        members,
        condition: { title: 'data', expression: below('data/') },
      },
      { role: 'storage.objects.list', members },
    ];
    expect(await statuses(get(w, 'data/a'), set({ bindings }, w.user))).toEqual([403, 403]);
    expect((await set({ bindings, etag: before.etag })).json().error.message).toContain(
      'version 3',
    );
    const after = await set({ bindings, etag: before.etag, version: 3 });
    expect(after.json()).toMatchObject({ version: 3, bindings });
    expect((await set({ bindings: [], etag: before.etag })).status).toBe(412);
    expect(await statuses(get(w, 'data/a'), get(w, 'data-private/a'), list(w, ''))).toEqual([
      200, 403, 200,
    ]);
    expect((await read(1)).status).toBe(400);
    expect((await read(3)).json()).toMatchObject({ bindings, etag: after.json().etag });
    for (const wrong of [
      { role: 'roles/storage.nothing', members },
      { role: 'roles/storage.objectViewer', members: ['somebody'] },
      { role: 'roles/storage.objectViewer', members, condition: { expression: below('x/') } },
      {
        role: 'roles/storage.objectViewer',
        members,
        condition: { title: 't', expression: 'true' },
      },
      {
        role: 'roles/storage.objectViewer',
        members: ['allUsers'],
        condition: { title: 't', expression: below('x/') },
      },
    ])
      expect([wrong, (await set({ bindings: [wrong], version: 3 })).status]).toEqual([wrong, 400]);
    expect((await set({ bindings: [] })).status).toBe(200);
    expect(await statuses(get(w, 'data/a'))).toEqual([403]);
  });
});

describe('expressions', () => {
  const subject: Subject = {
    name: 'projects/_/buckets/b/objects/data/x',
    type: 'storage.googleapis.com/Object',
    service: 'storage.googleapis.com',
    listPrefix: 'data/',
  };
  const evaluate = (source: string, on: Subject = subject): boolean | string => {
    const parsed = parseExpression(source);
    return parsed.ok ? holds(parsed.expression, on) : parsed.message;
  };

  test.each([
    ['resource.name.startsWith("projects/_/buckets/b/objects/data/")', true],
    ["resource.name.startsWith('projects/_/buckets/b/objects/other/')", false],
    ['resource.name == "projects/_/buckets/b/objects/data/x"', true],
    ['resource.name=="projects/_/buckets/b"', false],
    [
      'resource.type == "storage.googleapis.com/Object" && resource.service == "storage.googleapis.com"',
      true,
    ],
    ['resource.type == "a" || resource.service == "storage.googleapis.com"', true],
    ['!resource.name.startsWith("projects")', false],
    ['!!(resource.name.startsWith("projects"))', true],
    // && binds closer than ||.
    [
      'resource.type == "a" && resource.type == "b" || resource.service.startsWith("storage")',
      true,
    ],
    [
      'resource.type == "a" && (resource.type == "b" || resource.service.startsWith("storage"))',
      false,
    ],
    [`${LIST_PREFIX}.startsWith("data/")`, true],
    [`${LIST_PREFIX} == "data"`, false],
    [' ( resource . name . startsWith ( "projects" ) ) ', true],
    ['resource.name == "\\x70rojects\\u002f_\\/"', 'Unknown escape sequence at position 37'],
    ['resource.name.startsWith("\\x70rojects\\u002f_")', true],
  ])('%s', (source, expected) => {
    expect(evaluate(source)).toBe(expected);
  });

  test('without the attribute its fallback counts', () => {
    const none = { ...subject, listPrefix: null };
    const attribute = "api.getAttribute('storage.googleapis.com/objectListPrefix', 'fall')";
    expect(evaluate(`${LIST_PREFIX}.startsWith("data/")`, none)).toBe(false);
    expect(evaluate(`${attribute} == "fall"`, none)).toBe(true);
  });

  test.each([
    ['', 'Unexpected end at position 1'],
    ['true', 'Unexpected "true" at position 1'],
    ['resource.name', 'Unexpected end at position 14'],
    ['resource.nam == "a"', 'Unexpected "nam" at position 10'],
    ['resource.name != "a"', 'Unexpected "!=" at position 15'],
    ['resource.name.endsWith("a")', 'Unexpected "endsWith" at position 15'],
    ['resource.name.matches("a")', 'Unexpected "matches" at position 15'],
    ['resource.name.startsWith("a") extra', 'Unexpected "extra" at position 31'],
    ['(resource.name.startsWith("a")', 'Unexpected end at position 31'],
    ['resource.name.startsWith("a', 'String without an end at position 26'],
    ['resource.name.startsWith(resource.type)', 'Unexpected "resource" at position 26'],
    ['resource.name == "a" & resource.name == "b"', 'Unexpected "&" at position 22'],
    ['request.time < timestamp("x")', 'Unexpected "<" at position 14'],
    ["api.getAttribute('x', '').startsWith('a')", `Unknown attribute "x" at position 18`],
  ])('refused with its position: %s', (source, message) => {
    expect(evaluate(source)).toBe(message);
  });

  test('deep nesting is refused, not followed', () => {
    const deep = `${'('.repeat(5000)}resource.name == "a"${')'.repeat(5000)}`;
    expect(evaluate(deep)).toContain('Nested too deep');
  });

  test('any combination evaluates as the same combination of booleans', () => {
    type Tree = boolean | { op: '&&' | '||'; parts: [Tree, Tree] } | { not: Tree };
    const tree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        fc.boolean(),
        fc.record({
          op: fc.constantFrom('&&' as const, '||' as const),
          parts: fc.tuple(tie('tree'), tie('tree')),
        }),
        fc.record({ not: tie('tree') }),
      ),
    })).tree;
    const text = (node: Tree): string => {
      if (typeof node === 'boolean')
        return `resource.name.startsWith("${node ? 'projects' : 'x'}")`;
      if ('not' in node) return `!(${text(node.not)})`;
      return `(${text(node.parts[0])} ${node.op} ${text(node.parts[1])})`;
    };
    const value = (node: Tree): boolean => {
      if (typeof node === 'boolean') return node;
      if ('not' in node) return !value(node.not);
      const [left, right] = node.parts;
      return node.op === '&&' ? value(left) && value(right) : value(left) || value(right);
    };
    fc.assert(fc.property(tree, (node) => evaluate(text(node)) === value(node)));
  });
});
