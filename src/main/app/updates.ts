import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { app } from 'electron';
import type { Log } from '../platform/log.ts';
import { updatesRefused } from './update-address.ts';

/** How often it is asked whether there is a newer one. Milliseconds. */
const EVERY = 24 * 60 * 60 * 1000;

/**
 * Looks for newer versions where the package says they are: `app-update.yml`, which packaging writes when it is given an address
 * (`TRAINYARD_UPDATE_URL`). Without one, and where it is not https, nothing is asked anywhere. What was fetched is put in place when the application quits.
 */
export async function followUpdates(log: Log, resources = process.resourcesPath): Promise<void> {
  const file = join(resources, 'app-update.yml');
  if (!app.isPackaged || !existsSync(file)) return;
  const refused = updatesRefused(readFileSync(file, 'utf8'));
  if (refused !== null) {
    log.warn(refused, null);
    return;
  }
  const { autoUpdater } = (await import('electron-updater')).default;
  autoUpdater.logger = {
    info: (message?: unknown) => log.info(String(message)),
    warn: (message?: unknown) => log.warn(String(message), null),
    error: (message?: unknown) => log.warn(String(message), null),
  };
  const look = () =>
    autoUpdater.checkForUpdatesAndNotify().catch((error: unknown) => {
      log.warn('looking for a newer version', error);
    });
  await look();
  setInterval(() => void look(), EVERY).unref();
}
