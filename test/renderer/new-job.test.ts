import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readJobFile } from '../../src/main/jobs/job-file.ts';
import {
  EMPTY_FORM,
  formOf,
  specOf,
  type JobForm,
} from '../../src/renderer/features/new-job/form-model.ts';
import { editJobFile } from '../../src/renderer/features/new-job/edit-job-file.ts';
import { tellKeyFile } from '../../src/renderer/features/new-job/checks.ts';
import { checkForm } from '../../src/renderer/features/new-job/form-problems.ts';
import {
  splitCommands,
  splitVariables,
  writeJobFile,
} from '../../src/renderer/features/new-job/form-text.ts';
import { outputTarget, tellJob } from '../../src/renderer/features/new-job/summary.ts';
import { mentionInCommands } from '../../src/shared/key-file-mention.ts';
import { jobSpecSchema, WORKER_KEY_MODES, type JobSpec } from '../../src/shared/job-spec.ts';
import { fc } from '../support/properties.ts';

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
// A job file is text in UTF-8 without the characters that stand for what is not.
const text = fc
  .string({ unit: 'binary', maxLength: 60 })
  .filter((value) => !/[\0\uFFFD\uFEFF\p{Cs}]/u.test(value));
const command = text.filter((value) => value.trim() !== '');
const key = fc.option(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), { nil: undefined });
const gcs = fc
  .tuple(
    fc.stringMatching(/^[a-z][a-z0-9-]{1,20}[a-z0-9]$/),
    fc.stringMatching(/^[A-Za-z0-9 _./-]{0,40}$/),
  )
  .map(([bucket, path]) => `gs://${bucket}/${path}`);
const bucket = fc.record({ gcs, key });
const packed = fc.record({ gcs, key, keepCompressed: fc.constant(true) });
const dir = fc.stringMatching(/^\/[A-Za-z0-9 _.äß-]{1,30}$/).map((path) => ({ dir: path }));
const variable = fc
  .stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,20}$/)
  .filter((value) => !/^(TRAINYARD|TRAINML|ML)_/.test(value) && value !== '__proto__');

const spec: fc.Arbitrary<JobSpec> = fc
  .record({
    name,
    host: fc.constant('local'),
    resources: fc.record(
      {
        gpus: fc.integer({ min: 0, max: 64 }),
        useBusy: fc.constant(true),
        gpuIds: fc.constant('index'),
      },
      { requiredKeys: ['gpus'] },
    ),
    code: fc.oneof(
      dir,
      bucket,
      fc.record(
        {
          git: fc.webUrl(),
          ref: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9./]{0,20}$/),
        },
        { requiredKeys: ['git'] },
      ),
    ),
    setup: fc.option(command, { nil: undefined }),
    workers: fc.array(command, { minLength: 1, maxLength: 5 }),
    env: fc.dictionary(variable, text, { noNullPrototype: true }),
    input: fc.option(fc.oneof(dir, bucket, packed), { nil: undefined }),
    output: fc.option(
      fc.record({
        // Empty parts of a path are refused where objects are made.
        gcs: gcs.filter((value) => !/[^:]\/\//.test(value)),
        key,
        archive: fc.boolean(),
        layout: fc.constantFrom('per-run', 'exact'),
        exclude: fc.option(
          fc.array(fc.constantFrom('wandb/', '*.tmp', '!keep'), { minLength: 1 }),
          {
            nil: undefined,
          },
        ),
      }),
      { nil: undefined },
    ),
    workerKeys: fc.oneof(
      fc.constant([]),
      fc
        .record({ key: fc.constant('trainer'), mode: fc.constantFrom(...WORKER_KEY_MODES) })
        .map((one) => [one]),
    ),
    stop: fc.option(
      fc.record({
        signal: fc.constantFrom('SIGTERM', 'SIGINT', 'SIGUSR1'),
        grace: fc.constantFrom('60s', '5m', '1h', '7'),
      }),
      { nil: undefined },
    ),
    unattended: fc.boolean(),
  })
  .map((value) => jobSpecSchema.parse(JSON.parse(JSON.stringify(value))));

const filled: JobForm = {
  ...EMPTY_FORM,
  name: 'digits',
  code: { ...EMPTY_FORM.code, dir: '/home/me/code' },
  workers: [{ command: 'python train.py' }],
};
const problemAt = (form: JobForm, field: string): string | undefined =>
  checkForm(form).problems?.get(field);

describe('form and job file', () => {
  it('say the same, whatever the job', () => {
    fc.assert(
      fc.property(spec, (job) => {
        expect(jobSpecSchema.parse(specOf(formOf(job)))).toEqual(job);
        expect(checkForm(formOf(job))).toEqual({ spec: job, problems: null });
      }),
      { numRuns: 300 },
    );
  });

  it('go through YAML and back', () => {
    fc.assert(
      fc.property(spec, (job) => {
        const read = readJobFile(writeJobFile(specOf(formOf(job))));
        expect(read.mistakes).toBeNull();
        expect(read.spec).toEqual(job);
      }),
      { numRuns: 300 },
    );
  });

  it('leave out what a job file may leave out', () => {
    expect(writeJobFile(specOf(filled))).toBe(
      'name: digits\nhost: local\ncode:\n  dir: /home/me/code\nworkers:\n  - python train.py\n',
    );
  });

  it('an unfinished form is written, too', () => {
    expect(writeJobFile(specOf(EMPTY_FORM))).toContain('workers:\n  - ""\n');
  });
});

describe('problems', () => {
  it('of an empty form are told at each field', () => {
    const { problems } = checkForm(EMPTY_FORM);
    expect([...(problems?.keys() ?? [])].sort()).toEqual(['code.dir', 'name', 'workers.0.command']);
  });

  it('stand at the field of the chosen type, with the way out', () => {
    expect(checkForm(filled).problems).toBeNull();
    expect(problemAt({ ...filled, name: 'a b' }, 'name')).toMatch(/^Allowed: letters, digits/);
    for (const gpus of ['-1', '65', '1.5'])
      expect(problemAt({ ...filled, gpus }, 'gpus')).toBe('A whole number from 0 to 64.');
    const code = { ...filled.code, dir: 'code' };
    expect(problemAt({ ...filled, code }, 'code.dir')).toMatch(/whole path/);
    const web = { ...filled.input, type: 'gcs', gcs: 'https://example.com/b' } as const;
    expect(problemAt({ ...filled, input: web }, 'input.gcs')).toMatch(/is a web address/);
    const output = { ...filled.output, type: 'gcs', gcs: 'gs://B' } as const;
    expect(problemAt({ ...filled, output }, 'output.gcs')).toMatch(/not a bucket name/);
    const git = { ...filled.code, type: 'git', git: '--upload-pack=x', ref: '' } as const;
    expect(problemAt({ ...filled, code: git }, 'code.git')).toMatch(/begins with "-"/);
  });

  it('of variables stand at their rows', () => {
    const env = (...names: string[]) => ({
      ...filled,
      env: names.map((one) => ({ name: one, value: '1' })),
    });
    expect(problemAt(env('GOOD', '1BAD'), 'env.1.name')).toMatch(/letters, digits and "_"/);
    expect(problemAt(env('TWICE', 'TWICE'), 'env.1.name')).toBe('TWICE is there twice: keep one.');
    expect(problemAt(env('TRAINYARD_X'), 'env.0.name')).toMatch(/TRAINML_/);
    expect(problemAt(env(''), 'env.0.name')).toMatch(/remove the row/);
  });
});

describe('pasted lines', () => {
  it('become commands, one a line', () => {
    expect(splitCommands('python a.py\r\n\n  python b.py --x 1  \n')).toEqual([
      'python a.py',
      'python b.py --x 1',
    ]);
    expect(splitCommands('torchrun \\\n  train.py\nnext')).toEqual([
      'torchrun \\\n  train.py',
      'next',
    ]);
    expect(splitCommands('echo \\\\\nnext')).toEqual(['echo \\\\', 'next']);
  });

  it('become variables, split at the first "="', () => {
    expect(splitVariables("A=1\n# no\n\nexport B=\"x = y\"\nC=a=b==\nD\nE=it's\nF='q'\n")).toEqual([
      { name: 'A', value: '1' },
      { name: 'B', value: 'x = y' },
      { name: 'C', value: 'a=b==' },
      { name: 'D', value: '' },
      { name: 'E', value: "it's" },
      { name: 'F', value: 'q' },
    ]);
  });

  it('lose no variable', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(variable, fc.stringMatching(/^[A-Za-z0-9=:/+.-]{0,20}$/))),
        (pairs) => {
          const pasted = pairs.map(([left, right]) => `${left}=${right}`).join('\n');
          expect(splitVariables(pasted).map(({ name: left, value }) => [left, value])).toEqual(
            pairs,
          );
        },
      ),
    );
  });
});

describe('what will happen', () => {
  const output = { ...filled.output, type: 'gcs', gcs: 'gs://artifacts/results' } as const;
  const two = [{ command: 'a' }, { command: 'b' }];

  it('has the full output address', () => {
    expect(outputTarget(filled)).toBeNull();
    expect(outputTarget({ ...filled, output })).toBe(
      'gs://artifacts/results/digits/<job id>/worker-0/',
    );
    expect(outputTarget({ ...filled, output, workers: two })).toBe(
      'gs://artifacts/results/digits/<job id>/worker-<n>/',
    );
    const exact = { ...output, layout: 'exact' } as const;
    expect(outputTarget({ ...filled, output: exact })).toBe('gs://artifacts/results/');
    expect(outputTarget({ ...filled, output: { ...exact, archive: true } })).toBe(
      'gs://artifacts/results/worker-0.tar.gz',
    );
    expect(outputTarget({ ...filled, output: { ...output, gcs: 'gs:/' } })).toBeNull();
  });

  it('is told in words', () => {
    const told = (form: JobForm) =>
      tellJob(form).map(({ topic, text: words }) => `${topic}: ${words}`);
    expect(told({ ...filled, gpus: '2', workers: two })).toContain(
      'Workers: 2 workers run side by side on this machine, with 2 GPUs each, 4 in all.',
    );
    const withMode = (workerKeyMode: JobForm['workerKeyMode']) =>
      told({ ...filled, workerKey: 'trainer', workerKeyMode }).join();
    expect(withMode('key-file')).toContain('the whole key trainer');
    expect(withMode('account-token')).toContain('everything that the account of trainer may do');
    expect(withMode('token')).toContain('and nothing else');
  });

  it('suggests a key file where code or a command mentions one', () => {
    const commands = (...all: string[]) => mentionInCommands({ workers: all });
    expect(commands('python train.py')).toBeNull();
    const mention = commands('python a.py', 'gcloud auth x $GOOGLE_APPLICATION_CREDENTIALS');
    expect(mention?.word).toBe('GOOGLE_APPLICATION_CREDENTIALS');
    expect(mentionInCommands({ setup: 'x from_service_account_json', workers: [] })?.where).toBe(
      'Setup',
    );
    expect(tellKeyFile('trainer', 'token', mention)).toMatchObject({ state: 'warning' });
    expect(tellKeyFile('', 'token', mention)).toMatchObject({ state: 'warning' });
    expect(tellKeyFile('trainer', 'key-file', mention)).toBeNull();
    expect(tellKeyFile('trainer', 'token', null)).toBeNull();
  });
});

describe('a job file that was written by hand', () => {
  const TEXT = `# The sweep of November.
name: sweep # see the wiki
host: local
code:
  dir: /home/me/project
workers:
  # The baseline.
  - python train.py --lr 0.1
  - python train.py --lr 0.01 # the one that diverged
env:
  SEED: "7"   # for the paper
output:
  gcs: gs://a-bucket/results
  # Said for whoever reads this.
  archive: false
`;
  const said = (source: string): JobForm => {
    const read = readJobFile(source);
    if (read.spec === null) throw new Error(JSON.stringify(read.mistakes));
    return formOf(read.spec);
  };
  const form = said(TEXT);
  const written = { text: TEXT, spec: specOf(form) };

  it('stays as it is, letter by letter, while the form says the same', () => {
    expect(editJobFile(written, specOf(form))).toBe(TEXT);
    expect(editJobFile(null, specOf(form))).toBe(writeJobFile(specOf(form)));
  });

  it('keeps its comments where the form changes something else', () => {
    const changed: JobForm = {
      ...form,
      name: 'sweep-2',
      workers: [{ command: 'python train.py --lr 0.01' }, { command: 'python train.py --lr 1' }],
      env: [...form.env, { name: 'DEPTH', value: '50' }],
      input: { ...form.input, type: 'dir', dir: '/data' },
    };
    const text = editJobFile(written, specOf(changed));
    for (const comment of [
      '# The sweep of November.',
      '# see the wiki',
      '# the one that diverged',
      '# for the paper',
      '# Said for whoever reads this.',
    ])
      expect(text).toContain(comment);
    expect(text).toContain('archive: false');
    expect(specOf(said(text))).toEqual(specOf(changed));
  });

  it('loses what the form took away, and is written anew where a mark stands for several places', () => {
    const output = { ...form.output, type: 'none' } as const;
    const without = editJobFile(written, specOf({ ...form, output }));
    expect(without).not.toContain('output');
    expect(without).toContain('# see the wiki');
    const shared = `name: &n x\nhost: local\ncode: { dir: /c }\nworkers: [ *n ]\n`;
    const before = { text: shared, spec: specOf(said(shared)) };
    const after = { ...specOf(said(shared)), name: 'y' };
    expect(editJobFile(before, after)).toBe(writeJobFile(after));
  });

  it('says what the form says, whatever it said before', () => {
    fc.assert(
      fc.property(spec, spec, (one, other) => {
        const before = specOf(formOf(one));
        const after = specOf(formOf(other));
        const text = editJobFile({ text: writeJobFile(before), spec: before }, after);
        expect(specOf(said(text))).toEqual(after);
      }),
      { numRuns: 150 },
    );
  });
});

describe('every field that a job file may have', () => {
  interface Shape {
    readonly properties?: Readonly<Record<string, Shape>>;
    readonly additionalProperties?: boolean | Shape;
    readonly anyOf?: readonly Shape[];
    readonly items?: Shape;
  }
  /** `code.dir`, `workerKeys.*.mode`: what of a schema has no fields of its own. */
  const leaves = (shape: Shape, path: string): readonly string[] => {
    const below = [
      ...Object.entries(shape.properties ?? {}).map(([field, one]) => [field, one] as const),
      ...(typeof shape.additionalProperties === 'object'
        ? [['*', shape.additionalProperties] as const]
        : []),
      ...(shape.items === undefined ? [] : [['*', shape.items] as const]),
    ].flatMap(([field, one]) => leaves(one, path === '' ? field : `${path}.${field}`));
    const choices = (shape.anyOf ?? []).flatMap((one) => leaves(one, path));
    // Beside a mapping may stand a word for there being none.
    const fields = [...below, ...choices].filter((field) => field !== path);
    return fields.length === 0 ? [path] : fields;
  };
  const fieldsOf = (value: unknown, path: string): readonly string[] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([field, one]) => {
          const name = Array.isArray(value) || path === 'env' ? '*' : field;
          return fieldsOf(one, path === '' ? name : `${path}.${name}`);
        })
      : [path];

  it('comes back out of the form, with another value than its default', () => {
    const base = { name: 'j', host: 'local', workers: ['a'] };
    const files = [
      {
        ...base,
        kind: 'training',
        resources: { gpus: 2, useBusy: true, gpuIds: 'index' },
        code: { dir: '/code' },
        setup: 'b',
        env: { A: '1' },
        input: { dir: '/data' },
        output: {
          gcs: 'gs://bucket/o',
          key: 'k',
          archive: true,
          layout: 'exact',
          exclude: ['wandb/'],
        },
        stop: { signal: 'SIGINT', grace: '60s' },
        workerKeys: [{ key: 'k', mode: 'key-file' }],
        unattended: true,
      },
      {
        ...base,
        code: { git: 'g', ref: 'r' },
        input: { gcs: 'gs://bucket/i', key: 'k', keepCompressed: true },
      },
      { ...base, code: { gcs: 'gs://bucket/c', key: 'k' } },
    ];
    const schema = JSON.parse(
      readFileSync(path.join(import.meta.dirname, '../../docs/job-file.schema.json'), 'utf8'),
    ) as Shape;
    // A field that is missing here is new: put it into these files, and into the form.
    expect([...new Set(files.flatMap((file) => fieldsOf(file, '')))].sort()).toEqual(
      [...new Set(leaves(schema, ''))].sort(),
    );
    for (const file of files) {
      const parsed = jobSpecSchema.parse(file);
      expect(jobSpecSchema.parse(specOf(formOf(parsed)))).toEqual(parsed);
    }
  });
});
