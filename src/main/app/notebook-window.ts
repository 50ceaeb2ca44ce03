import { BrowserWindow, dialog, session, shell, type Session } from 'electron';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import type { OpenNotebook } from '../jobs/submit-notebook.ts';
import { mayHaveInNotebook, mayLoadInNotebook, WEB_PREFERENCES } from './policy.ts';
import { letStay } from './security.ts';
import { bringToFront } from './window.ts';

export type ShownNotebook = OpenNotebook & { readonly id: string; readonly name: string };

const windows = new Map<string, BrowserWindow>();

/** In a window of its own, or in the system's browser, by way of a file: command lines are for everybody to read. */
export async function openNotebook(
  notebook: ShownNotebook,
  where: 'window' | 'browser',
): Promise<Result<void>> {
  if (where === 'window') {
    openNotebookWindow(notebook);
    return ok();
  }
  const refused = await shell.openPath(notebook.page);
  if (refused === '') return ok();
  return fail(
    problem({
      code: 'host.browser',
      op: 'open the notebook',
      subject: notebook.name,
      message: `The browser could not be opened: ${refused}.`,
      hint: `Open it in a window of its own, or print its address: trainyard notebook open ${notebook.id} --no-browser`,
    }),
  );
}

/**
 * A window that has nothing of ours: no preload, a session of its own in memory alone, which knows no `app:` and loads nothing but the notebook's
 * origin. Jupyter opens more of them from there.
 */
function openNotebookWindow(notebook: ShownNotebook): void {
  const { id, origin, start, token } = notebook;
  const known = windows.get(id);
  if (known !== undefined && new URL(known.webContents.getURL() || start).origin === origin) {
    bringToFront(known);
    return;
  }
  known?.destroy();
  const own = session.fromPartition(`notebook-${id}-${new URL(origin).port}`);
  guardNotebookSession(own, origin);
  const window = new BrowserWindow({
    width: 1200,
    height: 800,
    minWidth: 480,
    minHeight: 360,
    title: notebook.name,
    webPreferences: { ...WEB_PREFERENCES, session: own },
  });
  dress(window, notebook.name);
  windows.set(id, window);
  window.on('closed', () => {
    if (windows.get(id) === window) windows.delete(id);
  });
  // The token stands in no address, no history and no Referer: the answer to this one request sets a cookie.
  void window
    .loadURL(start, { extraHeaders: `Authorization: token ${token}\n` })
    .catch(() => undefined);
}

const guarded = new WeakSet<Session>();

function guardNotebookSession(own: Session, origin: string): void {
  if (guarded.has(own)) return;
  guarded.add(own);
  letStay(own, origin);
  own.setPermissionRequestHandler((_contents, permission, answer, details) =>
    answer(mayHaveInNotebook(permission, details.requestingUrl, origin)),
  );
  own.setPermissionCheckHandler((_contents, permission, asking) =>
    mayHaveInNotebook(permission, asking, origin),
  );
  own.setDevicePermissionHandler(() => false);
  own.webRequest.onBeforeRequest((details, answer) =>
    answer({ cancel: !mayLoadInNotebook(details.url, origin) }),
  );
  // A download asks where to, as it does without a path of ours: nothing is to be done.
}

/** The menu is ours, with our shortcuts: not here. */
function dress(window: BrowserWindow, name: string): void {
  window.removeMenu();
  const { webContents } = window;
  webContents.on('page-title-updated', (event, title) => {
    event.preventDefault();
    window.setTitle(`${title} (notebook ${name})`);
  });
  webContents.on('will-prevent-unload', (event) => {
    const leaves = dialog.showMessageBoxSync(window, {
      type: 'question',
      title: name,
      message: 'Close the notebook?',
      detail: 'Changes that were not saved are lost. The notebook goes on.',
      buttons: ['Close', 'Stay'],
      defaultId: 1,
      cancelId: 1,
    });
    if (leaves === 0) event.preventDefault();
  });
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- Electron's own BrowserWindow, by its types
  webContents.on('did-create-window', (child) => dress(child, name));
}
