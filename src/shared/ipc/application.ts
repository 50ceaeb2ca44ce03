import * as z from 'zod';
import { call } from './contract.ts';
import { viewsSchema } from './views.ts';

/** What the window asks of the application itself. */

const aboutSchema = z.object({
  version: z.string(),
  /** The folder that the application and the command line share. */
  home: z.string(),
  /** Where Cloud Storage is asked, and whether that is an emulator on this machine. */
  storage: z.string(),
  emulated: z.boolean(),
  /** The system has a place for icons, from which a closed window is opened again. */
  tray: z.boolean(),
});
export type About = Readonly<z.infer<typeof aboutSchema>>;

/** The places of the window, in the order of the rail, of the menu and of their accelerators. */
export const PLACES = [
  { screen: 'jobs', label: 'Jobs' },
  { screen: 'new-job', label: 'New job' },
  { screen: 'buckets', label: 'Buckets' },
  { screen: 'keys', label: 'Keys' },
  { screen: 'hosts', label: 'Hosts' },
  { screen: 'settings', label: 'Settings' },
] as const;

/** The folders that the window can have opened, by their names: it never names a path. */
export const KNOWN_FOLDERS = ['home', 'runs', 'logs'] as const;
export type KnownFolder = (typeof KNOWN_FOLDERS)[number];

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

export const preferencesSchema = z.strictObject({
  theme: z.enum(THEMES),
  /** Tells of jobs that ended or need somebody, while the window is not looked at. */
  notifications: z.boolean(),
  /** While jobs go on, closing the window does not end the application: it follows them, and shows the window again when asked. */
  keepFollowing: z.boolean(),
});
export type Preferences = Readonly<z.infer<typeof preferencesSchema>>;

const askedPlaceSchema = z.object({
  screen: z.enum(PLACES.map(({ screen }) => screen)),
  /** The id of a job. */
  job: z.string().max(128).optional(),
});
/** Where a menu, a link or a notification leads. */
export type AskedPlace = Readonly<z.infer<typeof askedPlaceSchema>>;

export const APPLICATION_CALLS = {
  about: call(z.strictObject({}), aboutSchema),
  preferences: call(z.strictObject({}), preferencesSchema),
  'keep-preferences': call(preferencesSchema, z.undefined()),
  /** How the user left the tables; null: as at first. */
  views: call(z.strictObject({}), viewsSchema.nullable()),
  'keep-views': call(viewsSchema, z.undefined()),
  /** Shows one of the application's folders in the system's file manager. */
  'open-folder': call(z.strictObject({ folder: z.enum(KNOWN_FOLDERS) }), z.undefined()),
  /** Where the window was asked to go before it could listen; null: nowhere. Told once. */
  'first-place': call(z.strictObject({}), askedPlaceSchema.nullable()),
  /** Where the window is, so that a page that crashed comes back there. */
  'keep-place': call(askedPlaceSchema, z.undefined()),
} as const;

export const APPLICATION_EVENTS = {
  go: askedPlaceSchema,
  'open-palette': z.object({}),
} as const;
