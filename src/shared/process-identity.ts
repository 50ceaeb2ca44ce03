import * as z from 'zod';

/**
 * A process, told apart from any other that ever had or will have its pid: pid, start time and boot id together.
 * Never compare a pid alone.
 *
 * - `startTime`: on Linux field 22 of `/proc/<pid>/stat` (clock ticks since boot), elsewhere what `ps -o lstart=` prints.
 * - `bootId`: on Linux `/proc/sys/kernel/random/boot_id`, elsewhere what `sysctl -n kern.boottime` prints.
 */
export const processIdentitySchema = z.strictObject({
  pid: z.int().positive(),
  startTime: z.string(),
  bootId: z.string(),
});
export type ProcessIdentity = Readonly<z.infer<typeof processIdentitySchema>>;

/**
 * The start time in the text of `/proc/<pid>/stat`, or null where the process is a zombie (it runs no more) or the text is something else.
 * The command's name stands in parentheses and may itself hold parentheses and spaces (proc(5)).
 */
export function startTimeFromStat(stat: string): string | null {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTime = fields[19];
  if (state === undefined || startTime === undefined || !/^\d+$/.test(startTime)) return null;
  return state === 'Z' || state === 'X' ? null : startTime;
}

export function sameProcess(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.startTime === b.startTime && a.bootId === b.bootId;
}
