import { Menu, type MenuItemConstructorOptions } from 'electron';
import { PLACES, type AskedPlace } from '../../shared/ipc/application.ts';

export interface MenuActions {
  readonly go: (place: AskedPlace) => void;
  readonly openPalette: () => void;
  /** Asks before it quits, where jobs go on. */
  readonly quit: () => void;
}

/** The menu bar: only what works, by the roles each system knows. */
export function installMenu(
  platform: NodeJS.Platform,
  { go, openPalette, quit }: MenuActions,
): void {
  const isMac = platform === 'darwin';
  const newJob: MenuItemConstructorOptions = {
    id: 'new-job',
    label: 'New job',
    accelerator: 'CmdOrCtrl+N',
    click: () => go({ screen: 'new-job' }),
  };
  const end: MenuItemConstructorOptions = {
    id: 'quit',
    label: isMac ? 'Quit Trainyard' : 'Quit',
    accelerator: 'CmdOrCtrl+Q',
    click: quit,
  };
  const template: MenuItemConstructorOptions[] = [
    ...(isMac
      ? [
          {
            label: 'Trainyard',
            submenu: [
              { role: 'about' },
              { type: 'separator' },
              { role: 'hide' },
              { role: 'hideOthers' },
              { role: 'unhide' },
              { type: 'separator' },
              end,
            ],
          } satisfies MenuItemConstructorOptions,
        ]
      : []),
    {
      label: 'File',
      submenu: [newJob, { type: 'separator' }, { role: 'close' }, ...(isMac ? [] : [end])],
    },
    { role: 'editMenu' },
    {
      label: 'Go',
      submenu: [
        {
          id: 'palette',
          label: 'Command palette',
          accelerator: 'CmdOrCtrl+K',
          click: openPalette,
        },
        { type: 'separator' },
        ...PLACES.map(({ screen, label }, index): MenuItemConstructorOptions => ({
          id: `go-${screen}`,
          label,
          accelerator: `CmdOrCtrl+${index + 1}`,
          click: () => go({ screen }),
        })),
        // The key that many know settings by.
        {
          label: 'Settings',
          accelerator: 'CmdOrCtrl+,',
          click: () => go({ screen: 'settings' }),
          visible: false,
          acceleratorWorksWhenHidden: true,
        },
      ],
    },
    {
      label: 'View',
      submenu: [
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { type: 'separator' },
        { role: 'togglefullscreen' },
        { role: 'toggleDevTools' },
      ],
    },
    { role: 'windowMenu' },
  ];
  Menu.setApplicationMenu(Menu.buildFromTemplate(template));
}
