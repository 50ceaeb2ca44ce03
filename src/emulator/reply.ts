import type { FileHandle } from 'node:fs/promises';

/** Headers of an answer, lower case or not: HTTP does not mind. */
export type Headers = Readonly<Record<string, string>>;

/** What a handler wants to be answered. It is data until the one place in `server.ts` writes it, so that faults can be put in between. */
export type Reply = JsonReply | EmptyReply | TextReply | ErrorReply | MediaReply;

export interface JsonReply {
  readonly kind: 'json';
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Headers;
  /** The body is not one of the storage API's: `fields` does not apply. */
  readonly plain?: true;
}

export interface EmptyReply {
  readonly kind: 'empty';
  readonly status: number;
  readonly headers?: Headers;
}

/** Text that is not the service's own: a fault rule's. */
export interface TextReply {
  readonly kind: 'text';
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** Becomes Google's JSON error body, plain text for media, or XML for the XML-style address. */
export interface ErrorReply {
  readonly kind: 'error';
  readonly status: number;
  /** Google's word: `notFound`, `forbidden`, `conditionNotMet`, ... */
  readonly reason: string;
  readonly message: string;
  readonly headers?: Headers;
}

/** Bytes `start` to `end` (exclusive) of an open file, which the writer closes. `gunzip`: the stored gzip stream is decompressed on the way. */
export interface MediaReply {
  readonly kind: 'media';
  readonly status: number;
  readonly headers: Headers;
  readonly file: FileHandle;
  readonly start: number;
  readonly end: number;
  readonly gunzip: boolean;
}

export function json(body: unknown, status = 200, headers: Headers = {}): JsonReply {
  return { kind: 'json', status, body, headers };
}

/** JSON of a service other than storage: written as it is. */
export function plainJson(body: unknown, status = 200, headers: Headers = {}): JsonReply {
  return { kind: 'json', status, body, headers, plain: true };
}

export function empty(status: number, headers: Headers = {}): EmptyReply {
  return { kind: 'empty', status, headers };
}

export function text(status: number, content: string, headers: Headers = {}): TextReply {
  return {
    kind: 'text',
    status,
    text: content,
    headers: { 'content-type': 'text/html; charset=UTF-8', ...headers },
  };
}

export function refuse(
  status: number,
  reason: string,
  message: string,
  headers: Headers = {},
): ErrorReply {
  return { kind: 'error', status, reason, message, headers };
}

export const invalid = (message: string): ErrorReply => refuse(400, 'invalid', message);
export const notFound = (message: string): ErrorReply => refuse(404, 'notFound', message);
export const noSuchBucket = (): ErrorReply => notFound('The specified bucket does not exist.');
export const conditionNotMet = (): ErrorReply =>
  refuse(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.');

/** Google's JSON error body. */
export function errorBody(reply: ErrorReply): unknown {
  const anonymous = reply.status === 401;
  return {
    error: {
      code: reply.status,
      message: reply.message,
      errors: [
        {
          message: reply.message,
          domain: 'global',
          reason: reply.reason,
          ...(anonymous ? { locationType: 'header', location: 'Authorization' } : {}),
        },
      ],
    },
  };
}

export function isError(value: object | null): value is ErrorReply {
  return value !== null && 'kind' in value && value.kind === 'error';
}
