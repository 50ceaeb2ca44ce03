import { appendFileSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { inspect } from 'node:util';
import { isoTime, systemClock, type Clock } from './clock.ts';
import { makeFolders } from './make-folders.ts';

export type LogLevel = 'info' | 'warn' | 'error';

/** Writes lines to a file. Everything passes {@link redact} on its way. Never throws. */
export interface Log {
  /** The file that is written now; older lines are in `<path>.1` and `<path>.2`. */
  readonly path: string;
  info(message: string, details?: unknown): void;
  warn(message: string, details?: unknown): void;
  /** Also takes an exception: its stack is written. */
  error(message: string, details?: unknown): void;
}

const MAX_BYTES = 2 * 1024 * 1024;
const OLDER_FILES = 2;
const MAX_LINE = 16_384;

/** What is never to stand in a log, and what stands there instead. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  // A PEM block, whole or cut off, with real line breaks or escaped ones.
  [
    /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g,
    '[private key]',
  ],
  [/(["']?private_?key["']?\s*[:=]\s*)(["'])(?:\\.|(?!\2)[\s\S])*(?:\2|$)/gi, '$1"[private key]"'],
  // What may be a key without its frame: base64 (or hexadecimal) in one long run, or in lines.
  [/[A-Za-z0-9+/=_-]{200,}/g, '[long text]'],
  [/(?:[A-Za-z0-9+/]{60,76}(?:\\r|\\n|\s)+){3,}[A-Za-z0-9+/=]*/g, '[long text]'],
  [/\bya29\.[A-Za-z0-9._~+/=-]+/g, '[token]'],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+/gi, '$1 [token]'],
  [/\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?/g, '[token]'],
  [
    /(["']?(?:access_?token|refresh_?token|id_?token|assertion|passphrase|client_secret)["']?\s*[:=]\s*["']?)[^\s"'&,}]+/gi,
    '$1[secret]',
  ],
  // An object of ours that holds a token: { token: '...' }.
  [/(\btoken["']?\s*:\s*["'])[^"']+/g, '$1[token]'],
];

/** The text without private keys, tokens and signed assertions. */
export function redact(text: string): string {
  return SECRETS.reduce((rest, [pattern, instead]) => rest.replace(pattern, instead), text);
}

/** Opens the log at a path. Its folder is made when the first line is written. */
export function openLog(path: string, options: { clock?: Clock; maxBytes?: number } = {}): Log {
  const clock = options.clock ?? systemClock;
  const maxBytes = options.maxBytes ?? MAX_BYTES;
  const write = (level: LogLevel, message: string, details: unknown): void => {
    const more = details === undefined ? '' : ` ${describe(details)}`;
    const line = redact(`${message}${more}`).slice(0, MAX_LINE).replaceAll('\n', '\n    ');
    try {
      makeFolders(dirname(path));
      rotate(path, maxBytes);
      appendFileSync(path, `${isoTime(clock)} ${process.pid} ${level} ${line}\n`, { mode: 0o600 });
    } catch {
      // A full disk must not end the program that only wanted to say so.
    }
  };
  return {
    path,
    info: (message, details) => write('info', message, details),
    warn: (message, details) => write('warn', message, details),
    error: (message, details) => write('error', message, details),
  };
}

function describe(details: unknown): string {
  if (details instanceof Error) return details.stack ?? details.message;
  if (typeof details === 'string') return details;
  return inspect(details, { depth: 6, breakLength: Infinity, maxStringLength: 8_192 });
}

function rotate(path: string, maxBytes: number): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size < maxBytes) return;
  for (let number = OLDER_FILES; number >= 1; number -= 1) {
    const from = number === 1 ? path : `${path}.${number - 1}`;
    try {
      renameSync(from, `${path}.${number}`);
    } catch {
      // Not there yet, or another process was first.
    }
  }
}
