import path from 'node:path';
import { BrowserWindow, nativeTheme, screen } from 'electron';
import { PAGE_ORIGIN } from '../../shared/ipc.ts';
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
}

/** How long a window rests before its place is kept. Milliseconds. */
const REST = 400;
/** More crashes than these within this time: a page that cannot be shown. Milliseconds. */
const MOST_CRASHES = 3;
const CRASH_TIME = 60_000;
const AFTER_CRASH = 200;

/** Opens the window, hidden until its first paint. */
export function openWindow({ out, frame, onFrame, onCrash }: WindowOptions): BrowserWindow {
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
  window.webContents.on('render-process-gone', (_event, { reason }) => {
    onCrash(reason);
    const now = Date.now();
    crashes = [...crashes.filter((time) => now - time < CRASH_TIME), now];
    if (reason === 'clean-exit' || crashes.length > MOST_CRASHES) return;
    // Not from within: a page that is about to be gone cannot be loaded.
    setTimeout(() => {
      if (!window.isDestroyed()) window.webContents.reload();
    }, AFTER_CRASH);
  });
  void window.loadURL(`${PAGE_ORIGIN}/index.html`);
  return window;
}

export function bringToFront(window: BrowserWindow): void {
  if (window.isMinimized()) window.restore();
  window.show();
  window.focus();
}
