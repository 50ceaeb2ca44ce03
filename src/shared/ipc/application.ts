import { z } from 'zod';
import { call } from './contract.ts';

/** What the window asks of the application itself. */

const aboutSchema = z.object({
  version: z.string(),
  /** The folder that the application and the command line share. */
  home: z.string(),
  /** Where Cloud Storage is asked, and whether that is an emulator on this machine. */
  storage: z.string(),
  emulated: z.boolean(),
});
export type About = Readonly<z.infer<typeof aboutSchema>>;

export const APPLICATION_CALLS = {
  about: call(z.strictObject({}), aboutSchema),
} as const;

export const APPLICATION_EVENTS = {} as const;
