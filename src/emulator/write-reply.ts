import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createGunzip } from 'node:zlib';
import { errorBody, refuse, type ErrorReply, type MediaReply, type Reply } from './reply.ts';
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
};

const escapeXml = (text: string): string =>
  text.replace(/[<>&]/g, (character) => `&#${character.charCodeAt(0)};`);

/** Writes one reply to the client and tells the log, before the last byte goes out, what was answered. */
export class ReplyWriter {
  readonly #response: ServerResponse;
  readonly #asked: Asked;
  readonly #log: (status: number, sent: number) => void;

  constructor(response: ServerResponse, asked: Asked, log: (status: number, sent: number) => void) {
    this.#response = response;
    this.#asked = asked;
    this.#log = log;
  }

  async write(reply: Reply): Promise<void> {
    switch (reply.kind) {
      case 'empty':
        this.#whole(reply.status, reply.headers ?? {}, '');
        return;
      case 'error':
        this.#error(reply);
        return;
      case 'json': {
        const { fields } = this.#asked;
        if (reply.plain === true || fields === null || fields === '') {
          this.#json(reply.status, reply.headers ?? {}, reply.body);
          return;
        }
        const selection = parseFields(fields);
        if (selection === null)
          this.#error(refuse(400, 'invalidParameter', `Invalid field selection ${fields}`));
        else this.#json(reply.status, reply.headers ?? {}, select(reply.body, selection));
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

  #json(status: number, headers: Readonly<Record<string, string>>, body: unknown): void {
    const type = { 'content-type': 'application/json; charset=UTF-8' };
    this.#whole(status, { ...type, ...headers }, `${JSON.stringify(body, null, 1)}\n`);
  }

  #error(reply: ErrorReply): void {
    const headers = reply.headers ?? {};
    if (reply.status === 499) {
      this.#whole(499, headers, '');
    } else if (this.#asked.style === 'media') {
      const type = { 'content-type': 'text/html; charset=UTF-8' };
      this.#whole(reply.status, { ...type, ...headers }, reply.message);
    } else if (this.#asked.style === 'xml') {
      const code =
        reply.message === 'The specified bucket does not exist.'
          ? 'NoSuchBucket'
          : (XML_CODES[reply.status] ?? 'InvalidArgument');
      this.#whole(
        reply.status,
        { 'content-type': 'application/xml; charset=UTF-8', ...headers },
        `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${code}</Code><Message>${escapeXml(reply.message)}</Message></Error>`,
      );
    } else {
      this.#json(reply.status, headers, errorBody(reply));
    }
  }

  /** An answer whose body is at hand. */
  #whole(status: number, headers: Readonly<Record<string, string>>, text: string): void {
    const body = Buffer.from(text);
    const bodiless = status === 204 || status === 304;
    this.#response.writeHead(status, {
      ...headers,
      ...(bodiless ? {} : { 'content-length': String(body.length) }),
    });
    const silent = bodiless || this.#asked.method === 'HEAD';
    this.#log(status, silent ? 0 : body.length);
    this.#response.end(silent ? undefined : body);
  }

  /** Streams a part of a file, waiting whenever the client is slow. */
  async #media(reply: MediaReply): Promise<void> {
    const response = this.#response;
    response.writeHead(reply.status, reply.headers);
    if (this.#asked.method === 'HEAD' || reply.start === reply.end) {
      this.#log(reply.status, 0);
      response.end();
      return;
    }
    const length = reply.end - reply.start;
    let sent = 0;
    try {
      if (reply.gunzip) {
        const stream = reply.file.createReadStream({ autoClose: false }).pipe(createGunzip());
        for await (const piece of stream) {
          sent += (piece as Buffer).length;
          await this.#push(piece as Buffer);
        }
      } else {
        while (sent < length) {
          const buffer = Buffer.allocUnsafe(Math.min(PIECE, length - sent));
          const { bytesRead } = await reply.file.read(buffer, 0, buffer.length, reply.start + sent);
          if (bytesRead === 0) throw new Error('The content file is shorter than its object.');
          sent += bytesRead;
          if (sent === length) this.#log(reply.status, sent);
          await this.#push(buffer.subarray(0, bytesRead));
        }
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
