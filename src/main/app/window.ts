import path from 'node:path';
import { BrowserWindow, nativeTheme } from 'electron';
import { PAGE_ORIGIN } from '../../shared/ipc.ts';
import { WEB_PREFERENCES } from './policy.ts';

/** Opens the window, hidden until its first paint. `out` is the folder of the built programs. */
export function openWindow(out: string): BrowserWindow {
  const window = new BrowserWindow({
    width: 1280,
    height: 800,
    minWidth: 720,
    minHeight: 480,
    show: false,
    title: 'Trainyard',
    backgroundColor: nativeTheme.shouldUseDarkColors ? '#1f1f1f' : '#ffffff',
    webPreferences: { ...WEB_PREFERENCES, preload: path.join(out, 'preload', 'index.cjs') },
  });
  window.once('ready-to-show', () => window.show());
  void window.loadURL(`${PAGE_ORIGIN}/index.html`);
  return window;
}

export function bringToFront(window: BrowserWindow): void {
  if (window.isMinimized()) window.restore();
  window.show();
  window.focus();
}
