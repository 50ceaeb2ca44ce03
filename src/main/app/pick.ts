import { dialog, type BrowserWindow, type OpenDialogOptions } from 'electron';
import type { PickOptions } from '../ipc/window-shell.ts';

const PROPERTIES: Readonly<Record<PickOptions['what'], OpenDialogOptions['properties']>> = {
  folder: ['openDirectory', 'createDirectory'],
  folders: ['openDirectory', 'multiSelections'],
  files: ['openFile', 'multiSelections'],
};

/** Asks the user for paths with the system's own dialog, in front of the window. */
export async function pick(
  window: BrowserWindow | null,
  { title, button, what }: PickOptions,
): Promise<readonly string[]> {
  const options = { title, buttonLabel: button, properties: PROPERTIES[what] ?? [] };
  const answer = await (window === null
    ? dialog.showOpenDialog(options)
    : dialog.showOpenDialog(window, options));
  return answer.canceled ? [] : answer.filePaths;
}

/** Asks the user for the path of a new file. */
export async function saveAs(
  window: BrowserWindow | null,
  title: string,
  name: string,
): Promise<string | null> {
  const options = { title, defaultPath: name };
  const answer = await (window === null
    ? dialog.showSaveDialog(options)
    : dialog.showSaveDialog(window, options));
  return answer.canceled ? null : answer.filePath;
}
