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
import { checkAlways } from '../../google/trust.ts';
import { hasEnded } from '../../shared/job-status.ts';
import { fail, problem } from '../../shared/problem.ts';
import type { AskedPlace, Preferences } from '../../shared/ipc/application.ts';
import type { JobView } from '../../shared/views.ts';
import { HANGING_WINDOW, lostWindow } from './crashes.ts';
import { followDesktopProxies } from './desktop-proxies.ts';
import { environmentForChildren } from './environment.ts';
import { keepTray, tellOnceOfHiding, type TrayKeeper } from './following.ts';
import { watchLeaving } from './leave.ts';
import { LINK_SCHEME, placeOfArguments, placeOfLink } from './links.ts';
import { installMenu } from './menu.ts';
import { newsOf, type News } from './news.ts';
import { openNotebook } from './notebook-window.ts';
import { pick, saveAs } from './pick.ts';
import { keepPlaces } from './places.ts';
import { keepFrame, readFrame, readPreferences } from './preferences.ts';
import { followUpdates } from './updates.ts';
import { bringToFront, type MadeWindow } from './window.ts';
import { batchChanges } from '../ipc/changes.ts';
import { openDoor, type Door } from '../ipc/door.ts';
import { createHandlers } from '../ipc/handlers.ts';
import { openLog, type Log } from '../platform/log.ts';
import { nodeRuntimeFor } from '../platform/node-runtime.ts';
import type { HomePaths } from '../platform/paths.ts';
import { openServices, type Services } from '../services.ts';

/** How long changes of jobs gather before the window is told, in milliseconds. */
const BATCH = 150;
/** Among how many of the newest jobs those are looked for that go on when the application starts. */
const RECENT = 200;

/** What agents are made of: beside the packaged application, in the checkout otherwise. */
function programFiles(out: string) {
  const resources = process.resourcesPath;
  const folders = app.isPackaged ? [resources] : [path.join(app.getAppPath(), 'node_modules')];
  return {
    agentFolder: path.join(app.isPackaged ? resources : out, 'agent'),
    // Where there is none, jobs can still be seen; starting one says what is missing.
    nodeRuntime: nodeRuntimeFor(folders) ?? path.join(resources, 'node'),
    sample: {
      emulator: path.join(app.isPackaged ? resources : out, 'emulator', 'emulator.mjs'),
      examples: path.join(app.isPackaged ? resources : app.getAppPath(), 'examples'),
    },
  };
}

export interface StartOptions {
  readonly paths: HomePaths;
  /** The folder of the built programs. */
  readonly out: string;
  /** Made already: what follows is done while its page's process begins. */
  readonly made: MadeWindow;
  /** Whether the system offers a way back to a closed window. */
  readonly tray: Promise<boolean>;
  /** Called once calls of the page are heard. */
  readonly onHeard: () => void;
}

/** The composition root of the application: makes the parts, gives them to each other, ends them. What stops it is in the log, and thrown on. */
export async function start(options: StartOptions): Promise<void> {
  const log = openLog(path.join(options.paths.logs, 'window.log'));
  try {
    await startWith(log, options);
  } catch (error) {
    log.error('the start', error);
    throw error;
  }
}

async function startWith(
  log: Log,
  { paths, out, made, tray, onHeard }: StartOptions,
): Promise<void> {
  process.on('uncaughtException', (error) => log.error('uncaught exception', error));
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', error));

  if (checkAlways())
    log.warn('NODE_TLS_REJECT_UNAUTHORIZED=0 does not count: certificates are checked', null);
  followDesktopProxies(session.defaultSession);
  const services = await openServices({
    env: environmentForChildren(process.env),
    version: app.getVersion(),
    ...programFiles(out),
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
  const hasTray = await tray;
  // It is quitting.
  if (made.window.isDestroyed()) {
    if (services.ok) await services.value.close();
    return;
  }
  // Before the window: it must not ask the real Google for what is in the sample's.
  const resumed = services.ok ? services.value.sample.resume() : Promise.resolve();
  void resumed.catch((error: unknown) => log.error('the sample data', error));
  let preferences = readPreferences(settings, hasTray);
  nativeTheme.themeSource = preferences.theme;

  const places = keepPlaces(placeOfArguments(process.argv), (place) => door.push('go', place));
  made.open({
    frame: readFrame(settings),
    onFrame: (frame) => {
      if (settings !== null) keepFrame(settings, frame);
    },
    onCrash: (reason) => {
      log.error(`the page's process is gone: ${reason}`, null);
      places.crashed();
    },
    onLost: async (lost) => {
      const question = { type: 'error' as const, title: 'Trainyard', ...lostWindow(log.path) };
      const { response } = await dialog.showMessageBox(lost, question);
      if (response !== 0) app.quit();
      return response === 0;
    },
    onHang: async (hanging, signal) => {
      log.error('the page does not respond', null);
      const question = { type: 'warning' as const, title: 'Trainyard', ...HANGING_WINDOW, signal };
      const { response } = await dialog.showMessageBox(hanging, { ...question, cancelId: 0 });
      return response === 1;
    },
  });
  let window: BrowserWindow | null = made.window;
  window.on('closed', () => {
    window = null;
  });
  window.webContents.on('did-start-loading', places.loads);
  /** Null: where it is. */
  const go = (place: AskedPlace | null) => {
    if (window !== null) bringToFront(window);
    if (place !== null) places.go(place);
  };
  app.on('second-instance', (_event, args) => {
    go(placeOfArguments(args));
  });
  app.on('activate', () => go(null));
  app.on('open-url', (event, link) => {
    event.preventDefault();
    const place = placeOfLink(link);
    if (place !== null) go(place);
  });
  if (app.isPackaged) app.setAsDefaultProtocolClient(LINK_SCHEME);

  const leave = watchLeaving({
    window,
    services: services.ok ? services.value : null,
    keepsFollowing: () => preferences.keepFollowing,
    onHidden: tellOnceOfHiding(hasTray, go),
  });
  const icon = keepTray(process.platform, { go, quit: leave });
  const applyPreferences = (given: Preferences) => {
    preferences = given;
    nativeTheme.themeSource = given.theme;
    icon.want(hasTray && given.keepFollowing);
  };
  applyPreferences(preferences);
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

  /** Ids of jobs. */
  const stopsAskedHere = new Set<string>();
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
        openNotebook,
        moveToTrash: (path) => shell.trashItem(path),
        openFolder: async (path) => {
          const said = await shell.openPath(path);
          return said === '' ? null : said;
        },
        firstPlace: places.first,
        keepPlace: places.keep,
        stopAsked: (job) => void stopsAskedHere.add(job),
        hasTray,
        applyPreferences,
      },
    }),
    contents: () => window?.webContents ?? null,
    onBug: (where, error) => log.error(where, error),
  });
  onHeard();
  // While the page reads its scripts: it asks for the same at first, and has it from memory then.
  if (services.ok)
    void services.value.jobs.page({ before: null, limit: RECENT }).catch((error: unknown) => {
      log.error('reading the newest jobs', error);
    });
  if (!services.ok) log.error(services.problem.message, services.problem);
  // After the page has come: until then this process has its files to hand out.
  let stopFollowing = async (): Promise<void> => {
    if (services.ok) await services.value.close();
  };
  window.webContents.once('did-stop-loading', () => {
    if (services.ok)
      stopFollowing = followJobs(services.value, { door, log, tell, icon, stopsAskedHere });
  });

  void followUpdates(log);
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
function followJobs(
  services: Services,
  {
    door,
    log,
    tell,
    icon,
    stopsAskedHere,
  }: {
    readonly door: Door;
    readonly log: Log;
    readonly tell: (news: News) => void;
    readonly icon: TrayKeeper;
    readonly stopsAskedHere: Set<string>;
  },
) {
  const abort = new AbortController();
  services.jobs.keepAccess(abort.signal);
  const stopSample = services.sample.watch((status) => door.push('sample-changed', status));
  void services.jobs.page({ before: null, limit: RECENT }).then(
    ({ jobs }) => icon.update(jobs),
    (error: unknown) => log.error('listing the jobs', error),
  );
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
          const news = newsOf(seen.get(id), view.value, { stoppedHere: stopsAskedHere.has(id) });
          seen.set(id, view.value);
          if (hasEnded(view.value.state)) stopsAskedHere.delete(id);
          if (news !== null) tell(news);
        } else {
          seen.delete(id);
          icon.forget(id);
          isGone = true;
        }
      }
      icon.update(jobs);
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
    stopSample();
    batcher.close();
    await services.close();
  };
}
