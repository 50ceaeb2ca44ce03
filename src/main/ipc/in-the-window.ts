/**
 * What to do, in the window's words. Services and agents speak of commands and variables, because the command line shows what they say, and some
 * of it lies in runs for years; everything that crosses to the window passes here.
 */

/** By the code of the problem: the whole hint. */
const BY_CODE: Readonly<Record<string, string>> = {
  'input.key-name-taken': 'Give another name.',
  'input.key-known': 'Use it under that name; it can be renamed in Keys.',
  'access.key-damaged':
    'In Keys put a key of the account in its place, or remove it and add its file again.',
  'access.key-missing':
    'In Keys put a new key of the account in its place, or remove it and add its file again.',
  'access.key-removed':
    'Add a key of this account in Keys, under the name that the job uses. Then press Retry.',
  'access.key-named-otherwise':
    'To let the job go on with it, rename it in Keys to the name that the job uses. Then press Retry.',
  'access.vault-passphrase': 'Type the passphrase that the vault was made with.',
  'input.passphrase-file': 'Type its passphrase; Trainyard holds it in memory until it is closed.',
  'input.notebook': 'Change it in the form, then start the notebook again.',
  'input.job-unknown': 'It may have been removed by another program. Jobs lists all.',
};

const MESSAGE_BY_CODE: Readonly<Record<string, string>> = {
  'input.passphrase-file': 'The passphrase vault is closed.',
};

const ID = String.raw`[\w-]+`;

/** Commands where they stand, in this order. */
const COMMANDS: readonly (readonly [said: RegExp, inTheWindow: string])[] = [
  [/ ?Or keep keys in a file.*$/s, ''],
  [
    new RegExp(`Open Trainyard on the machine that has the key, or run: trainyard retry ${ID}`),
    'Trainyard asks for it anew by itself; Retry asks at once',
  ],
  [
    new RegExp(`Watch it with trainyard logs ${ID} -f, or stop it first: trainyard stop ${ID}`),
    'Watch its logs, or stop it first',
  ],
  [
    new RegExp(
      `See whether the job runs: trainyard job ${ID}. If it does not: trainyard retry ${ID}`,
    ),
    'See in Jobs whether it runs. If it does not, press Retry',
  ],
  [/Submit it again for a new run: trainyard run JOB\.yaml/, 'Run again makes a new run of it'],
  [new RegExp(`trainyard retry ${ID} takes it up again`), 'Retry takes it up again'],
  [
    new RegExp(`Its output: trainyard logs ${ID} --worker (\\d+)`),
    'Its output is in the log of worker $1',
  ],
  [new RegExp(`Its output: trainyard logs ${ID}`), 'Its output is in the log of the stages'],
  [new RegExp(`Its log: trainyard logs ${ID}`), 'Its log is under Logs'],
  [new RegExp(`Follow it with: trainyard logs ${ID} -f`), 'Its logs follow it'],
  [new RegExp(`(: |, then: |; try: )\`?trainyard (retry|resume) ${ID}\`?`, 'g'), '$1press Retry'],
  [new RegExp(`(: |, then: |; try: )\`?trainyard upload ${ID}\`?`, 'g'), '$1press Upload again'],
  [
    /take it as it is stored: `trainyard cp --keep-compressed`, or keepCompressed: true in the input of a job/,
    'tick “Keep packed objects packed” at the input of the job, or fetch it on the command line as it is stored',
  ],
  [/\(`?trainyard keys remove`?\)/g, 'in Keys'],
  [/\(see `?trainyard keys list`?\)/g, '(Keys lists them)'],
  [/: see `?trainyard keys list`?/g, ', as Keys lists them'],
  [
    /: trainyard keys check \S+ --accept-admin \S+/,
    ', type the address of its account here or in Keys',
  ],
  [/: trainyard keys add FILE/g, ' in Keys'],
  [/with trainyard keys add FILE/g, 'in Keys'],
  [/ with --name, or rename that one: trainyard keys rename/, ''],
  [/Start one with: trainyard notebook$/, 'New notebook starts one'],
  [
    /Go on in a new one with its files: trainyard notebook --code (.+)$/,
    'Go on in a new one with its files: New notebook, with the folder $1 as its code',
  ],
  [/, or print its address: trainyard notebook open \S+ --no-browser/, ''],
  [/`trainyard keys list` shows/, 'Keys shows'],
  [/`trainyard ls gs:[^`]*` shows what is there/, 'Buckets shows what is there'],
  [/trainyard jobs lists all/, 'Jobs lists all'],
];

/** A hint without commands. `code`: of its problem, where it has one. Pure. */
export function hintInTheWindow(hint: string, code: string | null = null): string {
  const whole = code === null ? undefined : BY_CODE[code];
  if (whole !== undefined) return whole;
  return COMMANDS.reduce((text, [said, shown]) => text.replace(said, shown), hint);
}

/** A value that goes to the window, with every hint in it, however deep. What holds none is the same value. Pure. */
export function inTheWindow<T>(value: T): T {
  return translated(value) as T;
}

function translated(value: unknown): unknown {
  if (Array.isArray(value)) return mapped(value);
  if (!isPlain(value)) return value;
  const code = typeof value['code'] === 'string' ? value['code'] : null;
  const changes = Object.entries(value).flatMap(([name, part]): [string, unknown][] => {
    const now = translatedField(name, part, code);
    return now === part ? [] : [[name, now]];
  });
  return changes.length === 0 ? value : { ...value, ...Object.fromEntries(changes) };
}

function translatedField(name: string, part: unknown, code: string | null): unknown {
  if (name === 'hint' && typeof part === 'string') return hintInTheWindow(part, code);
  if (name === 'message' && code !== null) return MESSAGE_BY_CODE[code] ?? part;
  return typeof part === 'object' ? translated(part) : part;
}

function mapped(list: readonly unknown[]): readonly unknown[] {
  let changed: unknown[] | null = null;
  for (const [index, part] of list.entries()) {
    if (typeof part !== 'object') continue;
    const now = translated(part);
    if (now === part) continue;
    changed ??= [...list];
    changed[index] = now;
  }
  return changed ?? list;
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
