import { app, shell, type Session, type WebContents } from 'electron';
import {
  isWithin,
  mayHavePermission,
  mayLoad,
  mayLoadInNotebook,
  mayOpenOutside,
  WEB_PREFERENCES,
} from './policy.ts';

/** Refuses every permission but those of the policy's table, and every load from outside the application. */
export function guardSession(session: Session): void {
  session.setPermissionRequestHandler((_contents, permission, answer, details) =>
    answer(mayHavePermission(permission, details.requestingUrl)),
  );
  session.setPermissionCheckHandler((_contents, permission, origin) =>
    mayHavePermission(permission, origin),
  );
  session.setDevicePermissionHandler(() => false);
  session.webRequest.onBeforeRequest((details, answer) =>
    answer({ cancel: !mayLoad(details.url) }),
  );
  session.on('will-download', (event) => event.preventDefault());
}

/** Sessions whose pages may move within one origin. */
const origins = new WeakMap<Session, string>();

/** The pages of a session, a notebook's, may move within its origin, and open windows of it. */
export function letStay(session: Session, origin: string): void {
  origins.set(session, origin);
}

/** A page that opens within this time after a click or a key was asked for by it. Milliseconds. */
const CLICK = 2_000;
/** What a person does, of all input. */
const ASKING: ReadonlySet<string> = new Set([
  ...['mouseDown', 'mouseUp', 'rawKeyDown', 'keyDown', 'touchEnd', 'gestureTap'],
]);

/**
 * Opens what a notebook links to in the system's browser, where a click or a key asked for it: an output's script must not open pages by itself.
 * One page a click. The input is what this process sees, which no script can make up.
 */
function outsideOpener(contents: WebContents): (url: string) => void {
  let asked = Number.NEGATIVE_INFINITY;
  contents.on('input-event', (_event, input) => {
    if (ASKING.has(input.type)) asked = performance.now();
  });
  return (url) => {
    if (!mayOpenOutside(url) || performance.now() - asked > CLICK) return;
    asked = Number.NEGATIVE_INFINITY;
    void shell.openExternal(url);
  };
}

function guardContents(contents: WebContents): void {
  const openOutside = outsideOpener(contents);
  const origin = (): string | null => origins.get(contents.session) ?? null;
  const mayStay = (url: string): boolean => {
    const own = origin();
    return own !== null && isWithin(url, own);
  };
  contents.on('will-navigate', (event) => {
    if (!mayStay(event.url)) event.preventDefault();
  });
  // Comes before `will-navigate`, which is not asked once this was prevented.
  contents.on('will-frame-navigate', (event) => {
    const own = origin();
    // Frames show what a notebook made itself, too.
    if (own !== null && (mayStay(event.url) || mayLoadInNotebook(event.url, own))) return;
    event.preventDefault();
    // What a notebook links to is for the browser.
    if (own !== null && event.isMainFrame) openOutside(event.url);
  });
  contents.on('will-redirect', (event) => {
    if (!mayStay(event.url)) event.preventDefault();
  });
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.setWindowOpenHandler(({ url }) => {
    // Jupyter opens an empty window first, and leads it to a notebook then.
    if (mayStay(url) || (origin() !== null && (url === 'about:blank' || url === '')))
      return {
        action: 'allow',
        overrideBrowserWindowOptions: { webPreferences: { ...WEB_PREFERENCES } },
      };
    if (origin() !== null) openOutside(url);
    else if (mayOpenOutside(url)) void shell.openExternal(url);
    return { action: 'deny' };
  });
}

/** No page leaves where it is, opens a window or embeds another, in whatever contents are ever made. */
export function guardAllContents(): void {
  app.on('web-contents-created', (_event, contents) => guardContents(contents));
}
