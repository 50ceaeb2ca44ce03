import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mintToken } from '../../src/google/access-token.ts';
import { planGrants } from '../../src/google/grant/plan.ts';
import { gcloudScript } from '../../src/google/grant/gcloud.ts';
import type { GrantPlan, GrantVariant } from '../../src/shared/grant.ts';
import { PLATFORM_SCOPE } from '../../src/shared/key.ts';
import { emailOf } from '../emulator/start.ts';
import { startGrantWorld, type GrantWorld } from './grant-world.ts';

/** The scripts, run by the real gcloud: how it reads a condition is nobody's guess here. */
const found = spawnSync('sh', ['-c', 'command -v gcloud'], { encoding: 'utf8' });
const gcloud = found.status === 0 ? found.stdout.trim() : null;

let world: GrantWorld;
let folder: string;
beforeAll(async () => {
  world = await startGrantWorld({
    accounts: ['lab'],
    flags: ['--role', 'trainyardObjectLister=storage.objects.list'],
    buckets: ['input-data-bucket', 'artifacts-bucket'],
  });
  folder = await mkdtemp(join(tmpdir(), 'trainyard-gcloud-'));
});
afterAll(async () => {
  await world.emulator.stop();
  await rm(folder, { recursive: true, force: true });
});

function planned(variant: GrantVariant): GrantPlan {
  const plan = planGrants({
    input: 'gs://input-data-bucket/da,ta/',
    output: 'gs://artifacts-bucket/results/',
    account: emailOf('lab'),
    variant,
    project: 'demo-project',
  });
  if (!plan.ok) throw new Error(plan.problem.message);
  return plan.value;
}

interface Held {
  readonly role: string;
  readonly condition?: { readonly title: string; readonly expression: string };
}
const policyAt = async (path: string): Promise<readonly Held[]> => {
  const policy = (await world.admin('GET', `${path}/iam?optionsRequestedPolicyVersion=3`)) as {
    readonly bindings?: readonly Held[];
  };
  return policy.bindings ?? [];
};

it.skipIf(gcloud === null)(
  'gcloud reads every condition as it was meant, twice over',
  async () => {
    const token = await mintToken(world.key('boss'), [PLATFORM_SCOPE], world.endpoints, {
      signal: new AbortController().signal,
    });
    if (!token.ok) throw new Error(token.problem.message);
    await writeFile(join(folder, 'token'), token.value.token, { mode: 0o600 });
    // Roles are not made by the emulator: only that part is left to a program that says yes.
    const stub = join(folder, 'gcloud');
    await writeFile(
      stub,
      `#!/usr/bin/env bash\nif [[ $1 == iam ]]; then exit 0; fi\nexec '${gcloud ?? ''}' "$@"\n`,
    );
    await chmod(stub, 0o755);
    const run = (variant: GrantVariant) =>
      execFileSync('bash', ['-s'], {
        input: gcloudScript(planned(variant)),
        stdio: 'pipe',
        env: {
          PATH: `${folder}:/usr/bin:/bin`,
          HOME: folder,
          CLOUDSDK_CONFIG: join(folder, 'config'),
          CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
          CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: 'true',
          CLOUDSDK_AUTH_ACCESS_TOKEN_FILE: join(folder, 'token'),
          CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `${world.emulator.url}/storage/v1/`,
        },
      });
    run('custom-role');
    run('custom-role');
    const onBucket = (plan: GrantPlan, bucket: string): readonly Held[] =>
      plan.bindings
        .filter((binding) => binding.bucket === bucket)
        .map(({ role, condition }) => ({
          role: role.startsWith('roles/') ? role : `projects/demo-project/roles/${role}`,
          ...(condition === null ? {} : { condition }),
        }));
    const input = await policyAt('/storage/v1/b/input-data-bucket');
    expect(input).toHaveLength(2);
    expect(input).toMatchObject(onBucket(planned('custom-role'), 'input-data-bucket'));
    expect(await policyAt('/storage/v1/b/artifacts-bucket')).toMatchObject(
      onBucket(planned('custom-role'), 'artifacts-bucket'),
    );
    run('managed-folder');
    const inFolder = `/storage/v1/b/input-data-bucket/managedFolders/${encodeURIComponent('da,ta/')}`;
    expect(await policyAt(inFolder)).toMatchObject([{ role: 'roles/storage.objectViewer' }]);
  },
  180_000,
);
