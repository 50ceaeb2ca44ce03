import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { app, dialog, session } from 'electron';
import { commandOf, runCommand } from './app/command.ts';
import { declareScheme, serveScheme } from './app/scheme.ts';
import { guardAllContents, guardSession } from './app/security.ts';
import { hasTray } from './app/session-bus.ts';
import { makeWindow } from './app/window.ts';
import { homePaths, type HomePaths } from './platform/paths.ts';

/**
 * The start of the application, as little as asks for the page: the process that will show it takes longer to begin than everything in
 * `app/start.ts`, which is read and done meanwhile.
 */

/** The page is asked for at once; on a machine that is too busy for that, what comes next does not wait for ever. Milliseconds. */
const LONGEST_WAIT = 500;

const out = path.dirname(import.meta.dirname);

function refuseToStart(message: string, hint: string): void {
  process.stderr.write(`${message}\n${hint}\n`);
  dialog.showErrorBox('Trainyard cannot start', `${message}\n\n${hint}`);
  app.exit(4);
}

/** Node.js reads its `fetch` at the first use of any of it, which would be the answer to the page's first question; until that comes there is time. */
const readFetch = (): Response => new Response();

async function begin(paths: HomePaths): Promise<void> {
  let onHeard = (): void => undefined;
  const heard = new Promise<void>((resolve) => {
    onHeard = resolve;
  });
  const tray = hasTray(process.platform, process.env);
  await app.whenReady();
  guardSession(session.defaultSession);
  const { sent } = serveScheme(session.defaultSession, path.join(out, 'renderer'), heard);
  const made = makeWindow(out);
  readFetch();
  await Promise.race([sent, sleep(LONGEST_WAIT)]);
  const { start } = await import('./app/start.ts');
  await start({ paths, out, made, tray, onHeard });
}

function openWindow(): void {
  declareScheme();
  guardAllContents();
  const paths = homePaths(process.env);
  if (!paths.ok) {
    refuseToStart(paths.problem.message, paths.problem.hint);
    return;
  }
  // Chromium's own files; its single instance lock lies there too, so one window a home.
  app.setPath('userData', path.join(paths.value.home, 'window'));
  const { logs } = paths.value;
  if (!app.requestSingleInstanceLock()) app.exit(0);
  else
    begin(paths.value).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      refuseToStart(`Trainyard could not start: ${reason}`, `${logs} may say more. Jobs go on.`);
    });
}

const command = app.isPackaged ? commandOf(process.argv.slice(1)) : null;
if (command === null) openWindow();
else void runCommand(process.resourcesPath, command).then((status) => app.exit(status));
