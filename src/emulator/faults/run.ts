import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { shapeBody } from '../body.ts';
import { plainJson, refuse, text, type Reply } from '../reply.ts';
import type { About, Drawn, FaultRegister } from './register.ts';
import type { Fault } from './rules.ts';
import {
  actAfter,
  ConnectionCut,
  flipAt,
  limitRate,
  pause,
  withMore,
  withoutLast,
} from './stream.ts';

/** How long a stall without an end of its own lasts, milliseconds. */
const LONGEST_STALL = 3_600_000;
/** Bytes that were handed to the network before a reset are given this time to arrive, milliseconds. */
const BEFORE_RESET = 50;

type Pieces = AsyncIterable<Buffer>;
type Kind = Fault['kind'];
type FaultOf<K extends Kind> = Extract<Fault, { kind: K }>;

/** What a fault of the request may take away from the caller. */
export interface Grasp {
  readonly expireToken: () => boolean;
  readonly expireSession: () => Promise<boolean>;
}

/** How the body of an answer is written when faults befall it. */
export interface AnswerShape {
  /** What `Content-Length` says of a body that had `length` bytes. */
  readonly announced: (length: number) => number;
  /** The bytes that are sent of a body that had `length` bytes; null: not known before. */
  readonly sent: (length: number) => number;
  /** The connection ends with this answer: its length is a lie. */
  readonly closes: boolean;
  readonly body: (pieces: Pieces, length: number | null) => Pieces;
}

/** The faults of one request, from its first byte to the last of its answer. */
export class FaultRun {
  readonly #register: FaultRegister;
  readonly #about: About;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #closed: AbortSignal;
  readonly #names: string[] = [];
  #before: readonly Drawn[] = [];
  #after: readonly Drawn[] = [];

  constructor(
    register: FaultRegister,
    about: About,
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    this.#register = register;
    this.#about = about;
    this.#request = request;
    this.#response = response;
    const closed = new AbortController();
    response.once('close', () => closed.abort());
    this.#closed = closed.signal;
  }

  /** The rules that befell the request, for the log. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** How far the server's clock is ahead for this request, milliseconds. */
  get clockOffset(): number {
    return this.#each(this.#before, 'clock').reduce((sum, [{ seconds }]) => sum + seconds, 0) * 1e3;
  }

  /**
   * The faults of the request as it comes. Answers what is answered in place of carrying it out, null to go on.
   * Throws {@link ConnectionCut} when the connection is ended.
   */
  async before(grasp: Grasp): Promise<Reply | null> {
    this.#before = this.#draw(null);
    for (const [fault, drawn] of this.#each(this.#before, 'latency')) {
      drawn.took();
      await pause(fault.milliseconds + fault.spread * drawn.chance, this.#closed);
    }
    for (const [, drawn] of this.#each(this.#before, 'clock')) drawn.took();
    if (this.clockOffset !== 0)
      this.#response.setHeader('date', new Date(Date.now() + this.clockOffset).toUTCString());
    for (const [, drawn] of this.#each(this.#before, 'expired-token'))
      if (grasp.expireToken()) drawn.took();
    for (const [, drawn] of this.#each(this.#before, 'expired-session'))
      if (await grasp.expireSession()) drawn.took();
    await this.#atOnce(this.#before);
    const [status] = this.#each(this.#before, 'status');
    if (status !== undefined) return this.#statusReply(...status);
    if (this.#before.length > 0)
      shapeBody(this.#request, (pieces) =>
        this.#disturb(this.#before, pieces, this.#announcedLength()),
      );
    return null;
  }

  /**
   * The faults of the answer before its first byte goes out. Answers what is answered in place of it, null to go on.
   * Throws {@link ConnectionCut} when the connection is ended.
   */
  async after(status: number): Promise<Reply | null> {
    this.#after = this.#draw(status);
    for (const [fault, drawn] of this.#each(this.#after, 'delay')) {
      drawn.took();
      await pause(fault.milliseconds + fault.spread * drawn.chance, this.#closed);
    }
    for (const [, drawn] of this.#each(this.#after, 'lost-answer')) {
      drawn.took();
      this.#cut();
    }
    await this.#atOnce(this.#after);
    const [instead] = this.#each(this.#after, 'status');
    return instead === undefined ? null : this.#statusReply(...instead);
  }

  /** How the answer's body is written; null when nothing befalls it. */
  get shape(): AnswerShape | null {
    const after = this.#after;
    if (after.every(({ fault }) => fault.kind === 'delay' || fault.kind === 'status')) return null;
    const sum = <K extends Kind>(kind: K, amount: (fault: FaultOf<K>) => number): number =>
      this.#each(after, kind).reduce((total, [fault]) => total + amount(fault), 0);
    const less = sum('short-body', ({ bytes }) => bytes);
    const more = sum('long-body', ({ bytes }) => bytes);
    const lie = sum('wrong-length', ({ by }) => by);
    const sent = (length: number): number => Math.max(0, length - less) + more;
    return {
      sent,
      announced: (length) => Math.max(0, sent(length) + lie),
      closes: lie !== 0,
      body: (pieces, length) => {
        for (const kind of ['short-body', 'long-body', 'wrong-length'] as const)
          for (const [, drawn] of this.#each(after, kind)) drawn.took();
        let body = pieces;
        if (less > 0) body = withoutLast(body, less);
        if (more > 0) body = withMore(body, more);
        return this.#disturb(after, body, length === null ? null : sent(length));
      },
    };
  }

  #draw(status: number | null): readonly Drawn[] {
    const drawn = this.#register.draw(this.#about, status);
    this.#names.push(...drawn.map(({ name }) => name));
    return drawn;
  }

  #each<K extends Kind>(drawn: readonly Drawn[], kind: K): (readonly [FaultOf<K>, Drawn])[] {
    return drawn.flatMap((one) =>
      one.fault.kind === kind ? [[one.fault as FaultOf<K>, one] as const] : [],
    );
  }

  #statusReply(fault: FaultOf<'status'>, drawn: Drawn): Reply {
    drawn.took();
    const { status, retryAfter, body } = fault;
    const headers: Record<string, string> =
      retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
    const message = fault.message ?? 'A fault rule answered this request.';
    const reason = fault.reason ?? reasonOf(status);
    if (body !== undefined) return text(status, body, headers);
    return this.#about.operation === 'token'
      ? plainJson({ error: reason, error_description: message }, status, headers)
      : refuse(status, reason, message, headers);
  }

  /** Resets and stalls that leave no byte through. */
  async #atOnce(drawn: readonly Drawn[]): Promise<void> {
    for (const [fault, one] of this.#each(drawn, 'stall'))
      if (fault.after === 0) await this.#stall(fault, one);
    for (const [fault, one] of this.#each(drawn, 'reset'))
      if (fault.after === 0) {
        one.took();
        this.#cut();
      }
  }

  async #stall(fault: FaultOf<'stall'>, drawn: Drawn): Promise<void> {
    drawn.took();
    await pause(fault.milliseconds ?? LONGEST_STALL, this.#closed);
  }

  /** Ends the connection by a reset. */
  #cut(): never {
    this.#request.socket.resetAndDestroy();
    throw new ConnectionCut();
  }

  #announcedLength(): number | null {
    const length = Number(this.#request.headers['content-length'] ?? Number.NaN);
    return Number.isSafeInteger(length) ? length : null;
  }

  /** Puts the faults that act along a body in its way. `length`: of the body, where it is known. */
  #disturb(drawn: readonly Drawn[], pieces: Pieces, length: number | null): Pieces {
    let body = pieces;
    for (const [{ at }, one] of this.#each(drawn, 'wrong-byte')) {
      const offset = at < 0 ? (length ?? 0) + at : at;
      if (offset >= 0) body = flipAt(body, offset, one.took);
    }
    for (const [{ bytesPerSecond }, one] of this.#each(drawn, 'bandwidth')) {
      one.took();
      body = limitRate(body, bytesPerSecond, this.#closed);
    }
    for (const [fault, one] of this.#each(drawn, 'stall'))
      if (fault.after > 0) body = actAfter(body, fault.after, () => this.#stall(fault, one));
    for (const [{ after }, one] of this.#each(drawn, 'reset'))
      if (after > 0)
        body = actAfter(body, after, async () => {
          one.took();
          await sleep(BEFORE_RESET);
          this.#cut();
        });
    return body;
  }
}

/** Google's word where a rule has none. */
function reasonOf(status: number): string {
  if (status >= 500) return 'backendError';
  return status === 412 ? 'conditionNotMet' : 'faultRule';
}
