import * as z from 'zod';
import { wholeAccessSchema, type WholeAccess } from '../../shared/agent-protocol.ts';
import { processIdentitySchema } from '../../shared/process-identity.ts';
import type { SettingsPruner, SettingsReader, SettingsWriter } from '../store/settings.ts';

const PREFIX = 'runs.begun.';

/** Of so many runs, the newest by their ids, it is kept. */
const MOST = 5_000;

const begunSchema = z.object({
  /** SHA-256 of `plan.json` as it was before an agent began, hex. */
  plan: z.string().nullable(),
  /** What was found at the start that cannot be narrowed; null: nobody looked. */
  whole: z.array(wholeAccessSchema).nullable(),
  /** The agent that carries it, and the key that renewals are sealed to; null: it was not told. */
  inbox: z.object({ agent: processIdentitySchema, key: z.string() }).nullable(),
});
export type BegunRun = Readonly<z.infer<typeof begunSchema>>;

const UNKNOWN: BegunRun = { plan: null, whole: null, inbox: null };

/**
 * What whoever started a run knows of it, kept in the store. A run directory belongs to its workers, too, which may write what they like into it:
 * what decides about access is taken from here, once it is known. No secret.
 */
export interface BegunRuns {
  read(id: string): BegunRun | null;
  note(id: string, change: Partial<BegunRun>): void;
}

export function begunRuns(settings: SettingsReader & SettingsWriter & SettingsPruner): BegunRuns {
  const read = (id: string): BegunRun | null => {
    const stored = settings.get(`${PREFIX}${id}`);
    if (!stored.ok || stored.value === null) return null;
    try {
      const parsed = begunSchema.safeParse(JSON.parse(stored.value));
      return parsed.success ? parsed.data : null;
    } catch {
      return null;
    }
  };
  return {
    read,
    note(id, change) {
      const before = read(id);
      if (before === null) settings.keepLast(PREFIX, MOST - 1);
      const begun: BegunRun = { ...(before ?? UNKNOWN), ...change };
      settings.set(`${PREFIX}${id}`, JSON.stringify(begun));
    },
  };
}

/** Pure. */
export const decidedFor = (
  begun: BegunRun | null,
): { readonly decided?: readonly WholeAccess[] } =>
  begun === null || begun.whole === null ? {} : { decided: begun.whole };
