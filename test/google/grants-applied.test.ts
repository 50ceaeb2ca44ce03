import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyTokenSource } from '../../src/google/access-token.ts';
import { checkAccess } from '../../src/google/check-access.ts';
import { planGrants } from '../../src/google/grant/plan.ts';
import { grantText } from '../../src/google/grant/words.ts';
import {
  GRANT_FORMS,
  GRANT_VARIANTS,
  type GrantForm,
  type GrantVariant,
} from '../../src/shared/grant.ts';
import type { AccessUse } from '../../src/shared/access-check.ts';
import { ok } from '../../src/shared/problem.ts';
import { emailOf } from '../emulator/start.ts';
import { makeHome, type TestHome } from '../cli/harness.ts';
import { bindingsOf, runScript, type GcloudCall, type GrantedBinding } from './grant-shell.ts';
import { readConsole, readMessage, type ReadGrants } from './grant-reader.ts';
import { startGrantWorld, type GrantWorld } from './grant-world.ts';

/** What the assistant writes, applied to the emulator's policies as gcloud, Terraform and a person who reads it would, and then used. */

const IN = 'input-data-bucket';
const OUT = 'artifacts-bucket';
const CASES = GRANT_VARIANTS.flatMap((variant) => GRANT_FORMS.map((form) => ({ variant, form })));
const accountOf = (variant: GrantVariant, form: string): string => `${variant}-${form}`;
const OTHERS = ['lone-object', 'lone-archive', 'same-bucket', 'odd-name', 'whole'];

let world: GrantWorld;
let home: TestHome;
beforeAll(async () => {
  world = await startGrantWorld({
    accounts: [...CASES.map(({ variant, form }) => accountOf(variant, form)), ...OTHERS],
    flags: ['--role', 'trainyardObjectLister=storage.objects.list', '--evaluate-list-prefix'],
    buckets: [IN, `${IN}-2`, OUT, `${OUT}-2`],
  });
  for (const bucket of [IN, `${IN}-2`])
    for (const name of [
      'data/a',
      'data/deep/b',
      'data-private/secret',
      'data',
      'other',
      'set.tar.gz',
    ])
      await world.put(bucket, name);
  await world.put(IN, 'od,d $(x)=`y`/a');
  home = await makeHome(world.emulator.environment);
}, 60_000);
afterAll(async () => {
  await home.remove();
  await world.emulator.stop();
}, 60_000);

/** Adds a binding to the policy of a bucket or a managed folder, as gcloud does: read, add, write with version 3. */
async function apply({ url, role, member, condition }: GrantedBinding): Promise<void> {
  const [, bucket = '', folder = ''] = /^gs:\/\/([^/]+)\/?(.*)$/s.exec(url) ?? [];
  const path =
    folder === ''
      ? `/storage/v1/b/${bucket}/iam`
      : `/storage/v1/b/${bucket}/managedFolders/${encodeURIComponent(folder)}/iam`;
  const policy = (await world.admin('GET', `${path}?optionsRequestedPolicyVersion=3`)) as {
    readonly bindings?: readonly object[];
    readonly etag: string;
  };
  await world.admin('PUT', path, {
    version: 3,
    etag: policy.etag,
    bindings: [
      ...(policy.bindings ?? []),
      { role, members: [member], ...(condition === null ? {} : { condition }) },
    ],
  });
}

const makeFolder = (bucket: string, name: string) =>
  world
    .admin('POST', `/storage/v1/b/${bucket}/managedFolders`, { name })
    .catch((error: unknown) => {
      if (!String(error).includes('409')) throw error;
    });

async function applyScript(calls: readonly GcloudCall[]): Promise<void> {
  for (const { argv } of calls) {
    if (argv[1] === 'roles' && argv[2] === 'create')
      // The emulator was given the role at its start: it has to be the same.
      expect(argv).toEqual(
        expect.arrayContaining(['trainyardObjectLister', '--permissions=storage.objects.list']),
      );
    if (argv[1] === 'managed-folders' && argv[2] === 'create') {
      const [, bucket = '', name = ''] = /^gs:\/\/([^/]+)\/(.*)$/s.exec(argv[3] ?? '') ?? [];
      await makeFolder(bucket, name);
    }
  }
  for (const binding of bindingsOf(calls)) await apply(binding);
}

/** Reads the resources of the text as Terraform would: name, kind and the fields of each block. */
function resourcesIn(
  text: string,
): readonly { kind: string; name: string; fields: Map<string, string> }[] {
  return [...text.matchAll(/^resource "(\w+)" "(\w+)" \{\n(.*?)^\}/gms)].map(
    ([, kind = '', name = '', body = '']) => ({
      kind,
      name,
      fields: new Map(
        [...body.matchAll(/^ +(\w+) += (.*)$/gm)].map(([, field = '', value = '']) => [
          field,
          value.startsWith('"')
            ? (JSON.parse(value.replace(/([$%])\1(?=\{)/g, '$1')) as string)
            : value,
        ]),
      ),
    }),
  );
}

async function applyTerraform(text: string): Promise<void> {
  const resources = resourcesIn(text);
  const field = (fields: Map<string, string>, name: string): string => fields.get(name) ?? '';
  const named = (kind: string, reference: string) =>
    resources.find((one) => `${kind}.${one.name}.name` === reference)?.fields ??
    new Map<string, string>();
  for (const { kind, fields } of resources) {
    if (kind === 'google_project_iam_custom_role')
      expect(field(fields, 'permissions')).toBe('["storage.objects.list"]');
    if (kind === 'google_storage_managed_folder')
      await makeFolder(field(fields, 'bucket'), field(fields, 'name'));
  }
  for (const { kind, fields } of resources) {
    if (!kind.endsWith('_iam_member')) continue;
    const role = field(fields, 'role');
    const custom = named('google_project_iam_custom_role', role).get('role_id');
    const folder = named('google_storage_managed_folder', field(fields, 'managed_folder')).get(
      'name',
    );
    await apply({
      url: `gs://${field(fields, 'bucket')}${folder === undefined ? '' : `/${folder}`}`,
      role: custom === undefined ? role : `projects/demo-project/roles/${custom}`,
      member: field(fields, 'member'),
      condition: fields.has('expression')
        ? { title: field(fields, 'title'), expression: field(fields, 'expression') }
        : null,
    });
  }
}

async function applyRead({ customRole, managedFolders, bindings }: ReadGrants): Promise<void> {
  // The emulator was given the role at its start: it has to be the same.
  if (customRole !== null)
    expect(customRole).toEqual({
      id: 'trainyardObjectLister',
      permissions: 'storage.objects.list',
    });
  for (const { bucket, name } of managedFolders) await makeFolder(bucket, name);
  expect(bindings.length).toBeGreaterThan(0);
  for (const binding of bindings) await apply(binding);
}

async function grant(
  name: string,
  addresses: { readonly input?: string; readonly output?: string },
  variant: GrantVariant = 'custom-role',
  form: GrantForm = 'gcloud',
): Promise<void> {
  const plan = planGrants({
    input: addresses.input ?? null,
    output: addresses.output ?? null,
    account: emailOf(name),
    variant,
    project: 'demo-project',
  });
  if (!plan.ok) throw new Error(plan.problem.message);
  const text = grantText(plan.value, form);
  switch (form) {
    case 'gcloud':
      return applyScript(runScript(text).calls);
    case 'terraform':
      return applyTerraform(text);
    case 'console':
      return applyRead(readConsole(text));
    case 'message':
      return applyRead(readMessage(text));
  }
}

/** The verdict of the ladder at an address. */
async function verdict(name: string, address: string, use: AccessUse): Promise<string> {
  const key = world.key(name);
  const report = await checkAccess({
    address,
    for: use,
    endpoints: world.endpoints,
    signal: new AbortController().signal,
    account: key.clientEmail,
    mint: async () =>
      ok({
        tokens: keyTokenSource(key, use === 'input' ? 'read' : 'write', world.endpoints),
        skewMs: null,
      }),
  });
  return report.verdict;
}

/** Whether one object can be read, asked without any listing. */
async function reads(name: string, bucket: string, object: string): Promise<boolean> {
  const token = await keyTokenSource(world.key(name), 'read', world.endpoints).token();
  if (!token.ok) throw new Error(token.problem.message);
  const answer = await fetch(
    `${world.emulator.url}/storage/v1/b/${bucket}/o/${encodeURIComponent(object)}?alt=media`,
    { headers: { authorization: `Bearer ${token.value.token}` } },
  );
  await answer.arrayBuffer();
  return answer.ok;
}

describe.each(CASES)('$variant by $form', ({ variant, form }) => {
  const name = accountOf(variant, form);

  it('lets a job in and keeps its neighbours closed', async () => {
    expect(await verdict(name, `gs://${IN}/data/`, 'input')).toBe('fail');
    expect(await verdict(name, `gs://${OUT}/results/`, 'output')).toBe('fail');
    await grant(name, { input: `gs://${IN}/data/`, output: `gs://${OUT}/results/` }, variant, form);
    expect(await verdict(name, `gs://${IN}/data/`, 'input')).toBe('pass');
    expect(await verdict(name, `gs://${OUT}/results/`, 'output')).toBe('pass');

    expect(await reads(name, IN, 'data/deep/b')).toBe(true);
    for (const closed of ['data-private/secret', 'data', 'other'])
      expect(await reads(name, IN, closed), closed).toBe(false);
    expect(await reads(name, `${IN}-2`, 'data/a')).toBe(false);
    expect(await verdict(name, `gs://${IN}/data-private/`, 'input')).toBe('fail');
    expect(await verdict(name, `gs://${IN}-2/data/`, 'input')).toBe('fail');
    for (const closed of [
      `gs://${OUT}/results-2/`,
      `gs://${OUT}/`,
      `gs://${OUT}-2/results/`,
      `gs://${IN}/data/`,
    ])
      expect(await verdict(name, closed, 'output'), closed).toBe('fail');
    expect(await verdict(name, `gs://${OUT}/results/`, 'input')).toBe('fail');
    expect(await world.names(OUT)).toEqual([]);
  });
});

const run = async (...args: string[]) => {
  const ended = await home.run(args);
  expect(ended, ended.stderr).toMatchObject({ status: 0 });
};

it.each(GRANT_VARIANTS)(
  'a job works with %s, and not next to what was granted',
  async (variant) => {
    const key = accountOf(variant, 'gcloud');
    await run('keys', 'add', world.emulator.keyFiles[key] ?? '', '--name', key);
    await mkdir(join(home.folder, 'code'), { recursive: true });
    const jobFile = (name: string, input: string, output: string) =>
      home.file(
        `${name}.yaml`,
        [
          `name: ${name}`,
          'host: local',
          'code: { dir: ./code }',
          'workers: [\'cp -r "$TRAINYARD_DATA_PATH/." "$TRAINYARD_OUTPUT_PATH"\']',
          `input: { gcs: ${input}, key: ${key} }`,
          `output: { gcs: ${output}, key: ${key} }`,
          // Workers are handed a token that is narrowed to the job.
          `workerKeys: [{ key: ${key}, mode: token }]`,
        ].join('\n'),
      );
    const IN_PLACE = `gs://${IN}/data/`;
    const OUT_PLACE = `gs://${OUT}/results/`;
    await run('run', await jobFile(`of-${variant}`, IN_PLACE, OUT_PLACE));
    const prefix = `results/of-${variant}/`;
    const made = (await world.names(OUT)).filter((object) => object.startsWith(prefix));
    expect(made.map((object) => object.slice(prefix.length).replace(/^[^/]+\//, ''))).toEqual(
      expect.arrayContaining(['worker-0/a', 'worker-0/deep/b', 'manifest.json']),
    );

    // Its neighbours: names that the custom role shows are refused when they are read, others before anything starts.
    const closed = await home.run([
      'run',
      await jobFile('closed-input', `gs://${IN}/data-private/`, OUT_PLACE),
    ]);
    expect(closed, closed.stderr).toMatchObject({ status: variant === 'custom-role' ? 1 : 3 });
    expect(closed.stderr).toMatch(/may not (read|list)/);
    const elsewhere = await jobFile('closed-output', IN_PLACE, `gs://${OUT}-2/results/`);
    expect(await home.run(['run', elsewhere])).toMatchObject({ status: 1 });
    expect(await world.names(`${OUT}-2`)).toEqual([]);
  },
  90_000,
);

it('a transfer of the command line works with them, both ways', async () => {
  const lab = accountOf('custom-role', 'gcloud');
  await run('cp', `gs://${IN}/data/`, join(home.folder, 'data'), '--key', lab);
  await run('cp', join(home.folder, 'data'), `gs://${OUT}/results/copy/`, '--key', lab);
  expect((await world.names(OUT)).filter((name) => name.startsWith('results/copy/'))).toEqual([
    'results/copy/a',
    'results/copy/deep/b',
  ]);
  const closed = await home.run([
    'cp',
    `gs://${IN}/data-private/`,
    join(home.folder, 'x'),
    '--key',
    lab,
  ]);
  expect(closed.status).toBe(3);
}, 60_000);

it('one object, one archive, the same bucket twice, a whole bucket and an odd name', async () => {
  await grant('lone-object', { input: `gs://${IN}/other` });
  expect(await verdict('lone-object', `gs://${IN}/other`, 'input')).toBe('pass');
  expect(await reads('lone-object', IN, 'data/a')).toBe(false);

  await grant('lone-archive', { input: `gs://${IN}/set.tar.gz` });
  expect(await verdict('lone-archive', `gs://${IN}/set.tar.gz`, 'input')).toBe('pass');
  expect(await verdict('lone-archive', `gs://${IN}/data/`, 'input')).toBe('fail');

  await grant('same-bucket', { input: `gs://${IN}/data`, output: `gs://${IN}/results` });
  expect(await verdict('same-bucket', `gs://${IN}/data`, 'input')).toBe('pass');
  expect(await verdict('same-bucket', `gs://${IN}/results`, 'output')).toBe('pass');
  expect(await verdict('same-bucket', `gs://${IN}/data`, 'output')).toBe('fail');
  expect(await reads('same-bucket', IN, 'data-private/secret')).toBe(false);

  await grant('whole', { input: `gs://${IN}-2`, output: `gs://${OUT}-2/` });
  expect(await verdict('whole', `gs://${IN}-2/`, 'input')).toBe('pass');
  expect(await verdict('whole', `gs://${OUT}-2/`, 'output')).toBe('pass');
  expect(await verdict('whole', `gs://${IN}/`, 'input')).toBe('fail');

  const odd = `gs://${IN}/od,d $(x)=\`y\`/`;
  await grant('odd-name', { input: odd });
  expect(await verdict('odd-name', odd, 'input')).toBe('pass');
  expect(await reads('odd-name', IN, 'data/a')).toBe(false);
});
