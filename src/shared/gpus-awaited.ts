import * as z from 'zod';
import { formatCount, plural } from './format.ts';

/** A card that a run cannot have now, and why. */
const takenGpuSchema = z.strictObject({
  index: z.int(),
  /** The run of the same home that holds it; null: none does. */
  run: z.string().nullable(),
  /** Process ids that compute on it. */
  processes: z.array(z.int()),
  /** It computes nothing until it is reset. */
  needsReset: z.boolean(),
});
export type TakenGpu = Readonly<z.infer<typeof takenGpuSchema>>;

/** What a run waits for: `needed` cards at once, of `total` that the machine has `free` can be had. */
export const gpusAwaitedShape = {
  needed: z.int(),
  free: z.int(),
  total: z.int(),
  /** The others, in nvidia-smi's order. Runs of earlier versions do not tell. */
  taken: z.array(takenGpuSchema).default([]),
};
export const gpusAwaitedSchema = z.strictObject(gpusAwaitedShape);
export type GpusAwaited = Readonly<z.infer<typeof gpusAwaitedSchema>>;

/** So many cards, and of each so many processes, are named. */
const NAMED = 8;

/** What is waited for, who has it, and what comes of it: `title` and `detail` are the parts of `message`. Pure. */
export function gpusAwaitedText({ needed, free, total, taken }: GpusAwaited): {
  readonly title: string;
  readonly detail: string;
  readonly message: string;
  readonly hint: string;
} {
  const holders = taken.slice(0, NAMED).map((gpu) => `GPU ${gpu.index} (${holderOf(gpu)})`);
  const more = taken.length > NAMED ? ` and ${formatCount(taken.length - NAMED)} more` : '';
  const who = holders.length === 0 ? '' : ` Not free: ${holders.join(', ')}${more}.`;
  const title = `Waits for ${plural(needed, 'GPU')}`;
  const detail = `${formatCount(free)} of ${formatCount(total)} ${free === 1 ? 'is' : 'are'} free.${who}`;
  return {
    title,
    detail,
    message: `${title}; ${detail}`,
    hint: taken.some(({ needsReset }) => needsReset)
      ? 'It starts by itself once enough are free. A card that needs a reset is free after one: sudo nvidia-smi --gpu-reset -i NUMBER, or a restart of the machine.'
      : 'It starts by itself once enough are free; nothing has to be done.',
  };
}

function holderOf({ run, processes, needsReset }: TakenGpu): string {
  if (needsReset) return 'needs a reset';
  if (run !== null) return `the job ${run}`;
  const more = processes.length > NAMED ? ` and ${formatCount(processes.length - NAMED)} more` : '';
  return processes.length === 0
    ? 'somebody'
    : `${processes.length === 1 ? 'process' : 'processes'} ${processes
        .toSorted((a, b) => a - b)
        .slice(0, NAMED)
        .join(', ')}${more}`;
}
