import { contextBridge, ipcRenderer, webUtils, type IpcRendererEvent } from 'electron';
import {
  callChannel,
  CALL_NAMES,
  eventChannel,
  EVENT_NAMES,
  type Bridge,
} from '../../shared/ipc.ts';

/** The window's only way out: the calls and events of the contract, by name, nothing of Electron itself. */
const bridge: Bridge = {
  call: (name, args) => {
    if (!CALL_NAMES.includes(name)) return Promise.reject(new Error('refused: no such call'));
    return ipcRenderer.invoke(callChannel(name), args) as ReturnType<Bridge['call']> as never;
  },
  subscribe: (name, listener) => {
    if (!EVENT_NAMES.includes(name)) throw new Error('refused: no such event');
    const channel = eventChannel(name);
    const forward = (_event: IpcRendererEvent, body: Parameters<typeof listener>[0]) =>
      listener(body);
    ipcRenderer.on(channel, forward);
    return () => {
      ipcRenderer.removeListener(channel, forward);
    };
  },
  pathOf: (file) => (file instanceof File ? webUtils.getPathForFile(file) : ''),
};

contextBridge.exposeInMainWorld('trainyard', bridge);
