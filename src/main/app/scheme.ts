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

export interface Serving {
  /** Settles once the page itself is with the process that shows it: now that one has something to do. */
  readonly sent: Promise<void>;
}

/** The bytes, with a word when they were taken. */
function toldWhenTaken(bytes: Uint8Array, onTaken: () => void): ReadableStream<Uint8Array> {
  let given = false;
  return new ReadableStream(
    {
      pull(stream) {
        if (!given) stream.enqueue(bytes);
        else {
          stream.close();
          onTaken();
        }
        given = true;
      },
    },
    { highWaterMark: 0 },
  );
}

/** Serves the built window below `root`, and nothing else. `ready`: when calls of the page are heard; its scripts wait for that. */
export function serveScheme(session: Session, root: string, ready: Promise<void>): Serving {
  let onSent = (): void => undefined;
  const sent = new Promise<void>((resolve) => {
    onSent = resolve;
  });

  session.protocol.handle(SCHEME, async (request) => {
    const refuse = (status: number) => new Response(null, { status, headers: HEADERS });
    if (request.method !== 'GET') return refuse(405);
    const file = assetFile(root, request.url);
    if (file === null) return refuse(403);
    try {
      const bytes = new Uint8Array(await readFile(file));
      if (file.endsWith('.js')) await ready;
      const body = file.endsWith('.html') ? toldWhenTaken(bytes, onSent) : bytes;
      return new Response(body, { headers: { ...HEADERS, 'Content-Type': contentType(file) } });
    } catch {
      return refuse(404);
    }
  });
  return { sent };
}
