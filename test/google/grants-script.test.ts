import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gcloudScript } from '../../src/google/grant/gcloud.ts';
import { planGrants } from '../../src/google/grant/plan.ts';
import { GRANT_VARIANTS, type GrantPlan, type GrantVariant } from '../../src/shared/grant.ts';
import { emailOf } from '../emulator/start.ts';
import { valueOf } from '../main/temp.ts';
import { grantsOf, readCondition, runScript } from './grant-shell.ts';
import { applyGrants, policyAt, startGrantWorld, type GrantWorld } from './grant-world.ts';

let world: GrantWorld;
beforeAll(async () => {
  world = await startGrantWorld({
    accounts: ['lab'],
    flags: ['--role', 'trainyardObjectLister=storage.objects.list'],
    buckets: ['input-data-bucket', 'artifacts-bucket'],
  });
});
afterAll(() => world.emulator.stop());

const planned = (variant: GrantVariant, input = 'da,ta/'): GrantPlan =>
  valueOf(
    planGrants({
      input: `gs://input-data-bucket/${input}`,
      output: 'gs://artifacts-bucket/results/',
      account: emailOf('lab'),
      variant,
      project: 'demo-project',
    }),
  );

/** The script is run by bash, and each call of gcloud is done to the emulator's policies. */
const run = (variant: GrantVariant): Promise<void> =>
  applyGrants(world, grantsOf(runScript(gcloudScript(planned(variant))).calls));

/** What the plan binds on a bucket, as a policy has it. */
const wantedOn = (plan: GrantPlan, bucket: string): readonly object[] =>
  plan.bindings
    .filter((binding) => binding.bucket === bucket)
    .map(({ role, condition }) => ({
      role: role.startsWith('roles/') ? role : `projects/demo-project/roles/${role}`,
      members: [`serviceAccount:${emailOf('lab')}`],
      ...(condition === null
        ? {}
        : { condition: { title: condition.title, expression: condition.expression } }),
    }));

describe('the script', () => {
  it('leaves the policies that were planned, however often it is run', async () => {
    const plan = planned('custom-role');
    for (const time of ['once', 'again']) {
      await run('custom-role');
      const input = await policyAt(world, 'gs://input-data-bucket');
      expect(input.bindings, time).toHaveLength(2);
      expect(input.bindings, time).toMatchObject(wantedOn(plan, 'input-data-bucket'));
      const output = await policyAt(world, 'gs://artifacts-bucket');
      expect(output.bindings, time).toMatchObject(wantedOn(plan, 'artifacts-bucket'));
    }
    await run('managed-folder');
    expect((await policyAt(world, 'gs://input-data-bucket/da,ta/')).bindings).toMatchObject([
      { role: 'roles/storage.objectViewer', members: [`serviceAccount:${emailOf('lab')}`] },
    ]);
  });
});

interface Recorded {
  readonly conditions: readonly {
    readonly argument: string;
    readonly read: { readonly title: string; readonly expression: string } | 'none' | 'refused';
  }[];
}

describe('the reader of `--condition` in these tests', () => {
  const { conditions } = JSON.parse(
    readFileSync(new URL('../fixtures/gcloud/conditions.json', import.meta.url), 'utf8'),
  ) as Recorded;
  const taken = conditions.filter(({ read }) => read !== 'refused');
  const refused = conditions.filter(({ read }) => read === 'refused');

  it.each(taken)('reads $argument as the real gcloud did', ({ argument, read }) => {
    expect(readCondition(argument) ?? 'none').toEqual(read);
  });

  it.each(refused)('refuses $argument as the real gcloud did', ({ argument }) => {
    expect(() => readCondition(argument)).toThrow('gcloud would not read');
  });

  it('was held against some of each, and against every form that the script has', () => {
    const used = GRANT_VARIANTS.flatMap((variant) =>
      runScript(gcloudScript(planned(variant, 'data/'))).calls.flatMap(({ argv }) =>
        argv.filter((word) => word.startsWith('--condition=')).map((word) => word.slice(12)),
      ),
    );
    expect(used.length).toBeGreaterThan(3);
    // Of a condition on objects and folders each test, and `||` between two, were recorded.
    const folders = / \|\| resource\.name\.startsWith\("[^"]*\/folders\/[^"]*"\)/;
    const known = used.map((argument) => argument.replace(folders, ''));
    expect(taken.map(({ argument }) => argument)).toEqual(expect.arrayContaining(known));
    expect(refused.length).toBeGreaterThan(3);
  });
});
