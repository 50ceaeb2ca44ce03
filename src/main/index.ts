import path from 'node:path';
import {
  app,
  clipboard,
  dialog,
  nativeTheme,
  Notification,
  session,
  shell,
  type BrowserWindow,
} from 'electron';
import { fail, problem } from '../shared/problem.ts';
import type { AskedPlace, Preferences } from '../shared/ipc/application.ts';
import type { JobView } from '../shared/views.ts';
import { environmentForChildren } from './app/environment.ts';
import { LINK_SCHEME, placeOfArguments, placeOfLink } from './app/links.ts';
import { installMenu } from './app/menu.ts';
import { farewell, newsOf, type News } from './app/news.ts';
import { pick, saveAs } from './app/pick.ts';
import { keepFrame, readFrame, readPreferences } from './app/preferences.ts';
import { declareScheme, serveScheme } from './app/scheme.ts';
import { guardAllContents, guardSession } from './app/security.ts';
import { bringToFront, openWindow } from './app/window.ts';
import { batchChanges } from './ipc/changes.ts';
import { openDoor, type Door } from './ipc/door.ts';
import { createHandlers } from './ipc/handlers.ts';
import { openLog, type Log } from './platform/log.ts';
import { nodeRuntimeFor } from './platform/node-runtime.ts';
import { homePaths, type HomePaths } from './platform/paths.ts';
import { openServices, type Services } from './services.ts';

/** The composition root of the application: makes the parts, gives them to each other, ends them. */

/** How long changes of jobs gather before the window is told, in milliseconds. */
const BATCH = 150;

const out = path.dirname(import.meta.dirname);

function refuseToStart(message: string, hint: string): void {
  process.stderr.write(`${message}\n${hint}\n`);
  dialog.showErrorBox('Trainyard cannot start', `${message}\n\n${hint}`);
  app.exit(4);
}

/** What agents are made of: beside the packaged application, in the checkout otherwise. */
function programFiles() {
  const resources = process.resourcesPath;
  const folders = app.isPackaged ? [resources] : [path.join(app.getAppPath(), 'node_modules')];
  return {
    agentFolder: path.join(app.isPackaged ? resources : out, 'agent'),
    // Where there is none, jobs can still be seen; starting one says what is missing.
    nodeRuntime: nodeRuntimeFor(folders) ?? path.join(resources, 'node'),
  };
}

async function start(paths: HomePaths): Promise<void> {
  const log = openLog(path.join(paths.logs, 'window.log'));
  process.on('uncaughtException', (error) => log.error('uncaught exception', error));
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', error));

  await app.whenReady();
  guardSession(session.defaultSession);
  serveScheme(session.defaultSession, path.join(out, 'renderer'));

  const services = await openServices({
    env: environmentForChildren(process.env),
    version: app.getVersion(),
    ...programFiles(),
  }).catch((error: unknown) => {
    log.error('the services could not be opened', error);
    return fail(
      problem({
        code: 'internal.services',
        op: 'open the services',
        subject: paths.home,
        message: 'Trainyard could not open its data.',
        hint: `${log.path} says why.`,
      }),
    );
  });

  const settings = services.ok ? services.value.settings : null;
  let preferences = readPreferences(settings);
  const applyPreferences = (given: Preferences) => {
    preferences = given;
    nativeTheme.themeSource = given.theme;
  };
  applyPreferences(preferences);

  let window: BrowserWindow | null = openWindow({
    out,
    frame: readFrame(settings),
    onFrame: (frame) => {
      if (settings !== null) keepFrame(settings, frame);
    },
    onCrash: (reason) => log.error(`the page's process is gone: ${reason}`, null),
  });
  window.on('closed', () => {
    window = null;
  });

  // A place that was asked for before the page listens waits for it.
  let waiting: AskedPlace | null = placeOfArguments(process.argv);
  let listens = false;
  window.webContents.on('did-start-loading', () => {
    listens = false;
  });
  const go = (place: AskedPlace) => {
    if (window !== null) bringToFront(window);
    if (listens) door.push('go', place);
    else waiting = place;
  };
  app.on('second-instance', (_event, args) => {
    if (window !== null) bringToFront(window);
    const place = placeOfArguments(args);
    if (place !== null) go(place);
  });
  app.on('open-url', (event, link) => {
    event.preventDefault();
    const place = placeOfLink(link);
    if (place !== null) go(place);
  });
  if (app.isPackaged) app.setAsDefaultProtocolClient(LINK_SCHEME);

  const leave = askBeforeClosing(window, services.ok ? services.value : null);
  installMenu(process.platform, {
    go,
    openPalette: () => door.push('open-palette', {}),
    quit: leave,
  });
  const tell = ({ job, title, body }: News) => {
    if (!preferences.notifications || window?.isFocused() === true || !Notification.isSupported())
      return;
    const notification = new Notification({ title, body });
    notification.on('click', () => go({ screen: 'jobs', job }));
    notification.show();
  };

  const door: Door = openDoor({
    handlers: createHandlers({
      version: app.getVersion(),
      home: paths.home,
      services,
      shell: {
        push: (name, body) => door.push(name, body),
        pick: (options) => pick(window, options),
        saveAs: (title, name) => saveAs(window, title, name),
        readClipboard: async () => clipboard.readText(),
        clearClipboard: async () => clipboard.clear(),
        moveToTrash: (path) => shell.trashItem(path),
        firstPlace: () => {
          const place = waiting;
          waiting = null;
          listens = true;
          return place;
        },
        applyPreferences,
      },
    }),
    contents: () => window?.webContents ?? null,
    onBug: (where, error) => log.error(where, error),
  });
  if (!services.ok) log.error(services.problem.message, services.problem);
  const stopFollowing = services.ok
    ? followJobs(services.value, door, log, tell)
    : async () => undefined;

  app.on('window-all-closed', () => app.quit());
  app.on('will-quit', (event) => {
    event.preventDefault();
    door.close();
    void stopFollowing()
      .catch((error: unknown) => log.error('closing', error))
      .finally(() => app.exit(0));
  });
}

/** Tells the window of changed jobs and keeps their access fresh while the application is there. Answers with its disposer. */
function followJobs(services: Services, door: Door, log: Log, tell: (news: News) => void) {
  const abort = new AbortController();
  services.jobs.keepAccess(abort.signal);
  /** Jobs that changed, as they were when the window was last told. */
  const seen = new Map<string, JobView>();
  const batcher = batchChanges(
    BATCH,
    async (ids) => {
      const jobs: JobView[] = [];
      let isGone = false;
      for (const id of ids) {
        const view = await services.jobs.get(id);
        if (view.ok) {
          jobs.push(view.value);
          const news = newsOf(seen.get(id), view.value);
          seen.set(id, view.value);
          if (news !== null) tell(news);
        } else {
          seen.delete(id);
          isGone = true;
        }
      }
      if (jobs.length > 0) door.push('jobs-changed', { jobs });
      if (isGone) door.push('jobs-gone', {});
    },
    (error) => log.error('telling the window of changes', error),
  );
  const stopWatching = services.jobs.watch(({ id, before }) => {
    if (before !== undefined && !seen.has(id)) seen.set(id, before);
    batcher.add(id);
  });
  return async (): Promise<void> => {
    abort.abort();
    stopWatching();
    batcher.close();
    await services.close();
  };
}

/** Says, before the user closes the window, what goes on without it. Answers with what quits in the same way. */
function askBeforeClosing(window: BrowserWindow, services: Services | null): () => void {
  let leaves = false;
  let asks = false;
  const ask = async (): Promise<boolean> => {
    const words = services === null ? null : farewell(await services.jobs.list());
    if (words === null) return true;
    const answer = await dialog.showMessageBox(window, {
      type: 'info',
      title: 'Trainyard',
      ...words,
      buttons: ['Quit', 'Keep it open'],
      defaultId: 0,
      cancelId: 1,
    });
    return answer.response === 0;
  };
  const leave = () => {
    if (asks) return;
    asks = true;
    void ask()
      .catch(() => true)
      .then((yes) => {
        asks = false;
        leaves = yes;
        if (yes) app.quit();
      });
  };
  // Whatever else quits, the system's shutdown above all, is not held up.
  app.on('before-quit', () => {
    leaves = true;
  });
  window.on('close', (event) => {
    if (leaves) return;
    event.preventDefault();
    leave();
  });
  return leave;
}

declareScheme();
guardAllContents();

const paths = homePaths(process.env);
if (!paths.ok) refuseToStart(paths.problem.message, paths.problem.hint);
else {
  // Chromium's own files; its single instance lock lies there too, so one window a home.
  app.setPath('userData', path.join(paths.value.home, 'window'));
  if (app.requestSingleInstanceLock()) void start(paths.value);
  else app.exit(0);
}
