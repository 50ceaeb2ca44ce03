import { ipcMain, type IpcMainInvokeEvent, type WebContents } from 'electron';
import type * as z from 'zod';
import {
  callChannel,
  CALL_NAMES,
  CALLS,
  eventChannel,
  EVENTS,
  type CallArguments,
  type CallHandlers,
  type CallName,
  type EventBody,
  type EventName,
} from '../../shared/ipc.ts';
import { fail, problem, type Result } from '../../shared/problem.ts';
import { dropUnknown } from '../../shared/unknown-fields.ts';
import { mayCall } from '../app/policy.ts';
import { inTheWindow } from './in-the-window.ts';

/**
 * The one door between the main process and the window: `ipcMain` and `webContents.send` appear in this file alone.
 * A call is taken from the main frame of the own window at the exact origin, with arguments as declared; any other rejects.
 */
export interface Door {
  /** Tells the window, if there is one. */
  readonly push: <Name extends EventName>(name: Name, body: EventBody<Name>) => void;
  readonly close: () => void;
}

export interface DoorOptions {
  readonly handlers: CallHandlers;
  /** The window that may call, or null while there is none. */
  readonly contents: () => WebContents | null;
  /** Told of exceptions in handlers: bugs. */
  readonly onBug: (where: string, error: unknown) => void;
}

function isAllowed(event: IpcMainInvokeEvent, contents: WebContents | null): boolean {
  const frame = event.senderFrame;
  return (
    frame !== null &&
    mayCall({
      origin: frame.origin,
      isMainFrame: frame === event.sender.mainFrame,
      isOwnWindow: contents !== null && event.sender === contents,
    })
  );
}

export function openDoor({ handlers, contents, onBug }: DoorOptions): Door {
  const answer = async <Name extends CallName>(
    name: Name,
    args: CallArguments<Name>,
  ): Promise<Result<unknown>> => {
    try {
      const result = await handlers[name](args);
      return inTheWindow(
        result.ok
          ? { ok: true, value: dropUnknown(CALLS[name].value).parse(result.value) }
          : result,
      );
    } catch (error) {
      onBug(`call ${name}`, error);
      return fail(
        problem({
          code: 'internal.call',
          op: name,
          subject: 'the application',
          message: 'Something went wrong inside Trainyard.',
          hint: 'The log of the application has the details.',
        }),
      );
    }
  };

  for (const name of CALL_NAMES)
    ipcMain.handle(callChannel(name), async (event, args: unknown) => {
      if (!isAllowed(event, contents())) throw new Error('refused: not the window of Trainyard');
      const parsed = CALLS[name].args.safeParse(args);
      if (!parsed.success) throw new Error(`refused: the arguments of "${name}" are not as agreed`);
      return answer(name, parsed.data);
    });

  return {
    push: (name, body) => {
      const target = contents();
      if (target === null || target.isDestroyed()) return;
      target.send(
        eventChannel(name),
        inTheWindow(dropUnknown<z.ZodType>(EVENTS[name]).parse(body)),
      );
    },
    close: () => {
      for (const name of CALL_NAMES) ipcMain.removeHandler(callChannel(name));
    },
  };
}
