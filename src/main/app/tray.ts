import {
  Menu,
  nativeImage,
  Tray,
  type MenuItemConstructorOptions,
  type NativeImage,
} from 'electron';
import type { AskedPlace } from '../../shared/ipc/application.ts';
import type { JobView } from '../../shared/views.ts';
import { drawIcon } from './icon.ts';
import { goesOn } from '../../shared/job-status.ts';

export interface TrayActions {
  readonly go: (place: AskedPlace | null) => void;
  readonly quit: () => void;
}

export interface TrayIcon {
  /** Shows what goes on now. */
  readonly show: (jobs: readonly JobView[]) => void;
  readonly close: () => void;
}

/** The most jobs that the menu lists. */
const MOST = 8;

/** An image of our icon with what finer screens want. */
export function iconImage(size: number): NativeImage {
  const image = nativeImage.createEmpty();
  for (const scaleFactor of [1, 1.5, 2]) {
    const side = Math.round(size * scaleFactor);
    image.addRepresentation({ scaleFactor, width: side, height: side, dataURL: dataUrl(side) });
  }
  return image;
}

function dataUrl(side: number): string {
  const pixels = Buffer.from(drawIcon(side));
  // Electron takes blue, green, red, and alpha multiplied in.
  for (let at = 0; at < pixels.length; at += 4) {
    const [red = 0, green = 0, blue = 0, alpha = 0] = pixels.subarray(at, at + 4);
    const share = alpha / 255;
    pixels.set([blue * share, green * share, red * share, alpha].map(Math.round), at);
  }
  return nativeImage.createFromBitmap(pixels, { width: side, height: side }).toDataURL();
}

/** Puts the icon where the system keeps such: its menu opens the window, leads to jobs, starts one, quits. */
export function openTray(platform: NodeJS.Platform, actions: TrayActions): TrayIcon {
  const tray = new Tray(iconImage(platform === 'darwin' ? 18 : platform === 'win32' ? 16 : 22));
  let shown = '';
  const show = (jobs: readonly JobView[]) => {
    const going = jobs.filter(goesOn);
    const words = trayWords(going);
    const now = JSON.stringify(words);
    // The system draws an open menu anew each time.
    if (now === shown) return;
    shown = now;
    tray.setToolTip(words.tip);
    const entries = words.jobs.map(({ id, label }): MenuItemConstructorOptions => ({
      label,
      click: () => actions.go({ screen: 'jobs', job: id }),
    }));
    const template: MenuItemConstructorOptions[] = [
      { label: 'Open Trainyard', click: () => actions.go(null) },
      { type: 'separator' },
      ...(entries.length === 0 ? [{ label: words.tip, enabled: false }] : entries),
      { type: 'separator' },
      { label: 'New job', click: () => actions.go({ screen: 'new-job' }) },
      { label: 'Quit', click: actions.quit },
    ];
    tray.setContextMenu(Menu.buildFromTemplate(template));
  };
  tray.on('click', () => actions.go(null));
  show([]);
  return { show, close: () => tray.destroy() };
}

/** What icon and menu say of the jobs that go on. Pure. */
export function trayWords(going: readonly JobView[]): {
  readonly tip: string;
  readonly jobs: readonly { readonly id: string; readonly label: string }[];
} {
  const tip =
    going.length === 0
      ? 'No job goes on'
      : going.length === 1
        ? `${going[0]?.name ?? 'A job'}: ${stateWords(going[0])}`
        : `${going.length} jobs go on`;
  const jobs = going.slice(0, MOST).map((job) => ({
    id: job.id,
    // An underscore marks a letter for the keyboard in a menu.
    label: `${job.name.replaceAll('&', '&&')}: ${stateWords(job)}`,
  }));
  return { tip, jobs };
}

function stateWords(job: JobView | undefined): string {
  if (job === undefined) return '';
  if (job.status.accessAwaited !== null) return 'waits for access';
  const running = job.workers.filter(({ state }) => state === 'running').length;
  return job.state === 'running' && job.workers.length > 1
    ? `running, ${running} of ${job.workers.length} workers`
    : job.state;
}
