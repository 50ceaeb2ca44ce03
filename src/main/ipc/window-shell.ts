import type { EventBody, EventName } from '../../shared/ipc.ts';
import type { Result } from '../../shared/problem.ts';
import type { OpenNotebook } from '../jobs/submit-notebook.ts';
import type { AskedPlace, Preferences } from '../../shared/ipc/application.ts';

/** What handlers ask of the window itself; `app/` does it with Electron, tests with a few lines. */
export interface WindowShell {
  /** Tells the window, if there is one. */
  readonly push: <Name extends EventName>(name: Name, body: EventBody<Name>) => void;
  /** The system's own dialog. The chosen paths, absolute; none when the user changed their mind. */
  readonly pick: (options: PickOptions) => Promise<readonly string[]>;
  /** The clipboard's text; what it says never goes to the window. */
  readonly readClipboard: () => Promise<string>;
  readonly clearClipboard: () => Promise<void>;
  /** Rejects where the system has no trash for the file. */
  readonly moveToTrash: (path: string) => Promise<void>;
  /** Shows a folder in the system's file manager. Answers with what the system said against it, or null. */
  readonly openFolder: (path: string) => Promise<string | null>;
  /** The system's own dialog for a new file: its absolute path, or null when the user changed their mind. */
  readonly saveAs: (title: string, name: string) => Promise<string | null>;
  /** Opens a notebook in a window of its own, or in the system's browser. */
  readonly openNotebook: (
    notebook: OpenNotebook & { readonly id: string; readonly name: string },
    where: 'window' | 'browser',
  ) => Promise<Result<void>>;
  /** Where a link asked the window to go before it listened; told once. */
  readonly firstPlace: () => AskedPlace | null;
  /** Where the window is: there a page that crashed comes back. */
  readonly keepPlace: (place: AskedPlace) => void;
  /** A stop of the job was asked for here: that it ends so is no news to whoever did. */
  readonly stopAsked: (job: string) => void;
  /** The system has a place for the application's icon. */
  readonly hasTray: boolean;
  readonly applyPreferences: (preferences: Preferences) => void;
}

export interface PickOptions {
  readonly title: string;
  /** What its button says. */
  readonly button: string;
  /** `folder` is one folder, which may be made there. */
  readonly what: 'folder' | 'files' | 'folders';
}
