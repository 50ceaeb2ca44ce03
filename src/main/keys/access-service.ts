import { mintToken, mintWithClock } from '../../google/access-token.ts';
import { checkAccess, oneToken, RUNG_TIME } from '../../google/check-access.ts';
import { findPower, POWER_SCOPE } from '../../google/power.ts';
import type { AccessReport, AccessUse, PowerReport } from '../../shared/access-check.ts';
import { addressOfText } from '../../shared/read-address.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { KeyCard, ServiceAccountKey } from '../../shared/key.ts';
import type { KeyPower } from '../../shared/key-power.ts';
import { isOffline, ok, type Result } from '../../shared/problem.ts';
import type { SettingsReader, SettingsWriter } from '../store/settings.ts';
import { powerBook } from './power-book.ts';
import type { KeyService } from './service.ts';

export interface AccessRequest {
  /** As it was typed. */
  readonly address: string;
  readonly for: AccessUse;
  /** A key's name; null: no credential is sent. */
  readonly key: string | null;
}

/** What keys can do: at an address, and all in all. */
export interface AccessService {
  /** The ladder, with what the key can do beyond it. What it finds of a kept key's power is taken down. Errors: those of finding and loading the key. */
  check(request: AccessRequest, signal: AbortSignal): Promise<Result<AccessReport>>;
  /** Asks what a key that is not kept yet can do in its own project. Takes at most six seconds; offline is `not-checked`. */
  powerOf(key: ServiceAccountKey, signal: AbortSignal): Promise<AskedPower>;
  /** The same for a kept key, taken down. */
  powerOfKept(card: KeyCard, signal: AbortSignal): Promise<PowerReport>;
  /** What was found of a kept key before; null: nothing. No network. */
  known(id: string): KeyPower | null;
  /** Whether {@link known} knows of any key at all. */
  knowsAny(): boolean;
  /** Takes down what was found of a key that was kept just now, and that it was used to ask. */
  note(card: KeyCard, asked: AskedPower): void;
  /** Somebody typed the account's address. */
  accept(id: string): void;
}

/** What was found of a key, and what came of the token that it was asked with. */
export interface AskedPower {
  readonly report: PowerReport;
  readonly token: Result<unknown>;
}

export interface AccessParts {
  readonly keys: KeyService;
  readonly settings: SettingsReader & SettingsWriter;
  readonly endpoints: GoogleEndpoints;
}

const CHECK = { operation: 'check', reason: 'check', job: null } as const;

const NOTHING: PowerReport = { state: 'could-not-tell', findings: [], asked: [] };

export function accessService({ keys, settings, endpoints }: AccessParts): AccessService {
  const book = powerBook(settings);

  const powerAt = async (
    key: ServiceAccountKey,
    at: { readonly bucket: string | null; readonly ownsBucket?: boolean },
    signal: AbortSignal,
  ): Promise<AskedPower> => {
    const asked = [
      ...(at.bucket === null ? [] : [`gs://${at.bucket}`]),
      `projects/${key.projectId}`,
    ];
    const token = await mintToken(key, [POWER_SCOPE], endpoints, { signal, timeoutMs: RUNG_TIME });
    if (!token.ok)
      return {
        report: {
          state: isOffline(token.problem) ? 'not-checked' : 'could-not-tell',
          findings: [],
          asked,
        },
        token,
      };
    const report = await findPower({
      endpoints,
      signal,
      deadlineMs: RUNG_TIME,
      tokens: oneToken(key.clientEmail, token.value),
      project: key.projectId,
      ...at,
    });
    return { report, token: ok() };
  };

  return {
    async check(request, signal) {
      if (request.key === null) {
        const ladder = await checkAccess({
          ...request,
          endpoints,
          signal,
          mint: null,
          account: null,
        });
        return ok({ ...ladder, power: NOTHING });
      }
      const card = await keys.find(request.key);
      if (!card.ok) return card;
      const address = addressOfText(request.address, request.for === 'output' ? 'write' : 'read');
      if (!address.ok) {
        const ladder = await checkAccess({
          ...request,
          endpoints,
          signal,
          mint: null,
          account: card.value.email,
        });
        return ok({ ...ladder, power: NOTHING });
      }
      const key = await keys.load(card.value.id, CHECK);
      if (!key.ok) return key;
      const purpose = request.for === 'input' ? 'read' : 'write';
      const { bucket, path } = address.value;
      const [ladder, { report: power }] = await Promise.all([
        checkAccess({
          ...request,
          endpoints,
          signal,
          account: card.value.email,
          mint: async () => {
            const at = { signal, timeoutMs: RUNG_TIME };
            const minted = await mintWithClock(key.value, purpose, endpoints, at);
            if (!minted.ok) return minted;
            const { access, skewMs } = minted.value;
            return ok({ tokens: oneToken(key.value.clientEmail, access), skewMs });
          },
        }),
        powerAt(key.value, { bucket, ownsBucket: request.for === 'output' && path === '' }, signal),
      ]);
      book.note(card.value.id, power);
      return ok({ ...ladder, power });
    },
    powerOf: (key, signal) => powerAt(key, { bucket: null }, signal),
    async powerOfKept(card, signal) {
      const key = await keys.load(card.id, CHECK);
      if (!key.ok) return NOTHING;
      const { report } = await powerAt(key.value, { bucket: null }, signal);
      book.note(card.id, report);
      return report;
    },
    known: (id) => book.read(id),
    knowsAny: () => book.hasAny(),
    note(card, { report, token }) {
      keys.noteUse(card, CHECK, token);
      book.note(card.id, report);
    },
    accept: (id) => book.accept(id),
  };
}
