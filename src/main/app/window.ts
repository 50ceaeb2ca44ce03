import path from 'node:path';
import { BrowserWindow, nativeTheme, screen } from 'electron';
import { PAGE_ORIGIN, WITHOUT_LOG } from '../../shared/page-origin.ts';
import { afterCrash } from './crashes.ts';
import { WEB_PREFERENCES } from './policy.ts';
import { isInSight, type Frame } from './frame.ts';

export interface WindowOptions {
  /** Where it stood last time. */
  readonly frame: Frame | null;
  /** It was moved, or its size changed. */
  readonly onFrame: (frame: Frame) => void;
  /** The page's process ended by itself: it is loaded anew, but not for ever. */
  readonly onCrash: (reason: string) => void;
  /** It did so too often. Answers with whether to load it all the same. */
  readonly onLost: (window: BrowserWindow) => Promise<boolean>;
  /** The page does not respond. Answers with whether to load it anew without a log; `signal` is aborted once it responds again. */
  readonly onHang: (window: BrowserWindow, signal: AbortSignal) => Promise<boolean>;
}

/** How long a window rests before its place is kept. Milliseconds. */
const REST = 400;
/** Before a page that crashed is loaded again. Milliseconds. */
const AFTER_CRASH = 200;

/** A window whose page is on its way, and that nobody sees yet. */
export interface MadeWindow {
  readonly window: BrowserWindow;
  /** Puts it in its place, and shows it once its page has painted. */
  readonly open: (options: WindowOptions) => void;
}

/**
 * Makes the window and asks for its page: making the page's process takes longer than anything else at the start, and goes on beside it. `out`: the
 * folder of the built programs.
 */
export function makeWindow(out: string): MadeWindow {
  const window = new BrowserWindow({
    width: 1280,
    height: 800,
    // The least that every screen has room in.
    minWidth: 900,
    minHeight: 600,
    show: false,
    title: 'Trainyard',
    // Elsewhere the packaged application has one.
    ...(process.platform === 'linux' ? { icon: path.join(out, 'icons', '128x128.png') } : {}),
    backgroundColor: background(),
    webPreferences: { ...WEB_PREFERENCES, preload: path.join(out, 'preload', 'index.cjs') },
  });
  const painted = new Promise<void>((resolve) => window.once('ready-to-show', () => resolve()));
  let early: string | null = null;
  const goneEarly = (_event: unknown, { reason }: { readonly reason: string }) => {
    early = reason;
  };
  window.webContents.on('render-process-gone', goneEarly);
  void window.loadURL(`${PAGE_ORIGIN}/index.html`);
  return {
    window,
    open: (options) => {
      window.webContents.off('render-process-gone', goneEarly);
      const { gone } = openInPlace(window, options);
      if (early !== null) gone(early);
      void painted.then(() => {
        if (!window.isDestroyed()) window.show();
      });
    },
  };
}

const background = () => (nativeTheme.shouldUseDarkColors ? '#1f1f1f' : '#ffffff');

function openInPlace(
  window: BrowserWindow,
  { frame, onFrame, onCrash, onLost, onHang }: WindowOptions,
): { readonly gone: (reason: string) => void } {
  const screens = screen.getAllDisplays().map(({ workArea }) => workArea);
  const known = frame !== null && isInSight(frame, screens) ? frame : null;
  // The theme is known by now; a window that is made large is shown.
  window.setBackgroundColor(background());
  if (known !== null) {
    const { x, y, width, height } = known;
    window.setBounds({ x, y, width, height });
    if (known.maximized) window.maximize();
  }
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
  let withoutLog = false;
  const load = () => {
    if (window.isDestroyed()) return;
    if (withoutLog) void window.loadURL(`${PAGE_ORIGIN}/index.html?${WITHOUT_LOG}`);
    else window.webContents.reload();
  };
  const ask = () => {
    if (window.isDestroyed()) return;
    void onLost(window).then((again) => {
      if (!again) return;
      crashes = [];
      load();
    });
  };
  const gone = (reason: string) => {
    onCrash(reason);
    const { times, then } = afterCrash(crashes, Date.now(), reason);
    crashes = times;
    // Not from within: a page that is about to be gone cannot be loaded.
    if (then !== 'nothing') setTimeout(() => (then === 'load' ? load() : ask()), AFTER_CRASH);
  };
  window.webContents.on('render-process-gone', (_event, { reason }) => gone(reason));
  let responds: AbortController | null = null;
  window.on('responsive', () => responds?.abort());
  window.on('unresponsive', () => {
    if (responds !== null) return;
    const asked = new AbortController();
    responds = asked;
    void onHang(window, asked.signal).then((leave) => {
      responds = null;
      if (!leave || asked.signal.aborted || window.isDestroyed()) return;
      // A page that is busy cannot be loaded anew: its process ends, and that loads it.
      withoutLog = true;
      window.webContents.forcefullyCrashRenderer();
    });
  });
  return { gone };
}

export function bringToFront(window: BrowserWindow): void {
  if (window.isMinimized()) window.restore();
  window.show();
  window.focus();
}
