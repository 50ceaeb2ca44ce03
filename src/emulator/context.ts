import type { IncomingMessage } from 'node:http';
import type { FaultRegister } from './faults/register.ts';
import type { AccessRules, Principal } from './iam/evaluate.ts';
import type { AccountRegister } from './oauth/accounts.ts';
import type { TokenRegister } from './oauth/token.ts';
import type { Sessions } from './storage/sessions.ts';
import type { ManagedFolders } from './state/managed-folders.ts';
import type { Store } from './state/store.ts';

/** Everything that the handlers share. */
export interface Emulator {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  readonly project: string;
  readonly open: boolean;
  /** A create-only clash answers 403 naming `storage.objects.delete` instead of 412. */
  readonly overwriteAnswers403: boolean;
  /** Buckets with hierarchical namespace: a new object makes the folders above it. */
  readonly hierarchical: ReadonlySet<string>;
  /** Answers of the Security Token Service hold `expires_in`. */
  readonly narrowedTokensTellExpiry: boolean;
  readonly store: Store;
  readonly folders: ManagedFolders;
  readonly rules: AccessRules;
  readonly accounts: AccountRegister;
  readonly tokens: TokenRegister;
  readonly sessions: Sessions;
  readonly faults: FaultRegister;
}

/** One request, as a handler sees it. */
export interface Context {
  readonly emulator: Emulator;
  readonly request: IncomingMessage;
  readonly method: string;
  readonly query: URLSearchParams;
  readonly principal: Principal;
  /** How far the clock is ahead for this request, milliseconds: not 0 only by a fault rule. */
  readonly clockOffset: number;
  /** What the request is about, for the log. A handler that learns the object from the body, or a session, says so here. */
  readonly subject: { readonly bucket: string | null; object: string | null };
}
