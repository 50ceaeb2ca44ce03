import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { keyTokenSource, mintWithClock } from '../../src/google/access-token.ts';
import { checkAccess, oneToken } from '../../src/google/check-access.ts';
import { findPower, POWER_SCOPE, testProjectPermissions } from '../../src/google/power.ts';
import { statusOf } from '../../src/cli/commands/check.ts';
import type { AccessUse, PowerReport, Rung, RungName } from '../../src/shared/access-check.ts';
import type { GoogleEndpoints } from '../../src/shared/endpoints.ts';
import type { ServiceAccountKey } from '../../src/shared/key.ts';
import { ok } from '../../src/shared/problem.ts';
import { emailOf } from '../emulator/start.ts';
import { startGrantWorld, type GrantWorld } from './grant-world.ts';
import { rsaKey } from './keys.ts';

const IN = 'input-data-bucket';
const OUT = 'artifacts-bucket';
const READ = `resource.name.startsWith("projects/_/buckets/${IN}/objects/data/")`;
const HNS = 'folders-bucket';
const WRITE = `resource.name.startsWith("projects/_/buckets/${OUT}/objects/results/")`;
const signal = new AbortController().signal;
const POWERLESS: PowerReport = { state: 'nothing-found', findings: [], asked: [] };

const grants: readonly string[] = [
  ['exact', 'roles/storage.objectViewer', IN, READ],
  ['exact', 'storage.objects.list', IN],
  ['exact', 'roles/storage.objectCreator', OUT, WRITE],
  ['exact', 'roles/storage.objectCreator', HNS, WRITE.replace(OUT, HNS)],
  ['no-list', 'roles/storage.objectViewer', IN, READ],
  ['no-get', 'storage.objects.list', IN],
  ['wide', 'roles/storage.objectUser', IN],
  ['wide', 'roles/storage.objectUser', OUT],
  ['owner', 'roles/storage.admin', OUT],
  ['ruler', 'resourcemanager.projects.setIamPolicy', 'projects/demo-project'],
  ['ruler', 'iam.serviceAccountKeys.create', 'projects/demo-project'],
  ['ruler', 'roles/storage.admin', 'projects/demo-project'],
].map(([name = '', role = '', where = '', condition]) =>
  [`${emailOf(name)}=${role}@${where}`, ...(condition === undefined ? [] : [condition])].join('@'),
);

let world: GrantWorld;
beforeAll(async () => {
  world = await startGrantWorld({
    accounts: ['exact', 'no-list', 'no-get', 'nobody', 'wide', 'owner', 'ruler'],
    grants,
    flags: ['--hierarchical', HNS],
    buckets: [IN, OUT, HNS],
  });
  for (const name of [
    'data/a.bin',
    'data/b.bin',
    'data/set.tar.gz',
    'data-private/secret',
    'one.bin',
    'both',
    'both/below',
  ])
    await world.put(IN, name);
});
afterEach(() => world.emulator.setFaults([]));
afterAll(() => world.emulator.stop());

interface Asked {
  readonly name: string | null;
  readonly key?: ServiceAccountKey;
  readonly endpoints?: GoogleEndpoints;
}
function check(address: string, use: AccessUse, { name, ...rest }: Asked) {
  const endpoints = rest.endpoints ?? world.endpoints;
  const key = rest.key ?? (name === null ? null : world.key(name));
  return checkAccess({
    address,
    for: use,
    endpoints,
    signal,
    account: key?.clientEmail ?? null,
    mint:
      key === null
        ? null
        : async () => {
            const purpose = use === 'input' ? 'read' : 'write';
            const minted = await mintWithClock(key, purpose, endpoints, {
              signal,
              timeoutMs: 3_000,
            });
            if (!minted.ok) return minted;
            const { access, skewMs } = minted.value;
            return ok({ tokens: oneToken(key.clientEmail, access), skewMs });
          },
  });
}
const states = (rungs: readonly Rung[]) =>
  Object.fromEntries(rungs.map(({ name, state }) => [name, state]));
const one = (rungs: readonly Rung[], name: RungName): Rung => {
  const found = rungs.find((rung) => rung.name === name);
  if (found === undefined) throw new Error(`There is no rung ${name}.`);
  return found;
};

describe('the ladder for an input', () => {
  it('passes with grants for a folder alone, of which Google’s own answer tells half', async () => {
    const report = await check(`gs://${IN}/data/`, 'input', { name: 'exact' });
    expect(states(report.rungs)).toEqual({
      address: 'pass',
      token: 'pass',
      permissions: 'could-not-tell',
      list: 'pass',
      read: 'pass',
    });
    expect(report).toMatchObject({ verdict: 'pass', more: [] });
    expect(one(report.rungs, 'permissions').message).toMatch(/objects\.get it says nothing/);
  });

  it('fails at the listing where only objects may be read, and asks for exactly that', async () => {
    const report = await check(`gs://${IN}/data/`, 'input', { name: 'no-list' });
    expect(states(report.rungs)).toMatchObject({ list: 'fail', read: 'pass' });
    expect(report.verdict).toBe('fail');
    const { grant, hint, code } = one(report.rungs, 'list');
    expect(code).toBe('access.list-refused');
    expect(grant?.bindings).toMatchObject([{ purpose: 'list', bucket: IN, condition: null }]);
    expect(hint).toContain('storage.objects.list');
    expect(grant?.command).toBe(
      `trainyard grant --input 'gs://${IN}/data/' --account ${emailOf('no-list')}`,
    );
  });

  it('fails at the reading where only the listing is granted, and asks for the folder', async () => {
    const report = await check(`gs://${IN}/data`, 'input', { name: 'no-get' });
    expect(states(report.rungs)).toMatchObject({ list: 'pass', read: 'fail' });
    const { grant, hint } = one(report.rungs, 'read');
    expect(grant?.bindings).toMatchObject([
      { purpose: 'read', role: 'roles/storage.objectViewer', bucket: IN },
    ]);
    expect(hint).toContain(READ);
  });

  it('fails without any grant, and names each missing one', async () => {
    const report = await check(`gs://${IN}/data/`, 'input', { name: 'nobody' });
    expect(states(report.rungs)).toMatchObject({
      permissions: 'could-not-tell',
      list: 'fail',
      read: 'fail',
    });
    expect(one(report.rungs, 'read').grant?.bindings).toMatchObject([{ purpose: 'read' }]);
    expect(one(report.rungs, 'read').hint).toContain(READ);
  });

  it('reads one object without a listing, as a job does, and asks for none', async () => {
    const report = await check(`gs://${IN}/data/a.bin`, 'input', { name: 'no-list' });
    expect(states(report.rungs)).toEqual({
      address: 'pass',
      token: 'pass',
      permissions: 'could-not-tell',
      read: 'pass',
    });
    expect(report.verdict).toBe('pass');
    const typo = await check(`gs://${IN}/data/a.bim`, 'input', { name: 'no-list' });
    expect(states(typo.rungs)).toMatchObject({ list: 'fail', read: 'pass' });
    expect(one(typo.rungs, 'list').message).toContain(`no object gs://${IN}/data/a.bim.`);
    expect(one(typo.rungs, 'list').hint).toContain('One object needs no listing');
  });

  it('refuses what is an object and a folder, as a job does', async () => {
    const report = await check(`gs://${IN}/both`, 'input', { name: 'wide' });
    expect(one(report.rungs, 'list')).toMatchObject({
      state: 'fail',
      code: 'input.address-ambiguous',
    });
    expect(report.verdict).toBe('fail');
  });

  it('reads one archive without a listing, and says so where it is refused or missing', async () => {
    const good = await check(`gs://${IN}/data/set.tar.gz`, 'input', { name: 'no-list' });
    expect(states(good.rungs)).toEqual({
      address: 'pass',
      token: 'pass',
      permissions: 'could-not-tell',
      read: 'pass',
    });
    expect(good.verdict).toBe('pass');
    const missing = await check(`gs://${IN}/data/none.tar.gz`, 'input', { name: 'no-list' });
    expect(one(missing.rungs, 'read')).toMatchObject({ state: 'fail' });
    expect(one(missing.rungs, 'read').message).toMatch(/or there is no such object/);
    const gone = await check(`gs://${IN}/data/none.tar.gz`, 'input', { name: 'exact' });
    expect(one(gone.rungs, 'read').message).toMatch(/There is no object .* or .* may not know/);
    // No grant is missing.
    for (const { rungs } of [missing, gone]) expect(one(rungs, 'read').grant).toBeNull();
  });

  it('tells one object and an empty place from a folder', async () => {
    const single = await check(`gs://${IN}/one.bin`, 'input', { name: 'wide' });
    expect(states(single.rungs)).toMatchObject({ list: 'pass', read: 'pass' });
    const typo = await check(`gs://${IN}/dta`, 'input', { name: 'wide' });
    expect(states(typo.rungs)).toMatchObject({ list: 'pass', read: 'could-not-tell' });
    expect(typo.verdict).toBe('could-not-tell');
    const empty = await check(`gs://${IN}/empty/`, 'input', { name: 'exact' });
    expect(states(empty.rungs)).toMatchObject({ list: 'pass', read: 'could-not-tell' });
    const held = await check(`gs://${IN}/empty/`, 'input', { name: 'wide' });
    expect(states(held.rungs)).toMatchObject({ permissions: 'pass', list: 'pass', read: 'pass' });
  });

  it('says nothing of reading where the listing could not be had, though all may be read', async () => {
    await world.emulator.setFaults([
      { operation: 'list', fault: { kind: 'status', status: 403 }, answered: 'any' },
    ]);
    const report = await check(`gs://${IN}/data/`, 'input', { name: 'wide' });
    expect(states(report.rungs)).toMatchObject({ permissions: 'pass', list: 'fail' });
    expect(one(report.rungs, 'read')).toMatchObject({
      state: 'could-not-tell',
      message:
        'Without a listing no object is known that could be tried. Google says that all of the bucket may be read.',
    });
  });

  it('notes quietly what is more than the input needs', async () => {
    const report = await check(`gs://${IN}/data/`, 'input', { name: 'wide' });
    expect(report.verdict).toBe('pass');
    expect(report.more.join(' ')).toMatch(/read every object/);
    expect(report.more.join(' ')).toMatch(/create objects in the input/);
  });

  it('covers both where a bucket is missing or may not be known', async () => {
    const report = await check('gs://no-such-bucket-here/data/', 'input', { name: 'exact' });
    expect(states(report.rungs)).toEqual({
      address: 'pass',
      token: 'pass',
      permissions: 'fail',
      list: 'not-checked',
      read: 'not-checked',
    });
    const { message, hint, grant } = one(report.rungs, 'permissions');
    expect(message).toMatch(/does not exist, or .* may not know of it/);
    expect(hint).toMatch(/typing mistake.*Where it is right: Ask for/);
    expect(grant?.bindings).toHaveLength(2);
  });

  it('needs no key where everybody may read, and asks for one elsewhere', async () => {
    const report = await check(`gs://${IN}/data/`, 'input', { name: null });
    expect(states(report.rungs)).toMatchObject({ token: 'pass', list: 'fail' });
    expect(one(report.rungs, 'list').hint).toContain('Name a key');
  });
});

describe('the ladder for an output', () => {
  it('passes by an upload that is begun and cancelled, and leaves nothing', async () => {
    const report = await check(`gs://${OUT}/results`, 'output', { name: 'exact' });
    expect(states(report.rungs)).toEqual({
      address: 'pass',
      token: 'pass',
      permissions: 'could-not-tell',
      create: 'pass',
    });
    expect(report).toMatchObject({ verdict: 'pass', more: [] });
    expect(await world.names(OUT)).toEqual([]);
    const requests = (await world.emulator.requestLog()).filter(({ bucket }) => bucket === OUT);
    const uploads = requests.filter(({ path }) => path.startsWith('/upload/'));
    expect(uploads.map(({ method, status }) => [method, status])).toEqual([
      ['POST', 200],
      ['DELETE', 499],
    ]);
    expect(requests.some(({ method }) => method === 'PUT')).toBe(false);
  });

  it('fails outside of what is granted, and asks for exactly that folder', async () => {
    const report = await check(`gs://${OUT}/elsewhere/`, 'output', { name: 'exact' });
    expect(states(report.rungs)).toMatchObject({ create: 'fail' });
    const { code, grant, hint } = one(report.rungs, 'create');
    expect(code).toBe('access.create-refused');
    expect(grant?.bindings).toMatchObject([{ purpose: 'write', bucket: OUT }]);
    expect(hint).toContain(`objects/elsewhere/")`);
    expect(await world.names(OUT)).toEqual([]);
  });

  it('asks for folders alone where objects may be created and folders not', async () => {
    const report = await check(`gs://${HNS}/results/`, 'output', { name: 'exact' });
    const { state, code, grant, hint } = one(report.rungs, 'create');
    expect([state, code]).toEqual(['fail', 'access.storage-folders-create-refused']);
    const condition = `resource.name.startsWith("projects/_/buckets/${HNS}/folders/results/")`;
    expect(grant?.bindings.map((binding) => binding.condition?.expression)).toEqual([condition]);
    expect(hint).toContain('storage.folders.create');
    expect(hint).toContain(condition);
    expect(hint).not.toContain('/objects/');
    await world.put(HNS, 'results/there');
    const later = await check(`gs://${HNS}/results/`, 'output', { name: 'exact' });
    expect(later.verdict).toBe('pass');
  });

  it('says that a name cannot be granted where it cannot', async () => {
    const report = await check(`gs://${OUT}/it's/`, 'output', { name: 'exact' });
    const { grant, hint } = one(report.rungs, 'create');
    expect(grant).toMatchObject({ bindings: [], command: '' });
    expect(hint).toMatch(/cannot stand in the expression/);
  });

  it('is still a pass where the cancelling is not answered, and says what becomes of it', async () => {
    await world.emulator.setFaults([
      { operation: 'upload-cancel', fault: { kind: 'reset' }, answered: 'any' },
    ]);
    const report = await check(`gs://${OUT}/results/`, 'output', { name: 'exact' });
    expect(one(report.rungs, 'create')).toMatchObject({
      state: 'pass',
      hint: expect.stringContaining('lapses by itself') as string,
    });
  });

  it('notes quietly what is more than the output needs', async () => {
    const report = await check(`gs://${OUT}/results/`, 'output', { name: 'wide' });
    expect(report.more.join(' ')).toMatch(/anywhere in the bucket.*delete and overwrite/);
  });
});

describe('before the bucket is asked', () => {
  it('an address that is none ends it', async () => {
    for (const address of ['data', 'https://x/y', 'gs://Bad_Bucket/x', 'gs://bucket/a\nb'])
      expect((await check(address, 'input', { name: 'exact' })).rungs).toMatchObject([
        { name: 'address', state: 'fail', code: 'input.address' },
      ]);
  });

  it('a key that the emulator does not know fails at the token', async () => {
    const other = rsaKey().export({ format: 'der', type: 'pkcs8' }).toString('base64');
    const report = await check(`gs://${IN}/data/`, 'input', {
      name: 'exact',
      key: { ...world.key('exact'), privateKey: other },
    });
    expect(one(report.rungs, 'token')).toMatchObject({
      state: 'fail',
      code: 'access.key-not-emulated',
    });
    expect(states(report.rungs)).toMatchObject({ permissions: 'not-checked', read: 'not-checked' });
    const gone = await check(`gs://${IN}/data/`, 'input', {
      name: 'exact',
      key: { ...world.key('exact'), clientEmail: emailOf('deleted') },
    });
    expect(one(gone.rungs, 'token').code).toBe('access.key-not-emulated');
  });

  it('a clock that is two hours off fails at the token, and is told by how much', async () => {
    await world.emulator.setFaults([
      { operation: 'token', fault: { kind: 'clock', seconds: 7_200 } },
    ]);
    const report = await check(`gs://${IN}/data/`, 'input', { name: 'exact' });
    expect(one(report.rungs, 'token')).toMatchObject({ state: 'fail', code: 'access.clock' });
    expect(one(report.rungs, 'token').message).toContain('120 minutes behind');
  });
});

describe('the clock', () => {
  const token = async () =>
    one((await check(`gs://${IN}/data/`, 'input', { name: 'exact' })).rungs, 'token');

  it('is said to be right where Google’s answer agrees', async () => {
    expect(await token()).toMatchObject({
      state: 'pass',
      message: expect.stringContaining('the clock is right') as string,
    });
  });

  it('that is off, but not too far for a token, is told by how much', async () => {
    await world.emulator.setFaults([
      { operation: 'token', fault: { kind: 'clock', seconds: 600 } },
    ]);
    const { state, message, hint } = await token();
    expect(state).toBe('pass');
    expect(message).toContain('10 minutes behind Google’s');
    expect(message).not.toContain('is right');
    expect(hint).toContain('Set it right');
  });

  it('is not spoken of where the answer has no date', async () => {
    const report = await checkAccess({
      address: `gs://${IN}/data/`,
      for: 'input',
      endpoints: world.endpoints,
      signal,
      account: emailOf('exact'),
      mint: async () =>
        ok({
          tokens: keyTokenSource(world.key('exact'), 'read', world.endpoints),
          skewMs: null,
        }),
    });
    expect(one(report.rungs, 'token').message).not.toContain('clock');
  });
});

describe('a service that answers, and decides nothing,', () => {
  const busy = { kind: 'status', status: 503, retryAfter: 60 } as const;
  const foreign = { kind: 'status', status: 200, body: '<html>Sign in</html>' } as const;

  it.each([
    ['busy', busy, 'network.server-busy', /answered 503/],
    ['a page of a proxy', foreign, 'network.unexpected-answer', /not its own answer/],
  ] as const)('at the token is no denial and not offline: %s', async (_, fault, code, words) => {
    await world.emulator.setFaults([{ operation: 'token', fault, answered: 'any' }]);
    const report = await check(`gs://${IN}/data/`, 'input', { name: 'exact' });
    expect(report.verdict).toBe('could-not-tell');
    expect(one(report.rungs, 'token')).toMatchObject({ state: 'could-not-tell', code });
    expect(one(report.rungs, 'token').message).toMatch(words);
    expect(report.rungs.slice(2).map(({ state, message }) => [state, message])).toEqual(
      Array(3).fill(['not-checked', 'Not checked: an earlier step could not tell.']),
    );
    expect(statusOf({ ...report, power: POWERLESS })).toBe(4);
  });

  it('to the question of permissions alone does not end the ladder', async () => {
    await world.emulator.setFaults([{ operation: 'permissions', fault: busy, answered: 'any' }]);
    const report = await check(`gs://${IN}/data/`, 'input', { name: 'exact' });
    expect(states(report.rungs)).toMatchObject({
      permissions: 'could-not-tell',
      list: 'pass',
      read: 'pass',
    });
    expect(one(report.rungs, 'permissions').code).toBe('network.server-busy');
    expect(report.verdict).toBe('pass');
    expect(statusOf({ ...report, power: POWERLESS })).toBe(0);
    const output = await check(`gs://${OUT}/results/`, 'output', { name: 'exact' });
    expect(states(output.rungs)).toMatchObject({
      permissions: 'could-not-tell',
      create: 'pass',
    });
  });

  it.each([
    ['list', 'input', 'list'],
    ['media', 'input', 'read'],
    ['upload-start', 'output', 'create'],
  ] as const)('to %s could not tell', async (operation, use, at) => {
    await world.emulator.setFaults([{ operation, fault: busy, answered: 'any' }]);
    const address = use === 'input' ? `gs://${IN}/data/` : `gs://${OUT}/results/`;
    const report = await check(address, use, { name: 'exact' });
    expect(report.verdict).toBe('could-not-tell');
    expect(one(report.rungs, at)).toMatchObject({
      state: 'could-not-tell',
      code: 'network.server-busy',
    });
    expect(statusOf({ ...report, power: POWERLESS })).toBe(4);
  });

  it.each([
    ['list', 'input'],
    ['media', 'input'],
    ['upload-start', 'output'],
  ] as const)('by a 400 to %s is no success', async (operation, use) => {
    await world.emulator.setFaults([
      { operation, fault: { kind: 'status', status: 400 }, answered: 'any' },
    ]);
    const address = use === 'input' ? `gs://${IN}/data/` : `gs://${OUT}/results/`;
    const report = await check(address, use, { name: 'exact' });
    expect(report.verdict).toBe('could-not-tell');
    expect(statusOf({ ...report, power: POWERLESS })).toBe(4);
  });

  it('about power could not tell either', async () => {
    await world.emulator.setFaults([{ operation: 'permissions', fault: busy, answered: 'any' }]);
    const report = await findPower({
      endpoints: world.endpoints,
      signal,
      tokens: keyTokenSource(world.key('exact'), [POWER_SCOPE], world.endpoints),
      project: 'demo-project',
      bucket: null,
      deadlineMs: 1_000,
    });
    expect(report.state).toBe('could-not-tell');
  });
});

describe('offline', () => {
  const gone = 'http://127.0.0.1:9';

  it('is told at the token, and nothing after it is checked', async () => {
    const endpoints = { ...world.endpoints, storage: gone, oauthToken: `${gone}/token` };
    const report = await check(`gs://${IN}/data/`, 'input', {
      name: 'exact',
      key: { ...world.key('exact'), tokenUri: `${gone}/token` },
      endpoints,
    });
    expect(states(report.rungs)).toEqual({
      address: 'pass',
      token: 'not-checked',
      permissions: 'not-checked',
      list: 'not-checked',
      read: 'not-checked',
    });
    expect(report.verdict).toBe('offline');
    const unchecked = report.rungs.filter(({ state }) => state === 'not-checked');
    expect(unchecked.map(({ message }) => message)).toEqual(
      Array<string>(4).fill(expect.stringMatching(/^Not checked: offline\./) as string),
    );
  });

  it.each([
    ['permissions', 'input', 'permissions'],
    ['list', 'input', 'list'],
    ['media', 'input', 'read'],
    ['upload-start', 'output', 'create'],
  ] as const)(
    'at %s ends the ladder for an %s there, after at most some seconds',
    async (operation, use, at) => {
      await world.emulator.setFaults([
        { operation, fault: { kind: 'stall', milliseconds: 60_000 }, answered: 'any' },
      ]);
      const began = performance.now();
      const address = use === 'input' ? `gs://${IN}/data/` : `gs://${OUT}/results/`;
      const report = await check(address, use, { name: 'exact' });
      expect(performance.now() - began).toBeLessThan(15_000);
      expect(report.verdict).toBe('offline');
      expect(one(report.rungs, at)).toMatchObject({ state: 'not-checked' });
      const after = report.rungs.slice(report.rungs.findIndex(({ name }) => name === at));
      expect(after.every(({ state }) => state === 'not-checked')).toBe(true);
      await world.emulator.setFaults([]);
      expect(await world.names(OUT)).toEqual([]);
    },
  );
});

describe('too much power', () => {
  const power = async (name: string, bucket: string | null, ownsBucket = false) => {
    const source = keyTokenSource(world.key(name), [POWER_SCOPE], world.endpoints);
    return findPower({
      endpoints: world.endpoints,
      signal,
      tokens: source,
      project: 'demo-project',
      bucket,
      ownsBucket,
      deadlineMs: 3_000,
    });
  };

  it('on the bucket is told by permission, with what somebody could do', async () => {
    const report = await power('owner', OUT);
    expect(report.state).toBe('found');
    expect(report.findings.map(({ permission, on }) => `${permission} ${on}`).sort()).toEqual(
      [
        'storage.buckets.delete',
        'storage.buckets.setIamPolicy',
        'storage.objects.delete',
        'storage.objects.setIamPolicy',
      ].map((permission) => `${permission} gs://${OUT}`),
    );
    expect(report.findings.map(({ what }) => what)).not.toContain('');
  });

  it('on the project is found without any bucket, and told once', async () => {
    const { findings } = await power('ruler', IN);
    expect(findings.map(({ on }) => on)).toEqual(findings.map(() => 'projects/demo-project'));
    expect(findings.map(({ permission }) => permission)).toEqual(
      expect.arrayContaining([
        'resourcemanager.projects.setIamPolicy',
        'iam.serviceAccountKeys.create',
        'storage.buckets.create',
        'storage.objects.delete',
      ]),
    );
    expect((await power('ruler', null)).state).toBe('found');
  });

  it('is not found where the grants are the least, nor is deleting in a bucket that is the output', async () => {
    expect(await power('exact', OUT)).toMatchObject({ state: 'nothing-found', findings: [] });
    expect((await power('wide', OUT)).findings).toMatchObject([
      { permission: 'storage.objects.delete', on: `gs://${OUT}` },
    ]);
    expect((await power('wide', OUT, true)).findings).toEqual([]);
  });

  it('is not checked offline, and could not be told where the project refuses', async () => {
    const tokens = oneToken(emailOf('ruler'), { token: 'none', expiresAt: 0 });
    const about = { signal, tokens, project: 'demo-project', bucket: null, deadlineMs: 1_000 };
    const away = { ...world.endpoints, resourceManager: 'http://127.0.0.1:9' };
    expect((await findPower({ ...about, endpoints: away })).state).toBe('not-checked');
    expect((await findPower({ ...about, endpoints: world.endpoints })).state).toBe(
      'could-not-tell',
    );
    const asked = await testProjectPermissions({
      ...about,
      endpoints: world.endpoints,
      tokens: keyTokenSource(world.key('ruler'), [POWER_SCOPE], world.endpoints),
      permissions: ['not a permission'],
    });
    expect(asked.ok ? null : asked.problem.code).toBe('input.permission');
  });
});
