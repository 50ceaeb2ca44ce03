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
  type GrantPlan,
  type GrantVariant,
} from '../../src/shared/grant.ts';
import type { AccessUse } from '../../src/shared/access-check.ts';
import { ok } from '../../src/shared/problem.ts';
import { emailOf } from '../emulator/start.ts';
import { makeHome, type TestHome } from '../cli/harness.ts';
import { grantsOf, runScript } from './grant-shell.ts';
import { readConsole, readMessage, type ReadGrants } from './grant-reader.ts';
import { readTerraform } from './grant-terraform.ts';
import { applyGrants, startGrantWorld, type GrantWorld } from './grant-world.ts';

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
    // In the output's bucket the first object of a folder makes the folder: with a hierarchical namespace the grants must do, too.
    flags: [
      ...['--role', 'trainyardObjectLister=storage.objects.list', '--evaluate-list-prefix'],
      ...['--hierarchical', OUT],
    ],
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

/** What a text comes to, whoever reads it. The emulator was given the custom role at its start: it has to be the same. */
async function applyRead(plan: GrantPlan, read: ReadGrants): Promise<void> {
  expect(read.customRole).toEqual(
    plan.customRole === null
      ? null
      : { id: 'trainyardObjectLister', permissions: 'storage.objects.list' },
  );
  expect(read.bindings).toHaveLength(plan.bindings.length);
  await applyGrants(world, read);
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
      return applyRead(plan.value, grantsOf(runScript(text).calls));
    case 'terraform':
      return applyRead(plan.value, await readTerraform(text));
    case 'console':
      return applyRead(plan.value, readConsole(text));
    case 'message':
      return applyRead(plan.value, readMessage(text));
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
    const [status, words] = variant === 'custom-role' ? [1, 'may not read'] : [3, 'may not list'];
    expect(closed, closed.stderr).toMatchObject({ status });
    expect(closed.stderr).toContain(words);
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
  expect(await verdict('same-bucket', `gs://${IN}/data/`, 'input')).toBe('pass');
  // An object and a folder: a job asks which is meant.
  expect(await verdict('same-bucket', `gs://${IN}/data`, 'input')).toBe('fail');
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
