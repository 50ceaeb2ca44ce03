import { cachedTokenSource, mintToken, type TokenSource } from '../../google/access-token.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { KeyUsage } from '../../shared/key-use.ts';
import type { AccessPurpose, KeyCard, ServiceAccountKey } from '../../shared/key.ts';
import { ok, type Result } from '../../shared/problem.ts';
import type { UseLog } from './use-log.ts';

/** Tokens that are kept while they last, one source for a key and a purpose. */
export interface TokenSources {
  get(
    card: KeyCard,
    purpose: AccessPurpose,
    reason: KeyUsage['reason'],
  ): Promise<Result<TokenSource>>;
  /** Of a key that is gone or another now. */
  forget(id: string): void;
}

export function tokenSources(parts: {
  readonly endpoints: GoogleEndpoints;
  readonly uses: UseLog;
  readonly take: (card: KeyCard) => Promise<Result<ServiceAccountKey>>;
}): TokenSources {
  const { endpoints, uses, take } = parts;
  /** `reason`: of who asked last for a token of it. */
  const sources = new Map<string, { readonly source: TokenSource; reason: KeyUsage['reason'] }>();

  const open = async (card: KeyCard, purpose: AccessPurpose, reason: KeyUsage['reason']) => {
    // Tokens of one Google are nothing to another, and another process may have put a newer key in the place of this one.
    const name = `${card.id} ${card.privateKeyId} ${purpose} ${endpoints.oauthToken}`;
    const known = sources.get(name);
    if (known !== undefined) return ok(known);
    const key = await take(card);
    if (!key.ok) return key;
    const at = { ...endpoints };
    const operation = purpose === 'read' ? 'read-token' : 'write-token';
    const fresh = {
      reason,
      source: cachedTokenSource(key.value.clientEmail, async (signal, onRetry) => {
        const token = await mintToken(key.value, purpose, at, { signal, onRetry });
        uses.note(card, { operation, reason: fresh.reason, job: null }, token);
        return token;
      }),
    };
    sources.set(name, fresh);
    return ok(fresh);
  };

  return {
    async get(card, purpose, reason) {
      const opened = await open(card, purpose, reason);
      if (!opened.ok) return opened;
      const entry = opened.value;
      return ok({
        email: entry.source.email,
        token(options) {
          entry.reason = reason;
          return entry.source.token(options);
        },
      });
    },
    forget(id) {
      for (const name of sources.keys()) if (name.startsWith(id)) sources.delete(name);
    },
  };
}
