import { expect, test } from 'vitest';
import { warnOfVariables } from '../../../src/main/jobs/look-at-variables.ts';
import { parseJobFile, readJobFile } from '../../../src/main/jobs/job-file.ts';
import { exitStatusOf } from '../../../src/shared/problem.ts';
import { problemOf, valueOf } from '../temp.ts';
import { fc } from '../../support/properties.ts';

const full = `name: digits-sweep
host: local
resources: { gpus: 1 }
code: { dir: ./digits }
setup: pip install -r requirements.txt
workers:
  - node train.js --lr 0.1
  - node train.js --lr 0.01
env: { SEED: "1", NOTE: "a=b" }
input:  { gcs: gs://input-data-bucket/data, key: lab }
output: { gcs: gs://artifacts-bucket/results, key: lab, archive: false, layout: per-run }
workerKeys: [ { key: lab, mode: key-file } ]
unattended: false
`;

const minimal = 'name: a\nhost: local\ncode: { dir: . }\nworkers: [ "true" ]\n';

/** `LINE:COLUMN message` of each mistake. */
function mistakes(text: string): string[] {
  const read = readJobFile(text);
  if (read.mistakes === null) throw new Error('It was accepted.');
  return read.mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

const withLine = (line: string): string => `${minimal}${line}\n`;

test('the example of every field is read', () => {
  expect(valueOf(parseJobFile(full, { path: 'job.yaml' }))).toEqual({
    name: 'digits-sweep',
    kind: 'training',
    host: 'local',
    resources: { gpus: 1 },
    code: { dir: './digits' },
    setup: 'pip install -r requirements.txt',
    workers: ['node train.js --lr 0.1', 'node train.js --lr 0.01'],
    env: { SEED: '1', NOTE: 'a=b' },
    input: { gcs: 'gs://input-data-bucket/data', key: 'lab' },
    output: { gcs: 'gs://artifacts-bucket/results', key: 'lab', archive: false, layout: 'per-run' },
    workerKeys: [{ key: 'lab', mode: 'key-file' }],
    unattended: false,
  });
});

test('of a file that holds a private key nothing is quoted', () => {
  const pem = '-----BEGIN PRIVATE KEY-----\\nMIIEvAIBADANBgkqhkiG9w0BAQEFAASC\\n';
  const key = `{\n"type": "service_account",\n"private_key": "${pem}"}`;
  for (const [text, line] of [
    [key, 3],
    [key + key, 3],
    [`{ "${pem}": 1 }`, 1],
    [withLine(`wrong: "${pem}"`), 5],
  ] as const) {
    const [only, ...more] = mistakes(text);
    expect(only).toContain(`${line}:1 A private key stands in this file`);
    expect(only).not.toContain('MIIE');
    expect(more).toEqual([]);
  }
});

test('only name, host, code and workers are required', () => {
  expect(valueOf(parseJobFile(minimal, { path: 'job.yaml' }))).toEqual({
    name: 'a',
    kind: 'training',
    host: 'local',
    resources: { gpus: 0 },
    code: { dir: '.' },
    workers: ['true'],
    env: {},
    workerKeys: [],
    unattended: false,
  });
  expect(mistakes('kind: training').map((text) => text.split('.')[0])).toEqual([
    '1:1 name is missing',
    '1:1 host is missing',
    '1:1 code is missing',
    '1:1 workers is missing',
  ]);
});

test('a problem of the file is bad input, with file, line and column of every mistake', () => {
  const text = full.replace('gpus: 1', 'gpu: 1').replace('layout: per-run', 'layout: flat');
  const problem = problemOf(parseJobFile(text, { path: '/jobs/sweep.yaml' }));
  expect(exitStatusOf(problem)).toBe(2);
  expect(problem.message.split('\n')).toEqual([
    'The job file has 2 mistakes:',
    'sweep.yaml:3:14: There is no field "gpu" here. Did you mean "gpus"? Allowed: gpus, useBusy, gpuIds.',
    'sweep.yaml:11:81: output.layout is "flat". Allowed: per-run or exact.',
  ]);
});

test.each([
  ['env: { SEED: 1 }', '5:14 env.SEED is the number 1. Put it in quotes: "1".'],
  ['env: { LR: 1e-3 }', '5:12 env.LR is the number 0.001. Put it in quotes: "1e-3".'],
  ['env: { A: true }', '5:11 env.A is the value true. Put it in quotes: "true".'],
  ['env: { A: ~ }', '5:11 env.A is empty. Put it in quotes: "~".'],
  ['env: { A: }', '5:11 env.A is empty. Allowed: a text in quotes, such as "".'],
  ['env: [ A=b ]', '5:6 env is a list of 1 entry. Allowed: a mapping of names to texts.'],
  ['env: { 1A: "x" }', '5:8 env.1A is not a name that a variable can have.'],
  [
    'env: { TRAINYARD_HOME: "x" }',
    '5:8 env.TRAINYARD_HOME is not a name that a variable can have.',
  ],
  ['env: { ML_DATA_PATH: "x" }', '5:8 env.ML_DATA_PATH is not a name that a variable can have.'],
  ['env: { "": "x" }', '5:8 env. is not a name that a variable can have.'],
  ['env: { "A=B": "x" }', '5:8 env.A=B is not a name that a variable can have.'],
  ['env: { "BASH_FUNC_f%%": "() { :; }" }', '5:8 env.BASH_FUNC_f%% is not a name that'],
  ['env: { A: "a\\0b" }', '5:11 env.A is "a\0b". It holds a NUL character.'],
  ['env: { A: "\\ud800" }', '5:11 env.A is "\ud800". It holds half of a character'],
  ['setup: "a\\0b"', '5:8 setup is "a\0b". It holds a NUL character.'],
  ['input: { dir: "/a\\0b" }', '5:15 input.dir is "/a\0b". It holds a NUL character.'],
  ['hots: a', '5:1 There is no field "hots" here. Did you mean "host"?'],
  ['worker: a', '5:1 There is no field "worker" here. Did you mean "workers"?'],
  ['colour: a', '5:1 There is no field "colour" here. Allowed: name,'],
  ['name: b', '5:1 This field stands in the mapping twice.'],
  [
    'kind: notebook',
    '5:7 A notebook is started with `trainyard notebook`. Allowed here: training.',
  ],
  ['kind: transfer', '5:7 A transfer is started with `trainyard cp`. Allowed here: training.'],
  ['kind: trainig', '5:7 kind is "trainig". Allowed: training.'],
  [
    'input: { gcs: s3://b/x }',
    '5:15 input.gcs is "s3://b/x". "s3://b/x" does not begin with gs://.',
  ],
  ['input: { gcs: gs://b/x }', '5:15 input.gcs is "gs://b/x". "b" is not a bucket name.'],
  ['input: { gcs: gs://bucket/x, dir: /d }', '5:30 input has both gcs and dir. Give one of them.'],
  ['input: { path: /d }', '5:10 There is no field "path" here. Allowed: gcs, key, dir.'],
  ['input: { key: lab }', '5:1 input.gcs is missing. Allowed: an address such as'],
  ['input: {}', '5:8 input is empty. Give one of gcs, dir.'],
  ...['CUDA_VISIBLE_DEVICES', 'CLOUDSDK_CONFIG', 'GOOGLE_APPLICATION_CREDENTIALS'].map((name) => [
    `env: { ${name}: "x" }`,
    `5:8 env.${name} is not a name that a variable can have. Allowed: another name. Trainyard sets`,
  ]),
  ['input: /data', '5:8 input is "/data". Allowed: a mapping:'],
  [
    'output: { key: lab }',
    '5:1 output.gcs is missing. Allowed: an address such as gs://bucket/path.',
  ],
  [
    'output: { gcs: gs://bucket/x, archive: "yes" }',
    '5:40 output.archive is "yes". Allowed: true or false.',
  ],
  ['resources: { gpus: 0.5 }', '5:20 resources.gpus is the number 0.5. Allowed: a whole number'],
  ['resources: { gpus: -1 }', '5:20 resources.gpus is the number -1. Allowed: a whole number'],
  ['resources: { gpus: many }', '5:20 resources.gpus is "many". Allowed: a whole number'],
  [
    'workerKeys: [ { key: lab, mode: tokens } ]',
    '5:33 workerKeys[0].mode is "tokens". Allowed: token, account-token or key-file.',
  ],
  [
    'workerKeys: [ { key: a, mode: key-file }, { key: b, mode: key-file } ]',
    '5:13 workerKeys is a list of 2 entries. Allowed: a list of at most one entry',
  ],
  ['unattended: sometimes', '5:13 unattended is "sometimes". Allowed: true or false.'],
  ['stop: { signal: SIGKILL }', '5:17 stop.signal is "SIGKILL". Allowed: SIGTERM, SIGINT,'],
  ['stop: { grace: 2h }', '5:16 stop.grace is "2h". Allowed: a time from 1s to 1h'],
  ['stop: { grace: 0 }', '5:16 stop.grace is the number 0. Allowed: a time from 1s to 1h'],
  ['stop: { grace: soon }', '5:16 stop.grace is "soon". Allowed: a time from 1s to 1h'],
  ['stop: { time: 5s }', '5:9 There is no field "time" here. Allowed: signal, grace.'],
  [
    'output: { gcs: gs://bucket/x, exclude: "*.tmp" }',
    '5:40 output.exclude is "*.tmp". Allowed: a list of patterns',
  ],
  ['setup: ""', '5:8 setup is an empty text. Allowed: a command'],
])('%s is told in words', (line, message) => {
  const told = mistakes(withLine(line));
  expect(told).toHaveLength(1);
  expect(told[0]!.startsWith(message)).toBe(true);
});

test.each([
  ['name: my job', '1:7 name is "my job". Allowed: letters, digits,'],
  ['name: 5', '1:7 name is the number 5.'],
  ['host: lab7', '1:7 Jobs cannot run on "lab7" yet'],
  ['code: ./digits', '1:7 code is "./digits". Allowed: a mapping:'],
  ['code: { git: x, dir: y }', '1:9 code has both dir and git. Give one of them.'],
  ['code: { git: "--upload-pack=x" }', '1:14 code.git begins with "-"'],
  [
    'code: { git: "https://me:pw@host/x.git" }',
    '1:14 The address of the repository has a password or token in it',
  ],
  ['code: { gsc: gs://bucket/c.zip }', '1:9 There is no field "gsc" here. Did you mean "gcs"?'],
  ['code: { gcs: bucket/c.zip }', '1:14 code.gcs is "bucket/c.zip". "bucket/c.zip" does not begin'],
  ['code: { gcs: gs://bucket/c.zip, git: x }', '1:9 code has both git and gcs. Give one of them.'],
  [
    'code: { gcs: gs://bucket/c.zip, ref: x }',
    '1:33 code.ref does not go with the other fields here.',
  ],
  ['code: { dir: ., key: x }', '1:17 code.key does not go with the other fields here.'],
  ['code: {}', '1:7 code is empty. Give one of dir, git, gcs.'],
  ['code: { key: lab }', '1:1 code.gcs is missing.'],
  ['code: { ref: main }', '1:1 code.git is missing.'],
  ['workers: node train.js', '1:10 workers is a single text: write it as a list'],
  ['workers: []', '1:10 workers is an empty list.'],
  [
    `workers: [${'x,'.repeat(1_001)}]`,
    '1:10 workers is a list of 1001 entries. Allowed: a list of 1 to 1,000 commands, one for each worker.',
  ],
  [
    'workers: [ "a\\0b" ]',
    '1:12 workers[0] is "a\0b". It holds a NUL character. Allowed: a command.',
  ],
  ['workers: [ "" ]', '1:12 workers[0] is an empty text. Allowed: a command.'],
  ['workers: [ 5 ]', '1:12 workers[0] is the number 5. Allowed: a command.'],
])('%s is told in words', (line, message) => {
  const field = line.split(':')[0]!;
  const rest = minimal.split('\n').filter((other) => !other.startsWith(`${field}:`));
  const told = mistakes([line, ...rest].join('\n'));
  expect(told).toHaveLength(1);
  expect(told[0]!.startsWith(message)).toBe(true);
});

test.each([
  ['', '1:1 The file is empty.'],
  ['# only a comment\n', '1:1 The file is empty'],
  ['- a\n- b\n', '1:1 The file is a list of 2 entries.'],
  ['hello', '1:1 The file is "hello".'],
  ['name: a\n\thost: b\n', '2:1 A tab indents this line. YAML allows spaces only.'],
  [`${minimal}---\n${minimal}`, '5:1 A second document begins here'],
  ['name: "a\n', '2:1 Something is missing here'],
  ['name: a\n  host: b\n', '1:7 A ":" too many'],
  ['{'.repeat(300_000), '1:1 The file is larger than 256 KiB'],
  ['name: a\0', '1:1 The file is not text in UTF-8'],
])('what is no job file at all is told so', (text, message) => {
  expect(mistakes(text)[0]!.startsWith(message)).toBe(true);
});

test('aliases serve, and a bomb of them does not', () => {
  const shared = `${minimal}env:\n  A: &a "1"\n  B: *a\n`;
  expect(valueOf(parseJobFile(shared, { path: 'j' })).env).toEqual({ A: '1', B: '1' });
  const bomb = ['a: &a0 [x,x,x,x,x,x,x,x,x]'];
  for (let level = 1; level < 9; level += 1)
    bomb.push(
      `a${level}: &a${level} [${Array(9)
        .fill(`*a${level - 1}`)
        .join(',')}]`,
    );
  expect(mistakes(bomb.join('\n'))[0]).toContain('refers to itself too often');
});

test('no text makes it throw, and every place lies inside the text', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'name: a',
      'host: local',
      'code: {',
      'dir: .',
      '}',
      'workers:',
      '  - x',
      'env: {A: 1}',
      '\t',
      '&a',
      '*a',
      '!!set',
      '---',
      '? ',
      '"',
      "'",
      '|',
      '__proto__: 1',
      'constructor: {}',
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('\n');
      const read = readJobFile(text);
      // A text that is a job file by chance has no place to look at.
      fc.pre(read.spec === null);
      const lines = text.split(/\r\n|\n|\r/).length;
      const outside = read.mistakes.filter(
        ({ line, column }) => !(line >= 1 && line <= lines && column >= 1),
      );
      expect(outside).toEqual([]);
      expect(read.mistakes).not.toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test.each(['input: none', 'output: none', 'input:', 'output: null', 'input: ~\noutput: none'])(
  '%j is the same as leaving it out',
  (lines) => {
    const read = readJobFile(withLine(lines));
    expect(read.mistakes).toBeNull();
    expect(read.spec).toEqual(readJobFile(minimal).spec);
  },
);

test.each([
  ['['.repeat(100_000), 'nested more than 100 levels'],
  [`a: ${'{a: '.repeat(5_000)}1${'}'.repeat(5_000)}`, 'nested more than 100 levels'],
  ['- '.repeat(100_000), 'nested more than 100 levels'],
  [Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join('\n'), '10,000 entries'],
  [`a: &a x\nb: [${'*a,'.repeat(5_000)}]`, 'refers to itself too often'],
])('a file of a shape that no job file has is told so before it is parsed: %#', (text, reason) => {
  const told = mistakes(text);
  expect(told).toHaveLength(1);
  expect(told[0]).toContain(reason);
});

test('of thousands of fields each is told where it stands', () => {
  const fields = Array.from({ length: 9_000 }, (_, index) => `k${index}: 1`);
  const told = mistakes(`${minimal}${fields.join('\n')}\nk0: 2`);
  expect(told).toHaveLength(9_001);
  expect(told.at(-1)).toContain('9005:1 This field stands in the mapping twice');
});

test('what is longer than a program can be given is refused before the start', () => {
  const long = 'x'.repeat(131_000);
  expect(parseJobFile(withLine(`env: { A: "${long}" }`), { path: 'j' }).ok).toBe(true);
  const [value] = mistakes(withLine(`env: { A: "${'é'.repeat(65_536)}" }`));
  expect(value).toContain(
    'It holds more than the 131,071 bytes that the system takes, with its name.',
  );
  expect(value!.length).toBeLessThan(500);
  const [setup] = mistakes(withLine(`setup: "${'x'.repeat(131_072)}"`));
  expect(setup).toContain('It holds more than the 131,071 bytes');
});

test.each([
  [{ PATH: '/x:$PATH', LD_LIBRARY_PATH: '${LD_LIBRARY_PATH}:/x', PRICE: '$5', PASS: 'a$word' }, []],
  [{ UID: '0' }, ['env.UID is set by bash itself']],
  [{ DATA: '$HOME/data' }, ['env.DATA holds $HOME, which nothing replaces']],
  [{ A: '1', B: '${A}2' }, ['env.B holds ${A}']],
  [{ CACHE: '~/cache' }, ['env.CACHE holds ~/']],
  [{ PATH: '/x${PATH:+:$PATH}' }, ['env.PATH holds ${PATH:+:$PATH}']],
  [{ PATH: '/opt/x' }, ['env.PATH takes the place of the whole PATH']],
  [{ PATH: '/opt/x:/usr/bin' }, []],
  [{ LD_PRELOAD: '/there.so /gone.so' }, ['env.LD_PRELOAD names /gone.so']],
])('of variables %j it is told before the start: %j', (env, begins) => {
  const told = warnOfVariables(env, (path) => path === '/there.so');
  expect(told.map(({ message }) => message)).toEqual(
    begins.map((begin) => expect.stringContaining(begin) as string),
  );
});
