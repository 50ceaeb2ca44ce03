import { appendFileSync } from 'node:fs';

/** A line of the request log. Tokens and session ids are never in it. */
export interface LogLine {
  /** ISO 8601, when the answer was about to end. */
  readonly time: string;
  readonly method: string;
  readonly path: string;
  /** Query parameters, without those that give access. */
  readonly query: Readonly<Record<string, string>>;
  /** The `Range` or `Content-Range` header. */
  readonly range: string | null;
  readonly bucket: string | null;
  readonly object: string | null;
  readonly status: number;
  /** Of the answer's body for a read, of the request's body for anything else. */
  readonly bytes: number;
  /** E-mail address; null without a token. */
  readonly account: string | null;
  /** The fault rules that befell it; absent where none did. */
  readonly faults?: readonly string[];
}

const SECRET = new Set(['access_token', 'upload_id', 'key', 'assertion', 'oauth_token']);

export function openQuery(query: URLSearchParams): Record<string, string> {
  return Object.fromEntries([...query].filter(([name]) => !SECRET.has(name)));
}

/** Writes one line; it is in the file before the last byte of the answer goes out, so that who has the answer finds the line. */
export function appendLog(file: string | null, line: LogLine): void {
  if (file !== null) appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
}
