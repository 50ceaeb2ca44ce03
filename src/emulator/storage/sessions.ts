import { randomBytes, randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  sessionLineSchema,
  type ObjectRecord,
  type SessionLine,
  type SessionRecord,
} from '../state/model.ts';
import { Journal, readLines, replaceLines, type Folder } from '../state/persistence.ts';
import { ContentWriter } from './content.ts';
import type { UploadTarget } from './upload.ts';

type Ended = 'cancelled' | 'expired' | { readonly completed: ObjectRecord };

/** A resumable upload: receiving, then completed, cancelled or expired. */
export interface Session {
  readonly record: SessionRecord;
  /** Null until it is asked for: after a restart the content so far is read once again for its checksums. */
  writer: ContentWriter | null;
  state: 'receiving' | Ended;
  /** Requests of one session run one after the other. */
  turn: Promise<unknown>;
}

/** Session addresses live a week. */
const LIFETIME = 7 * 24 * 3600 * 1000;
const INDEX = 'sessions.jsonl';

/** Resumable uploads by id. With a folder that is kept they survive a restart, as far as content was acknowledged. */
export class Sessions {
  readonly #folder: Folder;
  readonly #keep: boolean;
  readonly #journal: Journal;
  readonly #sessions = new Map<string, Session>();

  private constructor(folder: Folder, keep: boolean) {
    this.#folder = folder;
    this.#keep = keep;
    this.#journal = new Journal(keep ? join(folder.root, INDEX) : null);
  }

  /** `completed`: the objects that sessions became, by {@link SessionRecord.file}; known also where a kill came before the session's own line. */
  static async open(
    folder: Folder,
    keep: boolean,
    completed: ReadonlyMap<string, ObjectRecord>,
  ): Promise<Sessions> {
    const sessions = new Sessions(folder, keep);
    if (keep) await sessions.#restore(completed);
    return sessions;
  }

  async #restore(completed: ReadonlyMap<string, ObjectRecord>): Promise<void> {
    const index = join(this.#folder.root, INDEX);
    for (const line of await readLines(index, sessionLineSchema)) {
      if (line.kind === 'session') {
        const object = completed.get(line.session.file);
        this.#add(line.session, object === undefined ? 'receiving' : { completed: object });
        continue;
      }
      const known = this.#sessions.get(line.id);
      if (known !== undefined) known.state = stateOf(line);
    }
    const lines: SessionLine[] = [];
    const files = new Set<string>();
    for (const [id, { record, state }] of this.#sessions) {
      if (Date.now() - record.startedAt > LIFETIME) {
        this.#sessions.delete(id);
        continue;
      }
      lines.push({ kind: 'session', session: record });
      if (state === 'receiving') files.add(record.file);
      else lines.push(lineOf(id, state));
    }
    await replaceLines(index, lines);
    for (const name of await readdir(this.#folder.sessions))
      if (!files.has(name)) await rm(join(this.#folder.sessions, name), { force: true });
  }

  #add(record: SessionRecord, state: Session['state']): void {
    this.#sessions.set(record.id, { record, writer: null, state, turn: Promise.resolve() });
  }

  /** Starts a session; answers its id. */
  async start(target: UploadTarget, declaredLength: number | null): Promise<string> {
    const record: SessionRecord = {
      id: randomBytes(48).toString('base64url'),
      file: randomUUID(),
      target,
      declaredLength,
      startedAt: Date.now(),
    };
    this.#add(record, 'receiving');
    await this.#journal.append({ kind: 'session', session: record });
    return record.id;
  }

  /** Where the content of a session goes. */
  async writer(session: Session): Promise<ContentWriter> {
    const path = join(this.#folder.sessions, session.record.file);
    session.writer ??= await ContentWriter.resume(path);
    return session.writer;
  }

  /** Before content is acknowledged: it is in the file, where a restart finds it. */
  async secure(session: Session): Promise<void> {
    if (this.#keep) await session.writer?.flush();
  }

  async end(session: Session, state: Ended): Promise<void> {
    session.state = state;
    await this.#journal.append(lineOf(session.record.id, state));
  }

  /** The object that a session is to become; null: no such session. */
  objectOf(id: string): string | null {
    return this.#sessions.get(id)?.record.target.name ?? null;
  }

  /** Ends a session before its time. False: there is none that could end. */
  async expire(id: string): Promise<boolean> {
    const session = this.#sessions.get(id);
    if (session === undefined || session.state === 'expired') return false;
    await this.end(session, 'expired');
    return true;
  }

  /** `null`: no such session. */
  find(id: string): Session | 'expired' | null {
    const session = this.#sessions.get(id);
    if (session === undefined) return null;
    const over = session.state === 'expired' || Date.now() - session.record.startedAt > LIFETIME;
    return over ? 'expired' : session;
  }
}

function stateOf(line: Extract<SessionLine, { kind: 'session-ended' }>): Ended {
  return line.state === 'completed' ? { completed: line.object } : line.state;
}

function lineOf(id: string, state: Ended): SessionLine {
  return typeof state === 'string'
    ? { kind: 'session-ended', id, state }
    : { kind: 'session-ended', id, state: 'completed', object: state.completed };
}
