import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readJobFile } from '../../../src/main/jobs/job-file.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (name: string): string => readFileSync(root + name, 'utf8');
const schema = JSON.parse(read('docs/job-file.schema.json')) as object;
const validate = new Ajv({ strict: true, allErrors: true }).compile(schema);

/** What the two readers of a job file say of it: Trainyard itself, and an editor that has the JSON Schema. */
function verdict(text: string): { readonly trainyard: unknown; readonly editor: unknown } {
  const trainyard = readJobFile(text).mistakes;
  let value: unknown;
  try {
    value = parse(text, { logLevel: 'silent' });
  } catch {
    value = undefined;
  }
  return { trainyard, editor: validate(value) ? null : validate.errors };
}
const good = { trainyard: null, editor: null };

/** The files that a clone has, with those not committed yet. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((name) => name !== '');

interface Example {
  readonly where: string;
  readonly text: string;
}

/** The fenced YAML of a page. */
function fenced(page: string): Example[] {
  return [...read(page).matchAll(/^( *)```ya?ml\n([\s\S]*?)^\1```/gm)].map(
    ([, indent = '', text = ''], index) => ({
      where: `${page}, example ${index + 1}`,
      text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  );
}

/** The `{ ... }` that docs/job-file.md gives as the value of a field, each in a job file that is complete otherwise. */
function inline(): Example[] {
  const page = read('docs/job-file.md');
  const value = (field: string, text: string): string =>
    ['name: a', 'host: local', ...(field === 'code' ? [] : ['code: { dir: . }']), 'workers: [ b ]']
      .concat(`${field}: ${text}`)
      .join('\n');
  return page.split(/^### /m).flatMap((section) => {
    const field = section.slice(0, section.indexOf('\n'));
    if (!['code', 'input', 'output', 'workerKeys'].includes(field)) return [];
    return [...section.matchAll(/`(\{ [^`]+ \})`/g)].map(([, text = '']) => ({
      where: `docs/job-file.md, ${field}: ${text}`,
      text: value(field, field === 'workerKeys' ? `[ ${text} ]` : text),
    }));
  });
}

const pages = files.filter((name) =>
  /^(README|CONTRIBUTING|docs\/.*|examples\/.*)\.md$/.test(name),
);
const jobFiles = files.filter((name) => /^examples\/.*\.ya?ml$/.test(name));
const examples = [...pages.flatMap(fenced), ...inline()].concat(
  jobFiles.map((where) => ({ where, text: read(where) })),
);

test('docs/job-file.schema.json is what `npm run schema` writes', () => {
  execFileSync(process.execPath, [`${root}scripts/schema.mjs`, '--check'], { stdio: 'pipe' });
}, 30_000);

test('the examples were found', () => {
  const of = (start: string): number =>
    examples.filter(({ where }) => where.startsWith(start)).length;
  expect(of('README.md')).toBeGreaterThanOrEqual(1);
  expect(of('docs/job-file.md, example')).toBeGreaterThanOrEqual(1);
  expect(of('docs/job-file.md, code')).toBeGreaterThanOrEqual(2);
  expect(of('docs/job-file.md, workerKeys')).toBeGreaterThanOrEqual(1);
  expect(of('examples/')).toBeGreaterThanOrEqual(2);
});

test.each(examples)('$where is right for Trainyard and for editors', ({ text }) => {
  expect(verdict(text)).toEqual(good);
});

test.each(jobFiles)('%s names the schema for editors', (name) => {
  const [, target = ''] = /^# yaml-language-server: \$schema=(\S+)$/m.exec(read(name)) ?? [];
  expect(basename(target)).toBe('job-file.schema.json');
  const from = new URL(name, `file://${root}`);
  expect(JSON.parse(readFileSync(fileURLToPath(new URL(target, from)), 'utf8'))).toEqual(schema);
});

describe('an editor with the schema sees the mistakes that Trainyard refuses', () => {
  const whole = [
    'name: a',
    'host: local',
    'code: { dir: . }',
    'workers: [ b ]',
    'input: { gcs: gs://bucket/data, key: lab }',
    'output: { gcs: gs://bucket/results, layout: exact, archive: true }',
    'workerKeys: [ { key: lab, mode: key-file } ]',
    'env: { A: b }',
  ].join('\n');

  test('the whole one is right', () => {
    expect(verdict(whole)).toEqual(good);
  });

  test.each(['none', ''])('input and output written as "%s"', (none) => {
    const text = whole.replace(/^(input|output): .*$/gm, `$1: ${none}`);
    expect(text).not.toBe(whole);
    expect(verdict(text)).toEqual(good);
  });

  test.each([
    ['name: a', 'name: -a'],
    ['name: a', `name: ${'a'.repeat(64)}`],
    ['name: a\n', ''],
    ['host: local', 'host: gpu-box'],
    ['host: local', 'hots: local'],
    ['name: a', 'name: a\nkind: notebook'],
    ['name: a', 'name: a\nresources: { gpus: 1.5 }'],
    ['name: a', 'name: a\nresources: { gpus: 65 }'],
    ['name: a', 'name: a\nsetup: " "'],
    ['{ dir: . }', '{ dir: ., git: b }'],
    ['{ dir: . }', '{ git: --upload-pack=x }'],
    ['{ dir: . }', '{ git: b, ref: -x }'],
    ['{ dir: . }', '{ dir: "" }'],
    ['{ dir: . }', '{}'],
    ['[ b ]', '[]'],
    ['[ b ]', 'b'],
    ['[ b ]', '[ "" ]'],
    ['[ b ]', '[ "a\\0b" ]'],
    ['gs://bucket/data', 'gs://Bucket/data'],
    ['gs://bucket/data', 'https://example.org/data'],
    ['gs://bucket/data', 'bucket/data'],
    ['key: lab }\noutput', 'key: "" }\noutput'],
    ['layout: exact', 'layout: flat'],
    ['archive: true', 'archive: "yes"'],
    ['mode: key-file', 'mode: tokens'],
    ['key: lab, mode', 'mode'],
    ['{ key: lab, mode: key-file }', '{ key: lab, mode: key-file }, { key: b, mode: key-file }'],
    ['A: b', 'A: 1'],
    ['A: b', 'TRAINYARD_A: b'],
    ['A: b', '1A: b'],
    ['A: b', 'CLOUDSDK_CONFIG: b'],
  ])('%j written as %j', (right, wrong) => {
    const text = whole.replace(right, wrong);
    expect(text).not.toBe(whole);
    const { trainyard, editor } = verdict(text);
    expect(trainyard).not.toBeNull();
    expect(editor).not.toBeNull();
  });
});
