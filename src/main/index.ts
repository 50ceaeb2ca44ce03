import path from 'node:path';
import { app, clipboard, dialog, session, shell, type BrowserWindow } from 'electron';
import { fail, problem } from '../shared/problem.ts';
import type { JobView } from '../shared/views.ts';
import { environmentForChildren } from './app/environment.ts';
import { installMenu } from './app/menu.ts';
import { pick, saveAs } from './app/pick.ts';
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
  installMenu(process.platform);

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

  let window: BrowserWindow | null = openWindow(out);
  window.on('closed', () => {
    window = null;
  });
  app.on('second-instance', () => {
    if (window !== null) bringToFront(window);
  });

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
      },
    }),
    contents: () => window?.webContents ?? null,
    onBug: (where, error) => log.error(where, error),
  });
  if (!services.ok) log.error(services.problem.message, services.problem);
  const stopFollowing = services.ok ? followJobs(services.value, door, log) : async () => undefined;

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
function followJobs(services: Services, door: ReturnType<typeof openDoor>, log: Log) {
  const abort = new AbortController();
  services.jobs.keepAccess(abort.signal);
  const batcher = batchChanges(
    BATCH,
    async (ids) => {
      const jobs: JobView[] = [];
      let isGone = false;
      for (const id of ids) {
        const view = await services.jobs.get(id);
        if (view.ok) jobs.push(view.value);
        else isGone = true;
      }
      if (jobs.length > 0) door.push('jobs-changed', { jobs });
      if (isGone) door.push('jobs-gone', {});
    },
    (error) => log.error('telling the window of changes', error),
  );
  const stopWatching = services.jobs.watch(({ id }) => batcher.add(id));
  return async (): Promise<void> => {
    abort.abort();
    stopWatching();
    batcher.close();
    await services.close();
  };
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
