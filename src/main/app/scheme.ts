import { readFile } from 'node:fs/promises';
import { protocol, type Session } from 'electron';
import { PAGE_ORIGIN } from '../../shared/page-origin.ts';
import { assetFile, CONTENT_SECURITY_POLICY, contentType } from './policy.ts';

const SCHEME = PAGE_ORIGIN.slice(0, PAGE_ORIGIN.indexOf(':'));

/** Makes `app:` a scheme with an origin of its own, like https. Must run before Electron is ready. */
export function declareScheme(): void {
  protocol.registerSchemesAsPrivileged([
    {
      scheme: SCHEME,
      // The page's compiled code is kept from start to start.
      privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true },
    },
  ]);
}

const HEADERS = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache',
};

/**
 * Serves the built window below `root`, and nothing else. `ready`: when calls of the page are heard; its scripts wait for that.
 */
export function serveScheme(session: Session, root: string, ready: Promise<void>): void {
  session.protocol.handle(SCHEME, async (request) => {
    const refuse = (status: number) => new Response(null, { status, headers: HEADERS });
    if (request.method !== 'GET') return refuse(405);
    const file = assetFile(root, request.url);
    if (file === null) return refuse(403);
    try {
      const body = new Uint8Array(await readFile(file));
      if (file.endsWith('.js')) await ready;
      return new Response(body, { headers: { ...HEADERS, 'Content-Type': contentType(file) } });
    } catch {
      return refuse(404);
    }
  });
}
