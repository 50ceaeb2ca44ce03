import * as z from 'zod';
import { formatCount } from './format.ts';

/** How many processes are told by name. */
export const LEFT_NAMED = 20;

export const HOW_ENDED = ['asked', 'killed', 'stays'] as const;

const process = { pid: z.int(), command: z.string() };

/** Processes that were left when a worker's command ended (`worker` null: those of set-up), and are asked to end. */
export const processesLeftShape = {
  worker: z.int().min(0).nullable(),
  /** All of them; `processes` names the first. */
  count: z.int(),
  processes: z.array(z.strictObject(process)),
  signal: z.string(),
  /** What they have until they are ended. */
  graceSeconds: z.number(),
};

/** What became of them: `asked`, they ended by themselves; `killed`, they did not and were ended; `stays`, the system did not end them. */
export const processesEndedShape = {
  worker: z.int().min(0).nullable(),
  asked: z.int(),
  killed: z.int(),
  stays: z.int(),
  /** The first of those that did not end when asked. */
  processes: z.array(z.strictObject({ ...process, how: z.enum(HOW_ENDED) })),
};

type Left = Readonly<z.infer<z.ZodObject<typeof processesLeftShape>>>;
type Ended = Readonly<z.infer<z.ZodObject<typeof processesEndedShape>>>;

interface Told {
  readonly message: string;
  readonly hint: string;
}

const namesOf = (
  processes: readonly { readonly pid: number; readonly command: string }[],
  count: number,
): string =>
  [
    ...processes.map(({ pid, command }) => `${pid} (${command})`),
    ...(count > processes.length ? [`${count - processes.length} more`] : []),
  ].join(', ');

const counted = (count: number): string =>
  `${formatCount(count)} ${count === 1 ? 'process' : 'processes'}`;

const whose = (worker: number | null): string => (worker === null ? 'The job' : `Worker ${worker}`);

/** In words. Pure. */
export function processesLeftText({ worker, count, processes, signal, graceSeconds }: Left): Told {
  return {
    message: `${whose(worker)} left ${counted(count)}: ${namesOf(processes, count)}.`,
    hint: `${count === 1 ? 'It was' : 'They were'} asked to end (${signal}). What goes on after ${graceSeconds} s is ended.`,
  };
}

/** In words; null where all ended when they were asked to. Pure. */
export function processesEndedText({ worker, killed, stays, processes }: Ended): Told | null {
  const those = (how: (typeof HOW_ENDED)[number], count: number): string =>
    namesOf(
      processes.filter((one) => one.how === how),
      count,
    );
  if (stays > 0)
    return {
      message: `${whose(worker)} left ${counted(stays)} that the system did not end: ${those('stays', stays)}.`,
      hint: 'See with `ps` what it waits for, or whose it is, before the job is started again.',
    };
  if (killed === 0) return null;
  return {
    message: `${counted(killed)} did not end when asked, and ${killed === 1 ? 'was' : 'were'} ended by SIGKILL: ${those('killed', killed)}.`,
    hint: '',
  };
}
