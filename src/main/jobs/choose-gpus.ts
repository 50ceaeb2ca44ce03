import * as z from 'zod';
import type { HostProbe } from '../../shared/agent-protocol.ts';
import {
  eligibleGpus,
  readVisibleGpus,
  whyFewer,
  type GpuChoice,
} from '../../shared/gpu-choice.ts';
import type { Gpu } from '../../shared/gpu.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import type { Environment } from '../platform/paths.ts';
import type { SettingsReader, SettingsWriter } from '../store/settings.ts';

/** Of which cards jobs of this machine choose. */
export interface GpuRules {
  /** `CUDA_VISIBLE_DEVICES` and `CUDA_DEVICE_ORDER` of whoever submits; undefined where they are not set. */
  readonly visible: string | undefined;
  readonly order: string | undefined;
  /** UUIDs that the user chose for all jobs; null: all. */
  readonly setting: readonly string[] | null;
}

export const NO_RULES: GpuRules = { visible: undefined, order: undefined, setting: null };

const SETTING = 'hosts.local.gpus';
const settingSchema = z.array(z.string()).nullable();

/** The setting "only these cards": UUIDs; null: all. One that cannot be read is as none. */
export function readOnlyGpus(settings: SettingsReader): readonly string[] | null {
  const row = settings.get(SETTING);
  if (!row.ok || row.value === null) return null;
  try {
    const parsed = settingSchema.safeParse(JSON.parse(row.value));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

export const keepOnlyGpus = (
  settings: SettingsWriter,
  uuids: readonly string[] | null,
): Result<void> => settings.set(SETTING, JSON.stringify(uuids));

export function gpuRules(env: Environment, settings: SettingsReader): GpuRules {
  return {
    visible: env['CUDA_VISIBLE_DEVICES'],
    order: env['CUDA_DEVICE_ORDER'],
    setting: readOnlyGpus(settings),
  };
}

export interface ChosenGpus {
  /** UUIDs, the first ones first; null: any. */
  readonly only: readonly string[] | null;
  readonly warnings: readonly Problem[];
}

/** Which cards of a machine the rules leave, and what should be known of how they were read. Pure. */
export function chooseGpus(rules: GpuRules, gpus: readonly Gpu[]): ChosenGpus {
  const { visible, setting } = rules;
  const allowed = ({ uuid, card }: Gpu): boolean =>
    setting === null || setting.includes(uuid) || (card !== undefined && setting.includes(card));
  if (visible === undefined)
    return {
      only: setting === null ? null : gpus.filter(allowed).map(({ uuid }) => uuid),
      warnings: [],
    };
  const read = readVisibleGpus(visible, rules.order, gpus);
  const uuids = read.uuids.filter((uuid) => gpus.some((gpu) => gpu.uuid === uuid && allowed(gpu)));
  const isMistake =
    read.endsAt !== null &&
    read.endsAt !== '' &&
    read.endsAt !== '-1' &&
    read.endsAt !== 'NoDevFiles';
  const about = {
    code: 'host.visible-gpus',
    op: 'check the job',
    subject: 'CUDA_VISIBLE_DEVICES',
  } as const;
  return {
    only: uuids,
    warnings: [
      ...(isMistake
        ? [
            problem({
              ...about,
              message: `CUDA_VISIBLE_DEVICES is "${visible}", and "${read.endsAt}" is no card of this machine: it and what follows are left out, as CUDA does.`,
              hint: '`nvidia-smi -L` lists the cards.',
            }),
          ]
        : []),
      ...(read.isOrderUnsure
        ? [
            problem({
              ...about,
              message: `CUDA_VISIBLE_DEVICES is "${visible}", and this machine has cards of several kinds: the numbers were taken as nvidia-smi counts.`,
              hint: 'Set CUDA_DEVICE_ORDER=PCI_BUS_ID, with which CUDA counts so too, or name the cards by their UUIDs.',
            }),
          ]
        : []),
    ],
  };
}

/** Why a host has not the cards that a job asks for, with what is there; null when it has. Pure. */
export function refuseGpus(
  spec: Pick<JobSpec, 'resources' | 'workers' | 'host'>,
  probe: HostProbe,
  rules: GpuRules = NO_RULES,
): Problem | null {
  const each = spec.resources.gpus;
  const asked = each * spec.workers.length;
  const about = { op: 'check the job', subject: spec.host, code: 'host.gpus' } as const;
  const cpu = 'To run it without a card, ask for 0 GPUs.';
  const count = (cards: number): string => (cards === 1 ? '1 GPU' : `${cards} GPUs`);
  const wish =
    spec.workers.length === 1
      ? `The job asks for ${count(asked)}`
      : `The job asks for ${count(asked)} (${each} for each of ${spec.workers.length} workers)`;
  switch (probe.gpus.kind) {
    case 'no-tool':
      return problem({
        ...about,
        message: `${wish}; this machine has no NVIDIA driver (there is no nvidia-smi).`,
        hint: cpu,
      });
    case 'broken':
      return problem({
        ...about,
        message: `${wish}; nvidia-smi does not work here: ${probe.gpus.message}`,
        hint: `Mend the driver (a restart helps after an update). ${cpu}`,
      });
    case 'gpus': {
      const { only } = chooseGpus(rules, probe.gpus.gpus);
      const choice: GpuChoice = { each, only };
      const gpus = eligibleGpus(probe.gpus.gpus, choice);
      if (gpus.length >= asked) return null;
      const { visible } = rules;
      const there = gpus.map(({ name }) => name).join(', ');
      const hidden =
        visible !== undefined && only !== null && only.length < asked
          ? ` CUDA_VISIBLE_DEVICES is "${visible}" where the job is started.`
          : '';
      return problem({
        ...about,
        message: `${wish}; this machine has ${gpus.length === 0 ? 'none' : `${count(gpus.length)}: ${there}`}.${whyFewer(probe.gpus, choice)}${hidden}`,
        hint: `Ask for fewer, or give the job fewer workers. ${cpu}`,
      });
    }
  }
}

/** What a job chooses of. Errors: `host.gpus`. */
export function planGpus(
  spec: Pick<JobSpec, 'resources' | 'workers' | 'host'>,
  probe: HostProbe,
  rules: GpuRules,
): Result<ChosenGpus> {
  const refusal = refuseGpus(spec, probe, rules);
  if (refusal !== null) return fail(refusal);
  return ok(
    probe.gpus.kind === 'gpus' ? chooseGpus(rules, probe.gpus.gpus) : { only: null, warnings: [] },
  );
}
