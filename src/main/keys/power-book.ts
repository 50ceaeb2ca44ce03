import * as z from 'zod';
import { powerFindingSchema, type PowerReport } from '../../shared/access-check.ts';
import { keyPowerSchema, type KeyPower } from '../../shared/key-power.ts';
import type { SettingsReader, SettingsWriter } from '../store/settings.ts';

const PREFIX = 'keys.power.';
const storedSchema = z.object({ ...keyPowerSchema.shape, findings: z.array(powerFindingSchema) });

/** What was found of the powers of kept keys, by their id. Kept in the store; no secret. */
export interface PowerBook {
  /** Null: nothing that makes it an administrator's was ever found. */
  read(id: string): KeyPower | null;
  /** Whether anything was ever found of any key. */
  hasAny(): boolean;
  /** Takes down what a check found. What it found before at the places that were asked now is replaced. */
  note(id: string, report: PowerReport): KeyPower | null;
  /** Somebody typed the account's address to say that it is known. */
  accept(id: string): void;
}

export function powerBook(
  settings: SettingsReader & SettingsWriter,
  now: () => string = () => new Date().toISOString(),
): PowerBook {
  const read = (id: string): KeyPower | null => {
    const stored = settings.get(`${PREFIX}${id}`);
    if (!stored.ok || stored.value === null || stored.value === '') return null;
    const parsed = storedSchema.safeParse(parseJson(stored.value));
    return parsed.success ? parsed.data : null;
  };
  const write = (id: string, power: KeyPower | null): KeyPower | null => {
    settings.set(`${PREFIX}${id}`, power === null ? '' : JSON.stringify(power));
    return power;
  };
  return {
    read,
    hasAny() {
      const any = settings.hasAny(PREFIX);
      return !any.ok || any.value;
    },
    note(id, report) {
      const before = read(id);
      if (report.state === 'could-not-tell' || report.state === 'not-checked') return before;
      const kept = before?.findings.filter(({ on }) => !report.asked.includes(on)) ?? [];
      const findings = [...kept, ...report.findings];
      if (findings.length === 0) return before === null ? null : write(id, null);
      return write(id, {
        findings,
        foundAt: before?.foundAt ?? now(),
        acceptedAt: before?.acceptedAt ?? null,
      });
    },
    accept(id) {
      const before = read(id);
      if (before !== null && before.acceptedAt === null)
        write(id, { ...before, acceptedAt: now() });
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
