import { randomBytes } from 'node:crypto';
import type { ObjectRecord } from '../state/model.ts';
import { ContentWriter } from './content.ts';
import type { UploadTarget } from './upload.ts';

/** A resumable upload: receiving, then completed or cancelled. */
export interface Session {
  readonly target: UploadTarget;
  readonly writer: ContentWriter;
  /** Bytes, if the client said how many there will be. */
  readonly declaredLength: number | null;
  readonly startedAt: number;
  state: 'receiving' | 'cancelled' | 'expired' | { readonly completed: ObjectRecord };
  /** Requests of one session run one after the other. */
  turn: Promise<unknown>;
}

/** Session addresses live a week. */
const LIFETIME = 7 * 24 * 3600 * 1000;

/** Resumable uploads by id. They end with the process. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();

  start(path: string, target: UploadTarget, declaredLength: number | null): string {
    const id = randomBytes(48).toString('base64url');
    this.#sessions.set(id, {
      target,
      writer: new ContentWriter(path),
      declaredLength,
      startedAt: Date.now(),
      state: 'receiving',
      turn: Promise.resolve(),
    });
    return id;
  }

  /** The object that a session is to become; null: no such session. */
  objectOf(id: string): string | null {
    return this.#sessions.get(id)?.target.name ?? null;
  }

  /** Ends a session before its time. False: there is none that could end. */
  expire(id: string): boolean {
    const session = this.#sessions.get(id);
    if (session === undefined || session.state === 'expired') return false;
    session.state = 'expired';
    return true;
  }

  /** `null`: no such session. */
  find(id: string): Session | 'expired' | null {
    const session = this.#sessions.get(id);
    if (session === undefined) return null;
    const over = session.state === 'expired' || Date.now() - session.startedAt > LIFETIME;
    return over ? 'expired' : session;
  }
}
