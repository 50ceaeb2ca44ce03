import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createGunzip } from 'node:zlib';
import { errorBody, refuse, type ErrorReply, type MediaReply, type Reply } from './reply.ts';
import type { AnswerShape } from './faults/run.ts';
import { parseFields, select } from './storage/fields.ts';

/** Bytes read from a file at a time. */
const PIECE = 256 * 1024;

export interface Asked {
  readonly method: string;
  readonly style: 'json' | 'media' | 'xml';
  /** The `fields` parameter. */
  readonly fields: string | null;
}

const XML_CODES: Readonly<Record<number, string>> = {
  401: 'AuthenticationRequired',
  403: 'AccessDenied',
  404: 'NoSuchKey',
  412: 'PreconditionFailed',
  416: 'InvalidRange',
  501: 'NotImplemented',
};

const escapeXml = (text: string): string =>
  text.replace(/[<>&]/g, (character) => `&#${character.charCodeAt(0)};`);

async function* single(piece: Buffer): AsyncGenerator<Buffer> {
  await Promise.resolve();
  if (piece.length > 0) yield piece;
}

/** The stored gzip stream, decompressed. */
async function* unzipped(reply: MediaReply): AsyncGenerator<Buffer> {
  const stream = reply.file.createReadStream({ autoClose: false }).pipe(createGunzip());
  for await (const piece of stream) yield piece as Buffer;
}

/** The bytes that were asked for, as they are stored. */
async function* stored(reply: MediaReply): AsyncGenerator<Buffer> {
  for (let at = reply.start; at < reply.end;) {
    const buffer = Buffer.allocUnsafe(Math.min(PIECE, reply.end - at));
    const { bytesRead } = await reply.file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) throw new Error('The content file is shorter than its object.');
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Writes one reply to the client and tells the log, before the last byte goes out, what was answered. */
export class ReplyWriter {
  readonly #response: ServerResponse;
  readonly #asked: Asked;
  readonly #log: (status: number, sent: number) => void;
  #shape: AnswerShape | null = null;

  constructor(response: ServerResponse, asked: Asked, log: (status: number, sent: number) => void) {
    this.#response = response;
    this.#asked = asked;
    this.#log = log;
  }

  /** `shape`: what befalls the body on its way. */
  async write(reply: Reply, shape: AnswerShape | null = null): Promise<void> {
    this.#shape = shape;
    switch (reply.kind) {
      case 'empty':
        await this.#whole(reply.status, reply.headers ?? {}, '');
        return;
      case 'text':
        await this.#whole(reply.status, reply.headers, reply.text);
        return;
      case 'error':
        await this.#error(reply);
        return;
      case 'json': {
        const { fields } = this.#asked;
        if (reply.plain === true || fields === null || fields === '') {
          await this.#json(reply.status, reply.headers ?? {}, reply.body);
          return;
        }
        const selection = parseFields(fields);
        if (selection === null)
          await this.#error(refuse(400, 'invalidParameter', `Invalid field selection ${fields}`));
        else await this.#json(reply.status, reply.headers ?? {}, select(reply.body, selection));
        return;
      }
      case 'media':
        try {
          await this.#media(reply);
        } finally {
          await reply.file.close();
        }
    }
  }

  async #json(
    status: number,
    headers: Readonly<Record<string, string>>,
    body: unknown,
  ): Promise<void> {
    const type = { 'content-type': 'application/json; charset=UTF-8' };
    await this.#whole(status, { ...type, ...headers }, `${JSON.stringify(body, null, 1)}\n`);
  }

  async #error(reply: ErrorReply): Promise<void> {
    const headers = reply.headers ?? {};
    if (reply.status === 499) {
      await this.#whole(499, headers, '');
    } else if (this.#asked.style === 'media') {
      const type = { 'content-type': 'text/html; charset=UTF-8' };
      await this.#whole(reply.status, { ...type, ...headers }, reply.message);
    } else if (this.#asked.style === 'xml') {
      const code =
        reply.message === 'The specified bucket does not exist.'
          ? 'NoSuchBucket'
          : (XML_CODES[reply.status] ?? 'InvalidArgument');
      await this.#whole(
        reply.status,
        { 'content-type': 'application/xml; charset=UTF-8', ...headers },
        `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${code}</Code><Message>${escapeXml(reply.message)}</Message></Error>`,
      );
    } else {
      await this.#json(reply.status, headers, errorBody(reply));
    }
  }

  /** An answer whose body is at hand. */
  async #whole(
    status: number,
    headers: Readonly<Record<string, string>>,
    text: string,
  ): Promise<void> {
    const body = Buffer.from(text);
    const bodiless = status === 204 || status === 304;
    const length = bodiless ? {} : { 'content-length': String(body.length) };
    const silent = bodiless || this.#asked.method === 'HEAD';
    if (this.#shape !== null && !silent) {
      await this.#shaped(this.#shape, status, { ...headers, ...length }, single(body), body.length);
      return;
    }
    this.#response.writeHead(status, { ...headers, ...length });
    this.#log(status, silent ? 0 : body.length);
    this.#response.end(silent ? undefined : body);
  }

  /** Writes an answer that faults befall. `length`: of the body as it was, where it is known. */
  async #shaped(
    shape: AnswerShape,
    status: number,
    headers: Readonly<Record<string, string>>,
    pieces: AsyncIterable<Buffer>,
    length: number | null,
  ): Promise<void> {
    const response = this.#response;
    response.writeHead(status, {
      ...headers,
      ...(length === null ? {} : { 'content-length': String(shape.announced(length)) }),
      ...(shape.closes ? { connection: 'close' } : {}),
    });
    const all = length === null ? Infinity : shape.sent(length);
    let sent = 0;
    try {
      for await (const piece of shape.body(pieces, length)) {
        sent += piece.length;
        if (sent === all) this.#log(status, sent);
        await this.#push(piece);
      }
    } finally {
      this.#log(status, sent);
    }
    response.end();
  }

  /** Streams a part of a file, waiting whenever the client is slow. */
  async #media(reply: MediaReply): Promise<void> {
    const response = this.#response;
    const silent = this.#asked.method === 'HEAD';
    const length = reply.end - reply.start;
    if (this.#shape !== null && !silent) {
      const pieces = reply.gunzip ? unzipped(reply) : stored(reply);
      const known = reply.gunzip ? null : length;
      await this.#shaped(this.#shape, reply.status, reply.headers, pieces, known);
      return;
    }
    response.writeHead(reply.status, reply.headers);
    if (silent || length === 0) {
      this.#log(reply.status, 0);
      response.end();
      return;
    }
    let sent = 0;
    try {
      for await (const piece of reply.gunzip ? unzipped(reply) : stored(reply)) {
        sent += piece.length;
        if (sent === length && !reply.gunzip) this.#log(reply.status, sent);
        await this.#push(piece);
      }
    } finally {
      this.#log(reply.status, sent);
    }
    response.end();
  }

  async #push(piece: Buffer): Promise<void> {
    const response = this.#response;
    if (response.destroyed) throw new Error('The client went away.');
    if (response.write(piece)) return;
    const gone = new AbortController();
    const close = (): void => gone.abort();
    response.once('close', close);
    try {
      await once(response, 'drain', { signal: gone.signal });
    } finally {
      response.off('close', close);
    }
  }
}
