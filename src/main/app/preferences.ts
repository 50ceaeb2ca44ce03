import * as z from 'zod';
import { preferencesSchema, type Preferences } from '../../shared/ipc/application.ts';
import { viewsSchema, type Views } from '../../shared/ipc/views.ts';
import { ok, type Result } from '../../shared/problem.ts';
import type { SettingsReader, SettingsWriter } from '../store/settings.ts';
import type { Frame } from './frame.ts';

/** What the window remembers, in the store's settings. What cannot be read is as at the first start. */

const FIRST_PREFERENCES = { theme: 'system', notifications: true } as const;

/** `keepFollowing` is kept only once the user has chosen: until then it follows what the system offers. */
const storedSchema = preferencesSchema.partial({ keepFollowing: true });

const frameSchema: z.ZodType<Frame> = z.strictObject({
  x: z.int(),
  y: z.int(),
  width: z.int().min(200).max(20_000),
  height: z.int().min(200).max(20_000),
  maximized: z.boolean(),
});
const PREFERENCES = 'window.preferences';
const FRAME = 'window.frame';
const VIEWS = 'window.views';

type Settings = SettingsReader & SettingsWriter;

function read<T>(settings: SettingsReader, name: string, schema: z.ZodType<T>): T | null {
  const row = settings.get(name);
  if (!row.ok || row.value === null) return null;
  try {
    const parsed = schema.safeParse(JSON.parse(row.value));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** `hasTray`: the system offers a way back to a closed window. */
export function readPreferences(settings: SettingsReader | null, hasTray: boolean): Preferences {
  const stored = settings === null ? null : read(settings, PREFERENCES, storedSchema);
  return {
    ...FIRST_PREFERENCES,
    ...stored,
    keepFollowing: stored?.keepFollowing ?? hasTray,
  };
}

export function keepPreferences(
  settings: Settings,
  value: Preferences,
  hasTray: boolean,
): Result<void> {
  const wasChosen = read(settings, PREFERENCES, storedSchema)?.keepFollowing !== undefined;
  const { keepFollowing, ...others } = value;
  const isChosen = wasChosen || keepFollowing !== hasTray;
  return settings.set(PREFERENCES, JSON.stringify(isChosen ? value : others));
}

export const readViews = (settings: SettingsReader): Views | null =>
  read(settings, VIEWS, viewsSchema);

export const keepViews = (settings: SettingsWriter, views: Views): Result<void> =>
  settings.set(VIEWS, JSON.stringify(views));

export const readFrame = (settings: SettingsReader | null): Frame | null =>
  settings === null ? null : read(settings, FRAME, frameSchema);

export const keepFrame = (settings: Settings, frame: Frame): Result<void> =>
  frameSchema.safeParse(frame).success ? settings.set(FRAME, JSON.stringify(frame)) : ok();
