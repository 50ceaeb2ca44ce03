import type { KeyUsage, KeyUse } from '../../shared/key-use.ts';
import type { KeyCard } from '../../shared/key.ts';
import type { Result } from '../../shared/problem.ts';
import { isoTime, type Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { KeyUseReader, KeyUseWriter } from '../store/key-uses.ts';

/** Takes down what keys are used for. A line that cannot be written is missed, and nothing else. */
export interface UseLog {
  /** `outcome`: what came of it, where that can go wrong. */
  note(
    card: Pick<KeyCard, 'id' | 'name' | 'privateKeyId'>,
    use: KeyUsage,
    outcome?: Result<unknown>,
  ): void;
  list(keyId: string, limit: number): Result<readonly KeyUse[]>;
  lastNamed(name: string): Result<string | null>;
}

export function useLog(rows: KeyUseReader & KeyUseWriter, clock: Clock, log: Log): UseLog {
  let wasTold = false;
  const miss = (reason: unknown): void => {
    if (!wasTold) log.warn('a use of a key could not be taken down', reason);
    wasTold = true;
  };
  return {
    note(card, use, outcome) {
      try {
        const failed = outcome?.ok === false ? outcome.problem.code : null;
        const written = rows.add(card, { ...use, failed }, isoTime(clock));
        if (!written.ok) miss(written.problem);
      } catch (error) {
        miss(error);
      }
    },
    list: (keyId, limit) => rows.list(keyId, limit),
    lastNamed: (name) => rows.lastNamed(name),
  };
}
