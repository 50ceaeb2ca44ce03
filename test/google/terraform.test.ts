import { format } from '@cdktn/hcl-tools';
import { getExpressionAst, parse } from '@cdktn/hcl2json';
import { describe, expect, it } from 'vitest';
import { planGrants } from '../../src/google/grant/plan.ts';
import { quoteForTerraform, terraformText } from '../../src/google/grant/terraform.ts';
import { GRANT_VARIANTS, type GrantPlan, type GrantVariant } from '../../src/shared/grant.ts';
import { valueOf } from '../main/temp.ts';
import { fc } from '../support/properties.ts';
import { name } from './grant-names.ts';
import type { ReadGrants } from './grant-reader.ts';
import { literal, readTerraform } from './grant-terraform.ts';

/** The text for Terraform, read by the parser that Terraform has, and written anew by its formatter: both are HashiCorp's, as WebAssembly. */
const ACCOUNT = 'trainer@demo-project.iam.gserviceaccount.com';
const wished = (input: string, output: string, variant: GrantVariant, project: string | null) =>
  planGrants({
    input: `gs://in-bucket/${input}`,
    output: `gs://out-bucket/${output}`,
    account: ACCOUNT,
    variant,
    project,
  });

/** In no order: Terraform knows none. */
const sorted = ({ bindings, ...others }: ReadGrants) => ({
  ...others,
  bindings: bindings.toSorted((one, other) =>
    JSON.stringify(one).localeCompare(JSON.stringify(other)),
  ),
});
const readSorted = async (text: string) => sorted(await readTerraform(text));

/** A plan as what a reader of its text has to find. */
const grantsOf = (plan: GrantPlan) =>
  sorted({
    customRole:
      plan.customRole === null
        ? null
        : { id: plan.customRole.id, permissions: plan.customRole.permissions.join(',') },
    managedFolders: plan.managedFolders,
    bindings: plan.bindings.map(({ bucket, managedFolder, role, condition }) => ({
      url: `gs://${bucket}${managedFolder === null ? '' : `/${managedFolder}`}`,
      role: role.startsWith('roles/')
        ? role
        : `projects/${plan.project ?? 'demo-project'}/roles/${role}`,
      member: `serviceAccount:${ACCOUNT}`,
      condition:
        condition === null ? null : { title: condition.title, expression: condition.expression },
    })),
  });

describe('the text for Terraform', () => {
  it.each(GRANT_VARIANTS)(
    'is the plan and nothing else, and is as the formatter writes it: %s',
    async (variant) => {
      for (const project of [null, 'data-project']) {
        const plan = valueOf(wished('my data/', 'results/', variant, project));
        const text = terraformText(plan);
        expect(await readSorted(text)).toEqual(grantsOf(plan));
        expect(await format(text)).toBe(text);
      }
    },
  );

  it('is so whatever is typed', async () => {
    await fc.assert(
      fc.asyncProperty(
        name,
        name,
        fc.constantFrom(...GRANT_VARIANTS),
        async (input, output, variant) => {
          // Terraform reads what is written with marks of their own as one sign.
          const plan = wished(input.normalize('NFC'), output.normalize('NFC'), variant, null);
          fc.pre(plan.ok);
          const text = terraformText(plan.value);
          expect(await readSorted(text)).toEqual(grantsOf(plan.value));
          expect(await format(text)).toBe(text);
        },
      ),
    );
  });
});

describe('a string of Terraform', () => {
  const text = name.map((one) => one.replaceAll('\0', '').normalize('NFC'));

  it('is read as itself', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 20 }), async (texts) => {
        const list = texts.map((one) => `  ${quoteForTerraform(one)},\n`).join('');
        const read = await parse('names.tf', `locals {\n  names = [\n${list}  ]\n}\n`);
        const [local] = (read as { locals: { names: string[] }[] }).locals;
        expect(local?.names.map(literal)).toEqual(texts);
      }),
    );
  });

  it('holds no template, whatever it looks like', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (one) => {
        const tree = await getExpressionAst('name.tf', quoteForTerraform(one));
        expect([tree?.type, tree?.children.map(({ type }) => type)]).toEqual([
          'template',
          ['literalValue'],
        ]);
      }),
    );
  });

  it.each(['"${path.cwd}"', '"a ${path.cwd} b"', '"%{ if true }a%{ endif }"'])(
    'with a template in it is known: %s',
    async (quoted) => {
      const tree = await getExpressionAst('name.tf', quoted);
      const types = [tree?.type, ...(tree?.children ?? []).map(({ type }) => type)];
      expect(types).not.toEqual(['template', 'literalValue']);
      const read = await parse('name.tf', `locals {\n  name = ${quoted}\n}\n`);
      const [local] = (read as { locals: { name: string }[] }).locals;
      expect(() => literal(local?.name ?? '')).toThrow('It is a template');
    },
  );
});

describe('the reader of these tests', () => {
  const good = terraformText(valueOf(wished('data/', 'results/', 'managed-folder', null)));

  it.each([
    ['another resource', `${good}\nresource "google_project_iam_member" "more" {\n}\n`],
    ['a provisioner', good.replace('member ', 'count = 2\n  member ')],
    ['a block', good.replace(/\n\}\n$/, '\n  lifecycle {\n  }\n}\n')],
    ['a reference to nothing', good.replace('trainyard_1.name', 'trainyard_9.name')],
    ['a template', good.replace('serviceAccount:', 'serviceAccount:${path.cwd}')],
    ['a second one of the name', `${good}\n${good.slice(good.indexOf('resource'))}`],
    ['no end', good.slice(0, -3)],
  ])('refuses %s', async (_, text) => {
    expect(text).not.toBe(good);
    await expect(readTerraform(text)).rejects.toThrow();
  });
});
