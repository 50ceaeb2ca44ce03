import { BrowserWindow, dialog } from 'electron';

/** Asks the user for a folder of this machine; null: none was chosen. */
export async function pickFolder(title: string): Promise<string | null> {
  const options = { title, properties: ['openDirectory' as const] };
  const window = BrowserWindow.getFocusedWindow() ?? BrowserWindow.getAllWindows()[0];
  const answer =
    window === undefined
      ? await dialog.showOpenDialog(options)
      : await dialog.showOpenDialog(window, options);
  return answer.canceled ? null : (answer.filePaths[0] ?? null);
}
