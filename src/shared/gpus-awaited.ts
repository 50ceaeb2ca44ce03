import * as z from 'zod';
import { formatCount, plural } from './format.ts';

const gpuUserSchema = z.strictObject({
  pid: z.int(),
  user: z.string().nullable(),
  /** The program and what it was first given: `python train.py`. */
  program: z.string().nullable(),
});
/** A process on a card, as far as it is known. */
export type GpuUser = Readonly<z.infer<typeof gpuUserSchema>>;

/** A card that a run cannot have now, and why. */
const takenGpuSchema = z.strictObject({
  index: z.int(),
  /** The run that holds it; null: none does, or its name is not told. */
  run: z.string().nullable(),
  /** Process ids that compute on it. */
  processes: z.array(z.int()),
  /** It computes nothing until it is reset. */
  needsReset: z.boolean(),
  /** Whose and what those processes are, where anything is known. */
  users: z.array(gpuUserSchema).optional(),
  /** The user whose run holds it, where it is a run of another home. */
  holder: z.string().nullable().optional(),
  /** What else keeps it from being used, what can be done about it, and whether nothing but that helps. */
  blocked: z
    .strictObject({ reason: z.string(), advice: z.string(), final: z.boolean() })
    .optional(),
});
export type TakenGpu = Readonly<z.infer<typeof takenGpuSchema>>;

/** What a run waits for: `needed` cards at once, of `total` that the machine has `free` can be had. */
export const gpusAwaitedShape = {
  needed: z.int(),
  free: z.int(),
  total: z.int(),
  /** The others, in nvidia-smi's order. Runs of earlier versions do not tell. */
  taken: z.array(takenGpuSchema).default([]),
  /** It also takes cards that others use. */
  useBusy: z.boolean().optional(),
  /** What nvidia-smi says of cards that do not answer. */
  lost: z.array(z.string()).optional(),
};
export const gpusAwaitedSchema = z.strictObject(gpusAwaitedShape);
export type GpusAwaited = Readonly<z.infer<typeof gpusAwaitedSchema>>;

/** So many cards, and of each so many processes, are named. */
const NAMED = 8;

/** What is waited for, who has it, and what comes of it: `title` and `detail` are the parts of `message`. Pure. */
export function gpusAwaitedText({ needed, free, total, taken, useBusy, lost }: GpusAwaited): {
  readonly title: string;
  readonly detail: string;
  readonly message: string;
  readonly hint: string;
  /** The hint says what somebody can do. */
  readonly isToDo: boolean;
} {
  const holders = taken.slice(0, NAMED).map((gpu) => `GPU ${gpu.index} (${holderOf(gpu)})`);
  const more = taken.length > NAMED ? ` and ${formatCount(taken.length - NAMED)} more` : '';
  const who = holders.length === 0 ? '' : ` Not free: ${holders.join(', ')}${more}.`;
  const gone = (lost ?? []).map((text) => ` ${text.replace(/[.!?]$/, '')}.`).join('');
  const title = `Waits for ${plural(needed, 'GPU')}`;
  const detail = `${formatCount(free)} of ${formatCount(total)} ${free === 1 ? 'is' : 'are'} free.${who}${gone}`;
  return {
    title,
    detail,
    message: `${title}; ${detail}`,
    ...hintOf(taken, useBusy === true),
  };
}

function hintOf(
  taken: readonly TakenGpu[],
  useBusy: boolean,
): { readonly hint: string; readonly isToDo: boolean } {
  const isUsed = ({ run, holder, needsReset, blocked, processes }: TakenGpu): boolean =>
    run === null &&
    holder === undefined &&
    !needsReset &&
    (blocked === undefined ? processes.length > 0 : !blocked.final);
  const advice = [
    ...(taken.some(({ needsReset }) => needsReset)
      ? [
          'A card that needs a reset is free after one: sudo nvidia-smi --gpu-reset -i NUMBER, or a restart of the machine.',
        ]
      : []),
    ...new Set(taken.flatMap(({ blocked }) => blocked?.advice ?? [])),
    ...(!useBusy && taken.some(isUsed)
      ? [
          'End what runs there, or ask its user to. To use such a card although others do, stop this job and start it again so that it uses busy GPUs (--use-busy-gpus, or the box beside the number of GPUs).',
        ]
      : []),
  ].filter((text) => text !== '');
  return advice.length === 0
    ? {
        hint: 'It starts by itself once enough are free; nothing has to be done.',
        isToDo: false,
      }
    : { hint: ['It starts by itself once enough are free.', ...advice].join(' '), isToDo: true };
}

function holderOf({ run, processes, needsReset, users, holder, blocked }: TakenGpu): string {
  if (needsReset) return 'needs a reset';
  if (blocked?.final === true) return blocked.reason;
  if (run !== null) return `the job ${run}${holder ? ` of ${holder}` : ''}`;
  if (holder !== undefined) return holder === null ? 'a job of somebody' : `a job of ${holder}`;
  if (processes.length === 0) return blocked?.reason ?? 'somebody';
  const more = processes.length > NAMED ? ` and ${formatCount(processes.length - NAMED)} more` : '';
  const named = processes
    .toSorted((a, b) => a - b)
    .slice(0, NAMED)
    .map((pid) => {
      const user = users?.find((each) => each.pid === pid);
      const words = [user?.program, user?.user].filter(
        (word) => word !== null && word !== undefined,
      );
      return words.length === 0 ? String(pid) : `${pid}: ${words.join(' of ')}`;
    });
  return `${processes.length === 1 ? 'process' : 'processes'} ${named.join(', ')}${more}`;
}
