import path from 'node:path';
import { BrowserWindow, nativeTheme, screen } from 'electron';
import { PAGE_ORIGIN } from '../../shared/ipc.ts';
import { afterCrash } from './crashes.ts';
import { WEB_PREFERENCES } from './policy.ts';
import { isInSight, type Frame } from './preferences.ts';

export interface WindowOptions {
  /** The folder of the built programs. */
  readonly out: string;
  /** Where it stood last time. */
  readonly frame: Frame | null;
  /** It was moved, or its size changed. */
  readonly onFrame: (frame: Frame) => void;
  /** The page's process ended by itself: it is loaded anew, but not for ever. */
  readonly onCrash: (reason: string) => void;
  /** It did so too often. Answers with whether to load it all the same. */
  readonly onLost: (window: BrowserWindow) => Promise<boolean>;
}

/** How long a window rests before its place is kept. Milliseconds. */
const REST = 400;
/** Before a page that crashed is loaded again. Milliseconds. */
const AFTER_CRASH = 200;

/** Opens the window, hidden until its first paint. */
export function openWindow({ out, frame, onFrame, onCrash, onLost }: WindowOptions): BrowserWindow {
  const screens = screen.getAllDisplays().map(({ workArea }) => workArea);
  const known = frame !== null && isInSight(frame, screens) ? frame : null;
  const window = new BrowserWindow({
    width: known?.width ?? 1280,
    height: known?.height ?? 800,
    ...(known === null ? {} : { x: known.x, y: known.y }),
    // The least that every screen has room in.
    minWidth: 900,
    minHeight: 600,
    show: false,
    title: 'Trainyard',
    // Elsewhere the packaged application has one.
    ...(process.platform === 'linux' ? { icon: path.join(out, 'icons', '128x128.png') } : {}),
    backgroundColor: nativeTheme.shouldUseDarkColors ? '#1f1f1f' : '#ffffff',
    webPreferences: { ...WEB_PREFERENCES, preload: path.join(out, 'preload', 'index.cjs') },
  });
  if (known?.maximized === true) window.maximize();
  window.once('ready-to-show', () => window.show());

  let timer: NodeJS.Timeout | undefined;
  const keep = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (window.isDestroyed() || window.isMinimized() || window.isFullScreen()) return;
      onFrame({ ...window.getNormalBounds(), maximized: window.isMaximized() });
    }, REST);
  };
  // One at a time: the overloads do not take a list.
  window.on('resize', keep);
  window.on('move', keep);
  window.on('maximize', keep);
  window.on('unmaximize', keep);
  window.on('closed', () => clearTimeout(timer));

  let crashes: readonly number[] = [];
  const load = () => {
    if (!window.isDestroyed()) window.webContents.reload();
  };
  const ask = () => {
    if (window.isDestroyed()) return;
    void onLost(window).then((again) => {
      if (!again) return;
      crashes = [];
      load();
    });
  };
  window.webContents.on('render-process-gone', (_event, { reason }) => {
    onCrash(reason);
    const { times, then } = afterCrash(crashes, Date.now(), reason);
    crashes = times;
    // Not from within: a page that is about to be gone cannot be loaded.
    if (then !== 'nothing') setTimeout(() => (then === 'load' ? load() : ask()), AFTER_CRASH);
  });
  void window.loadURL(`${PAGE_ORIGIN}/index.html`);
  return window;
}

export function bringToFront(window: BrowserWindow): void {
  if (window.isMinimized()) window.restore();
  window.show();
  window.focus();
}
