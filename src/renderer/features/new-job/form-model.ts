import * as z from 'zod';
import {
  GPU_IDS,
  OUTPUT_LAYOUTS,
  STOP_GRACE,
  WORKER_KEY_MODES,
  type JobSpec,
  type JobSpecInput,
} from '../../../shared/job-spec.ts';
import { STOP_SIGNALS } from '../../../shared/stop-signals.ts';

/** What the form holds: every field of every choice, so that changing a choice and back loses nothing. */
export const jobFormSchema = z.object({
  name: z.string(),
  /** Whole cards for each worker, as typed. */
  gpus: z.string(),
  /** Also cards that others use. */
  useBusyGpus: z.boolean().default(false),
  gpuIds: z.enum(GPU_IDS).default('uuid'),
  code: z.object({
    type: z.enum(['dir', 'git', 'gcs']),
    dir: z.string(),
    git: z.string(),
    ref: z.string(),
    gcs: z.string(),
    key: z.string(),
  }),
  setup: z.string(),
  workers: z.array(z.object({ command: z.string() })),
  env: z.array(z.object({ name: z.string(), value: z.string() })),
  input: z.object({
    type: z.enum(['gcs', 'dir', 'none']),
    gcs: z.string(),
    key: z.string(),
    keepCompressed: z.boolean(),
    dir: z.string(),
  }),
  output: z.object({
    type: z.enum(['gcs', 'none']),
    gcs: z.string(),
    key: z.string(),
    archive: z.boolean(),
    layout: z.enum(OUTPUT_LAYOUTS),
    /** Patterns, one in each line. */
    exclude: z.string(),
  }),
  stop: z.object({
    signal: z.enum(STOP_SIGNALS),
    /** As typed: `60s`. */
    grace: z.string(),
  }),
  /** The key that the workers get; empty: none. */
  workerKey: z.string(),
  workerKeyMode: z.enum(WORKER_KEY_MODES),
  unattended: z.boolean(),
});
export type JobForm = z.infer<typeof jobFormSchema>;

/** The machine that every job of this version runs on. */
export const HOST = 'local';

export const EMPTY_FORM: JobForm = {
  name: '',
  gpus: '0',
  useBusyGpus: false,
  gpuIds: 'uuid',
  code: { type: 'dir', dir: '', git: '', ref: '', gcs: '', key: '' },
  setup: '',
  workers: [{ command: '' }],
  env: [],
  input: { type: 'none', gcs: '', key: '', keepCompressed: false, dir: '' },
  output: { type: 'none', gcs: '', key: '', archive: false, layout: 'per-run', exclude: '' },
  stop: { signal: 'SIGTERM', grace: `${STOP_GRACE.default}s` },
  workerKey: '',
  workerKeyMode: 'token',
  unattended: false,
};

/** A form that says what a job file says. Pure. */
export function formOf(spec: JobSpec): JobForm {
  const { code, input, output } = spec;
  const codeFields = { ...EMPTY_FORM.code };
  const inputFields = { ...EMPTY_FORM.input };
  return {
    name: spec.name,
    gpus: String(spec.resources.gpus),
    useBusyGpus: spec.resources.useBusy ?? false,
    gpuIds: spec.resources.gpuIds ?? 'uuid',
    code:
      'dir' in code
        ? { ...codeFields, type: 'dir', dir: code.dir }
        : 'git' in code
          ? { ...codeFields, type: 'git', git: code.git, ref: code.ref ?? '' }
          : { ...codeFields, type: 'gcs', gcs: code.gcs, key: code.key ?? '' },
    setup: spec.setup ?? '',
    workers: spec.workers.map((command) => ({ command })),
    env: Object.entries(spec.env).map(([name, value]) => ({ name, value })),
    input:
      input === undefined
        ? inputFields
        : 'gcs' in input
          ? {
              ...inputFields,
              type: 'gcs',
              gcs: input.gcs,
              key: input.key ?? '',
              keepCompressed: input.keepCompressed === true,
            }
          : { ...inputFields, type: 'dir', dir: input.dir },
    output:
      output === undefined
        ? { ...EMPTY_FORM.output }
        : {
            type: 'gcs',
            gcs: output.gcs,
            key: output.key ?? '',
            archive: output.archive,
            layout: output.layout,
            exclude: output.exclude?.join('\n') ?? '',
          },
    stop:
      spec.stop === undefined
        ? { ...EMPTY_FORM.stop }
        : { signal: spec.stop.signal, grace: String(spec.stop.grace) },
    workerKey: spec.workerKeys[0]?.key ?? '',
    workerKeyMode: spec.workerKeys[0]?.mode ?? 'token',
    unattended: spec.unattended,
  };
}

/** The job file that a form says, with what is missing or wrong left as it is. What a job file may leave out is left out. Pure. */
export function specOf(form: JobForm): JobSpecInput {
  const gpus = Number(form.gpus.trim() === '' ? Number.NaN : form.gpus);
  const { input, output } = form;
  return {
    name: form.name,
    host: HOST,
    ...(gpus === 0 && !form.useBusyGpus && form.gpuIds !== 'index'
      ? {}
      : {
          resources: {
            gpus,
            ...(form.useBusyGpus ? { useBusy: true } : {}),
            ...(form.gpuIds === 'index' ? { gpuIds: form.gpuIds } : {}),
          },
        }),
    code: codeOf(form.code),
    ...(form.setup.trim() === '' ? {} : { setup: form.setup }),
    workers: form.workers.map(({ command }) => command),
    ...(form.env.length === 0
      ? {}
      : { env: Object.fromEntries(form.env.map(({ name, value }) => [name, value])) }),
    ...(input.type === 'none'
      ? {}
      : {
          input:
            input.type === 'dir'
              ? { dir: input.dir }
              : {
                  gcs: input.gcs,
                  ...keyOf(input.key),
                  ...(input.keepCompressed ? { keepCompressed: true } : {}),
                },
        }),
    ...(output.type === 'none'
      ? {}
      : {
          output: {
            gcs: output.gcs,
            ...keyOf(output.key),
            ...(output.archive ? { archive: true } : {}),
            ...(output.layout === 'per-run' ? {} : { layout: output.layout }),
            ...excludeOf(output.exclude),
          },
        }),
    ...(form.workerKey === ''
      ? {}
      : { workerKeys: [{ key: form.workerKey, mode: form.workerKeyMode }] }),
    ...stopOf(form.stop),
    ...(form.unattended ? { unattended: true } : {}),
  };
}

function codeOf(code: JobForm['code']): JobSpecInput['code'] {
  switch (code.type) {
    case 'dir':
      return { dir: code.dir };
    case 'git':
      return { git: code.git, ...(code.ref === '' ? {} : { ref: code.ref }) };
    case 'gcs':
      return { gcs: code.gcs, ...keyOf(code.key) };
  }
}

const excludeOf = (text: string): { exclude?: string[] } => {
  const exclude = text.split('\n').filter((line) => line.trim() !== '');
  return exclude.length === 0 ? {} : { exclude };
};

function stopOf({ signal, grace }: JobForm['stop']): Pick<JobSpecInput, 'stop'> {
  const time = grace.trim() === '' ? EMPTY_FORM.stop.grace : grace.trim();
  const isUsual = signal === EMPTY_FORM.stop.signal && time === EMPTY_FORM.stop.grace;
  return isUsual ? {} : { stop: { signal, grace: time } };
}

const keyOf = (key: string): { key?: string } => (key === '' ? {} : { key });
