import { createHash } from 'node:crypto';
import type { SettingsReader, SettingsWriter } from '../store/settings.ts';
import type { NotNarrowed } from './access.ts';

const PREFIX = 'narrowing.accepted.';

/** What somebody was asked and agreed to: that a key's access is not narrowed somewhere. Kept in the store; each is asked once. */
export interface NarrowingBook {
  isAccepted(refused: NotNarrowed): boolean;
  accept(refused: NotNarrowed): void;
}

export function narrowingBook(settings: SettingsReader & SettingsWriter): NarrowingBook {
  // What the question says decides: another reason is another question.
  const nameOf = ({ keyId, problem }: NotNarrowed): string =>
    `${PREFIX}${createHash('sha256').update(`${keyId}\n${problem.subject}\n${problem.code}`).digest('hex').slice(0, 32)}`;
  return {
    isAccepted(refused) {
      const stored = settings.get(nameOf(refused));
      return stored.ok && stored.value !== null && stored.value !== '';
    },
    accept(refused) {
      settings.set(nameOf(refused), new Date().toISOString());
    },
  };
}
