import { asPrefix, parseGcsAddress } from '../../../shared/address.ts';
import { formatCount } from '../../common/format.ts';
import type { JobForm } from './form-model.ts';

/** What will happen, in plain words, told from the form alone. Pure. */
export interface SummaryLine {
  readonly topic: string;
  readonly text: string;
  /** An address or path that belongs to it. */
  readonly address: string | null;
}

const count = (number: number, one: string, many: string): string =>
  number === 1 ? `1 ${one}` : `${formatCount(number)} ${many}`;

export function tellJob(form: JobForm): readonly SummaryLine[] {
  return [
    tellCode(form.code),
    ...tellInput(form.input),
    ...(form.setup.trim() === ''
      ? []
      : [line('Setup', 'runs once in the code folder, before the workers.')]),
    tellWorkers(form),
    ...tellOutput(form),
    ...tellAccess(form),
  ];
}

const line = (topic: string, text: string, address: string | null = null): SummaryLine => ({
  topic,
  text,
  address: address === '' ? null : address,
});

const withKey = (key: string): string =>
  key === '' ? 'without a credential' : `with the key ${key}`;

function tellCode(code: JobForm['code']): SummaryLine {
  switch (code.type) {
    case 'dir':
      return line(
        'Code',
        'a snapshot of the folder as it is now, less what .gitignore names.',
        code.dir,
      );
    case 'git':
      return line(
        'Code',
        code.ref === '' ? 'a clone of the default branch.' : `a clone at ${code.ref}.`,
        code.git,
      );
    case 'gcs':
      return line('Code', `is fetched ${withKey(code.key)}.`, code.gcs);
  }
}

function tellInput(input: JobForm['input']): readonly SummaryLine[] {
  switch (input.type) {
    case 'none':
      return [line('Input', 'none.')];
    case 'dir':
      return [line('Input', 'the folder is used where it is, never copied or written.', input.dir)];
    case 'gcs':
      return [
        line('Input', `is downloaded ${withKey(input.key)} before the workers start.`, input.gcs),
      ];
  }
}

function tellWorkers(form: JobForm): SummaryLine {
  const workers = form.workers.length;
  const gpus = Number(form.gpus);
  const who =
    workers === 1 ? '1 worker runs' : `${count(workers, 'worker', 'workers')} run side by side`;
  const cards =
    !Number.isInteger(gpus) || gpus <= 0
      ? 'without a GPU'
      : workers === 1
        ? `with ${count(gpus, 'GPU', 'GPUs')}`
        : `with ${count(gpus, 'GPU', 'GPUs')} each, ${gpus * workers} in all`;
  const although =
    form.useBusyGpus && gpus > 0
      ? ' Where too few are free, cards that others use are taken too.'
      : '';
  return line('Workers', `${who} on this machine, ${cards}.${although}`);
}

/** Where the results of a worker go: `gs://bucket/results/name/<job id>/worker-0/`; null while the address is none. */
export function outputTarget(form: JobForm): string | null {
  if (form.output.type === 'none') return null;
  const address = parseGcsAddress(form.output.gcs);
  if (!address.ok) return null;
  const base = `gs://${address.value.bucket}/${asPrefix(address.value.path)}`;
  const run =
    form.output.layout === 'exact'
      ? base
      : `${base}${form.name === '' ? '<name>' : form.name}/<job id>/`;
  if (form.output.archive) return `${run}worker-${form.workers.length === 1 ? '0' : '<n>'}.tar.gz`;
  if (form.output.layout === 'exact' && form.workers.length === 1) return run;
  return `${run}worker-${form.workers.length === 1 ? '0' : '<n>'}/`;
}

function tellOutput(form: JobForm): readonly SummaryLine[] {
  const { output } = form;
  if (output.type === 'none')
    return [line('Output', 'stays in the run directory on this machine; nothing is uploaded.')];
  const what = output.archive
    ? 'one archive for each worker is uploaded'
    : 'every file is uploaded';
  return [
    line(
      'Output',
      `${what} ${withKey(output.key)} when the workers end${output.exclude.trim() === '' ? '' : ', less what the patterns leave out'}. Nothing is ever overwritten.`,
      outputTarget(form),
    ),
  ];
}

function tellWorkerKey({ workerKey, workerKeyMode }: JobForm): string {
  switch (workerKeyMode) {
    case 'token':
      return `with ${workerKey}, workers can read the input of this job and create files below its output, and nothing else.`;
    case 'account-token':
      return `workers can do everything that the account of ${workerKey} may do, as long as the job runs.`;
    case 'key-file':
      return `each worker finds the whole key ${workerKey} in a file named by GOOGLE_APPLICATION_CREDENTIALS, removed at the end.`;
  }
}

function tellAccess(form: JobForm): readonly SummaryLine[] {
  return [
    ...(form.workerKey === '' ? [] : [line('Key of the workers', tellWorkerKey(form))]),
    ...(form.unattended
      ? [
          line(
            'Unattended',
            'the job is handed the keys of code, input and output themselves, in memory alone, and never waits for fresh access.',
          ),
        ]
      : []),
  ];
}
