import path from 'node:path';
import { PAGE_ORIGIN } from '../../shared/page-origin.ts';

/** What the shell allows, as pure functions; `security.ts` and `scheme.ts` act on them. */

/** Sent with everything that `app://` serves. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  // What falls back to no other rule.
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The permissions the page may have. The clipboard is written by the copy buttons. */
const PERMISSIONS: ReadonlySet<string> = new Set(['clipboard-sanitized-write']);

/** Stated in full, though most are defaults: a test asserts them from outside. */
export const WEB_PREFERENCES = {
  contextIsolation: true,
  sandbox: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  experimentalFeatures: false,
  webviewTag: false,
  navigateOnDragDrop: false,
  safeDialogs: true,
  spellcheck: false,
} as const;

function parse(address: string): URL | null {
  return URL.canParse(address) ? new URL(address) : null;
}

export function isPageAddress(address: string): boolean {
  const url = parse(address);
  return url !== null && `${url.protocol}//${url.host}` === PAGE_ORIGIN && url.username === '';
}

/** Whether the system's browser may be asked to open it: https alone, without a name or password in it. */
export function mayOpenOutside(address: string): boolean {
  const url = parse(address);
  return url !== null && url.protocol === 'https:' && url.username === '' && url.password === '';
}

/** Whether the page may load it. The window needs no network. `devtools:` is the inspector's own page. */
export function mayLoad(address: string): boolean {
  if (isPageAddress(address)) return true;
  const url = parse(address);
  return url !== null && ['data:', 'blob:', 'devtools:'].includes(url.protocol);
}

export function mayHavePermission(permission: string, origin: string): boolean {
  return PERMISSIONS.has(permission) && (origin === PAGE_ORIGIN || isPageAddress(origin));
}

/** Whether an address is of an origin, without a name or password in it. */
export function isWithin(address: string, origin: string): boolean {
  const url = parse(address);
  return url !== null && url.origin === origin && url.username === '' && url.password === '';
}

/** Whether a page of a notebook may load it: its own origin, by HTTP and WebSocket, and what it makes itself. */
export function mayLoadInNotebook(address: string, origin: string): boolean {
  const url = parse(address);
  if (url === null) return false;
  if (['data:', 'blob:', 'devtools:'].includes(url.protocol)) return true;
  if (['about:blank', 'about:srcdoc'].includes(address)) return true;
  return isWithin(address.replace(/^ws:/i, 'http:'), origin);
}

/** Copying is all that a notebook's page may ask for. */
export function mayHaveInNotebook(permission: string, asking: string, origin: string): boolean {
  return permission === 'clipboard-sanitized-write' && isWithin(asking, origin);
}

export interface Caller {
  /** Of the frame that calls, as the browser serialises it: no path, no slash. */
  readonly origin: string;
  readonly isMainFrame: boolean;
  /** The call comes from the window that this application opened. */
  readonly isOwnWindow: boolean;
}

/** Whether a frame may speak with the main process. */
export function mayCall(caller: Caller): boolean {
  return caller.isOwnWindow && caller.isMainFrame && caller.origin === PAGE_ORIGIN;
}

/**
 * The file that `app://trainyard/...` names below `root`, or null: another host, or a path that leaves the root after normalising.
 * The root itself is `index.html`.
 */
export function assetFile(root: string, address: string): string | null {
  if (!isPageAddress(address)) return null;
  let decoded: string;
  try {
    decoded = decodeURIComponent(new URL(address).pathname);
  } catch {
    return null;
  }
  if (decoded.includes('\0') || decoded.includes('\\')) return null;
  const base = path.resolve(root);
  const file = path.resolve(base, `.${path.posix.normalize(`/${decoded}`)}`);
  if (file === base) return path.join(base, 'index.html');
  return file.startsWith(base + path.sep) ? file : null;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.json': 'application/json; charset=utf-8',
};

export function contentType(file: string): string {
  return CONTENT_TYPES[path.extname(file).toLowerCase()] ?? 'application/octet-stream';
}
