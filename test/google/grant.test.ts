import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parseExpression, type Expression } from '../../src/emulator/iam/expression.ts';
import { quoteForShell } from '../../src/google/grant/gcloud.ts';
import { planGrants } from '../../src/google/grant/plan.ts';
import { grantText, writeGrants } from '../../src/google/grant/words.ts';
import {
  GRANT_FORMS,
  GRANT_VARIANTS,
  type GrantPlan,
  type GrantVariant,
  type GrantWish,
} from '../../src/shared/grant.ts';
import { exitStatusOf } from '../../src/shared/problem.ts';
import { name } from './grant-names.ts';
import { bindingsOf, runScript } from './grant-shell.ts';
import { fc } from '../support/properties.ts';

const ACCOUNT = 'trainer@demo-project.iam.gserviceaccount.com';
const wish = (fields: Partial<GrantWish>): GrantWish => ({
  input: null,
  output: null,
  account: ACCOUNT,
  variant: 'custom-role',
  project: null,
  ...fields,
});
function planned(fields: Partial<GrantWish>): GrantPlan {
  const plan = planGrants(wish(fields));
  if (!plan.ok) throw new Error(plan.problem.message);
  return plan.value;
}
const told = (plan: GrantPlan) =>
  plan.bindings.map(({ purpose, role, bucket, managedFolder, condition }) => [
    purpose,
    role,
    managedFolder === null ? bucket : `${bucket}/${managedFolder}`,
    condition?.expression ?? null,
  ]);

const READ = 'resource.name.startsWith("projects/_/buckets/input-data-bucket/objects/data/")';
const WRITE = 'resource.name.startsWith("projects/_/buckets/artifacts-bucket/objects/results/")';
const MAKE = `${WRITE} || ${WRITE.replace('/objects/', '/folders/')}`;
const BOTH = { input: 'gs://input-data-bucket/data/', output: 'gs://artifacts-bucket/results/' };

describe('the least grants', () => {
  it('are three bindings for a folder in and a folder out', () => {
    expect(told(planned(BOTH))).toEqual([
      ['read', 'roles/storage.objectViewer', 'input-data-bucket', READ],
      ['list', 'trainyardObjectLister', 'input-data-bucket', null],
      ['write', 'roles/storage.objectCreator', 'artifacts-bucket', MAKE],
    ]);
    expect(planned(BOTH).customRole?.permissions).toEqual(['storage.objects.list']);
  });

  it('are two on managed folders, and a condition on the listing’s prefix, where those are chosen', () => {
    expect(told(planned({ ...BOTH, variant: 'managed-folder' }))).toEqual([
      ['read', 'roles/storage.objectViewer', 'input-data-bucket/data/', null],
      ['write', 'roles/storage.objectCreator', 'artifacts-bucket/results/', null],
    ]);
    expect(told(planned({ ...BOTH, variant: 'list-prefix' }))[1]).toEqual([
      'list',
      'roles/storage.objectViewer',
      'input-data-bucket',
      'api.getAttribute("storage.googleapis.com/objectListPrefix", "").startsWith("data/")',
    ]);
  });

  it('close a prefix without a slash, and cover the one object that it may name', () => {
    const plan = planned({
      input: 'gs://input-data-bucket/data',
      output: 'gs://artifacts-bucket/results',
    });
    expect(told(plan)[0]?.[3]).toBe(
      `resource.name == "projects/_/buckets/input-data-bucket/objects/data" || ${READ}`,
    );
    expect(told(plan)[2]?.[3]).toBe(MAKE);
    expect(plan.notes.join(' ')).toContain('has no slash at its end');
  });

  it('name an archive alone, and list nothing for it', () => {
    for (const variant of GRANT_VARIANTS)
      expect(told(planned({ input: 'gs://input-data-bucket/sets/a.tar.gz', variant }))).toEqual([
        [
          'read',
          'roles/storage.objectViewer',
          'input-data-bucket',
          'resource.name == "projects/_/buckets/input-data-bucket/objects/sets/a.tar.gz"',
        ],
      ]);
  });

  it('are one role each on whole buckets, and say that a folder would be less', () => {
    for (const variant of GRANT_VARIANTS) {
      const plan = planned({
        input: 'gs://input-data-bucket',
        output: 'gs://input-data-bucket/',
        variant,
      });
      expect(told(plan)).toEqual([
        ['read', 'roles/storage.objectViewer', 'input-data-bucket', null],
        ['write', 'roles/storage.objectCreator', 'input-data-bucket', null],
      ]);
      expect(plan.notes.join(' ')).toContain('A folder would be less');
    }
  });

  it.each([
    [{ input: `gs://bucket/it's/` }, 'input.grant-name'],
    [{ input: 'gs://bucket/a"b/' }, 'input.grant-name'],
    [{ output: 'gs://bucket/a\\b/' }, 'input.grant-name'],
    [{ output: 'gs://bucket/a\tb/' }, 'input.grant-name'],
    [{ input: 'gs://bucket/a\u2028b/' }, 'input.grant-name'],
    [{ input: 'gs://bucket/a\u202eb/' }, 'input.grant-name'],
    [{ input: 'gs://bucket/a\ud800b/' }, 'input.grant-name'],
    ...[
      ...['\u00ad', '\u034f', '\u061c', '\u115f', '\u180e', '\u200b', '\u200d', '\u2060', '\u2066'],
      ...['\u3164', '\ufe0f', '\ufeff', '\uffa0', '\ufff9', '\u{e0041}', '\u{e0100}', '\u{1d173}'],
      ...['\u00a0', '\u1680', '\u2003', '\u202f', '\u205f', '\u3000', '\u2800', '\u2028', '\u2029'],
    ].map((unseen) => [{ input: `gs://bucket/da${unseen}ta/` }, 'input.grant-name'] as const),
    [{ input: 'gs://bucket/data/*' }, 'input.grant-wildcard'],
    [{ input: 'gs://bucket/dat?/', variant: 'managed-folder' }, 'input.grant-wildcard'],
    [{ input: 'gs://buck*/data/' }, 'input.address'],
    [{ input: 'gs://bucket/a\nb/' }, 'input.address'],
    [{ input: 'bucket/data' }, 'input.address'],
    [{ output: 'gs:///data' }, 'input.address'],
    [{}, 'input.usage'],
    [{ ...BOTH, account: 'me@example.com' }, 'input.grant-account'],
    [{ ...BOTH, account: `${ACCOUNT},allUsers` }, 'input.grant-account'],
    [{ ...BOTH, account: 'a b@p.iam.gserviceaccount.com' }, 'input.grant-account'],
    [{ ...BOTH, project: 'p; rm -rf /' }, 'input.grant-project'],
  ] as const)('%j is refused as bad input: %s', (fields, code) => {
    const plan = planGrants(wish(fields));
    expect(plan.ok ? null : plan.problem.code).toBe(code);
    expect(plan.ok ? 0 : exitStatusOf(plan.problem)).toBe(2);
    expect(plan.ok ? '' : plan.problem.hint).not.toBe('');
  });

  it('take a plain space, accents, and other writing, which a reader sees', () => {
    for (const name of ['my data', 'Zürich', 'Zu\u0308rich', '例', 'д', '😀', 'a–b'])
      expect(planGrants(wish({ input: `gs://bucket/${name}/` })).ok, name).toBe(true);
  });

  it('refuse for Terraform a name that Terraform would change', () => {
    const apart = wish({ output: 'gs://bucket/Zu\u0308rich/' });
    const refused = writeGrants(apart, 'terraform');
    expect(refused.ok ? null : refused.problem.code).toBe('input.grant-name');
    expect(writeGrants(apart, 'gcloud').ok).toBe(true);
  });

  it('take back a custom role that was deleted some days ago, and set it right', () => {
    const text = grantText(planned({ ...BOTH, project: 'demo-project' }), 'gcloud');
    // Its name is taken, and it cannot be changed before it is back.
    const { calls } = runScript(
      text,
      `case "$*" in
        'iam roles create '*) exit 1;;
        'iam roles undelete '*) : >"$TMPDIR/back";;
        'iam roles update '*) [[ -e "$TMPDIR/back" ]];;
      esac`,
    );
    const roles = calls
      .filter(({ argv }) => argv[1] === 'roles')
      .map(({ argv }) => argv.slice(2, 4));
    expect(roles).toEqual(
      ['create', 'undelete', 'update'].map((verb) => [verb, 'trainyardObjectLister']),
    );
    // The script went on after it.
    expect(calls.some(({ argv }) => argv.includes('add-iam-policy-binding'))).toBe(true);
    const fresh = runScript(text).calls.filter(({ argv }) => argv[1] === 'roles');
    expect(fresh.map(({ argv }) => argv[2])).toEqual(['create']);
  });

  it('never quote the recipe that lets neighbours in', () => {
    for (const variant of GRANT_VARIANTS)
      for (const form of GRANT_FORMS) {
        const text = grantText(planned({ ...BOTH, variant }), form);
        const prefixes = [...text.matchAll(/startsWith\(\\*"(.*?)\\*"\)/g)].map(
          ([, inner = '']) => inner,
        );
        // Managed folders need no condition.
        expect(prefixes.length > 0, `${variant} ${form}`).toBe(variant !== 'managed-folder');
        expect(prefixes.filter((prefix) => !prefix.endsWith('/'))).toEqual([]);
        expect(text).toContain(ACCOUNT);
      }
  });
});

describe('the script for gcloud', () => {
  it('makes the role and the bindings in the bucket’s project, and can be run twice', () => {
    const script = grantText(planned({ ...BOTH, project: 'data-project' }), 'gcloud');
    const { calls, files } = runScript(script);
    expect(files).toEqual([]);
    expect(calls[0]?.argv).toEqual([
      'iam',
      'roles',
      'create',
      'trainyardObjectLister',
      '--project=data-project',
      '--title=Trainyard Object Lister',
      '--permissions=storage.objects.list',
      '--stage=GA',
      '--quiet',
    ]);
    expect(bindingsOf(calls)).toEqual([
      {
        url: 'gs://input-data-bucket',
        role: 'roles/storage.objectViewer',
        member: `serviceAccount:${ACCOUNT}`,
        condition: { title: 'trainyard-input', expression: READ },
      },
      {
        url: 'gs://input-data-bucket',
        role: 'projects/data-project/roles/trainyardObjectLister',
        member: `serviceAccount:${ACCOUNT}`,
        condition: null,
      },
      {
        url: 'gs://artifacts-bucket',
        role: 'roles/storage.objectCreator',
        member: `serviceAccount:${ACCOUNT}`,
        condition: { title: 'trainyard-output', expression: MAKE },
      },
    ]);
  });

  it('asks the bucket for its project where none was given, and says which it takes where it cannot tell', () => {
    const { calls } = runScript(grantText(planned(BOTH), 'gcloud'));
    expect(calls[0]?.argv).toEqual([
      'storage',
      'buckets',
      'describe',
      'gs://input-data-bucket',
      '--raw',
      '--format=value(projectNumber)',
    ]);
    expect(bindingsOf(calls)[1]?.role).toBe('projects/demo-project/roles/trainyardObjectLister');
  });
});

/** The comparisons of an expression, and what each compares with. */
function testsIn(expression: Expression): readonly (readonly [kind: string, text: string])[] {
  switch (expression.kind) {
    case 'equals':
    case 'startsWith':
      return [[expression.kind, expression.text]];
    case 'not':
      return testsIn(expression.term).map(([kind, text]) => [`not ${kind}`, text]);
    case 'and':
    case 'or':
      return expression.terms.flatMap(testsIn);
  }
}

/** What is asked for where both names are typed. */
const typed = (input: string, output: string, variant: GrantVariant) =>
  planGrants(
    wish({
      input: `gs://in-bucket/${input}`,
      output: `gs://out-bucket/${output}`,
      variant,
      project: 'data-project',
    }),
  );

describe('nothing that is typed', () => {
  it('breaks out of an expression: it is one test of the very name, or two', () => {
    let conditions = 0;
    fc.assert(
      fc.property(name, name, fc.constantFrom(...GRANT_VARIANTS), (input, output, variant) => {
        const plan = typed(input, output, variant);
        fc.pre(plan.ok);
        for (const { condition, bucket, purpose } of plan.value.bindings) {
          if (condition === null) continue;
          conditions += 1;
          const parsed = parseExpression(condition.expression);
          if (!parsed.ok) throw new Error(`${parsed.message}: ${condition.expression}`);
          const text = purpose === 'write' ? output : input;
          const closed = text.endsWith('/') ? text : `${text}/`;
          const root = purpose === 'list' ? '' : `projects/_/buckets/${bucket}/objects/`;
          const tests = testsIn(parsed.expression);
          if (purpose === 'write') {
            const kinds = ['objects', 'folders'];
            expect(tests).toEqual(
              kinds.map((kind) => ['startsWith', `projects/_/buckets/${bucket}/${kind}/${closed}`]),
            );
            continue;
          }
          const wanted = { equals: root + text, startsWith: root + closed };
          expect(tests).not.toEqual([]);
          expect(Object.entries(wanted)).toEqual(expect.arrayContaining([...tests]));
          expect(new Set(tests.map(([kind]) => kind)).size).toBe(tests.length);
        }
      }),
      { numRuns: 1_000 },
    );
    expect(conditions).toBeGreaterThan(500);
  });

  it('makes it throw: what it does not take is refused as bad input', () => {
    fc.assert(
      fc.property(name, name, fc.constantFrom(...GRANT_VARIANTS), (input, output, variant) => {
        const plan = typed(input, output, variant);
        fc.pre(!plan.ok);
        expect(exitStatusOf(plan.problem)).toBe(2);
        expect(plan.problem.hint).not.toBe('');
      }),
    );
  });

  it('breaks out of a line of the script, as real bash reads it', () => {
    fc.assert(
      fc.property(name, name, fc.constantFrom(...GRANT_VARIANTS), (input, output, variant) => {
        const plan = typed(input, output, variant);
        fc.pre(plan.ok);
        const { calls, files, stdout } = runScript(grantText(plan.value, 'gcloud'));
        expect(files).toEqual([]);
        expect(stdout).toBe(`Granted to ${ACCOUNT}. It takes some minutes to work.\n`);
        expect(
          bindingsOf(calls).map(({ url, condition }) => [url, condition?.expression ?? null]),
        ).toEqual(
          plan.value.bindings.map(({ bucket, managedFolder, condition }) => [
            `gs://${bucket}${managedFolder === null ? '' : `/${managedFolder}`}`,
            condition?.expression ?? null,
          ]),
        );
      }),
      { numRuns: 25 },
    );
  });

  it('is changed by the quotes of bash', () => {
    const word = fc
      .string({ unit: 'binary' })
      .filter((text) => !/\p{Cs}/u.test(text) && !text.includes('\0'));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 40 }), (words) => {
        const script = words.map((one) => `printf '%s\\0' ${quoteForShell(one)}\n`).join('');
        expect(execFileSync('bash', ['-s'], { input: script, encoding: 'utf8' })).toBe(
          words.map((one) => `${one}\0`).join(''),
        );
      }),
      { numRuns: 15 },
    );
  });
});
