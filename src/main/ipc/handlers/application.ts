import type { HandlersOf } from '../../../shared/ipc.ts';
import type { APPLICATION_CALLS } from '../../../shared/ipc/application.ts';
import { fail, ok, problem } from '../../../shared/problem.ts';
import { keepPreferences, keepViews, readPreferences, readViews } from '../../app/preferences.ts';
import type { Services } from '../../services.ts';
import type { WindowShell } from '../window-shell.ts';
import { withoutValue } from './without-value.ts';

interface Application {
  readonly version: string;
  readonly home: string;
}

export function applicationHandlers(
  { endpoints, settings, paths }: Pick<Services, 'endpoints' | 'settings' | 'paths'>,
  shell: Pick<
    WindowShell,
    'applyPreferences' | 'firstPlace' | 'keepPlace' | 'hasTray' | 'openFolder'
  >,
  { version, home }: Application,
): HandlersOf<typeof APPLICATION_CALLS> {
  return {
    about: async () =>
      ok({
        version,
        home,
        storage: endpoints.storage,
        emulated: endpoints.emulated,
        tray: shell.hasTray,
      }),
    preferences: async () => ok(readPreferences(settings, shell.hasTray)),
    'keep-preferences': async (preferences) => {
      shell.applyPreferences(preferences);
      return withoutValue(keepPreferences(settings, preferences, shell.hasTray));
    },
    views: async () => ok(readViews(settings)),
    'keep-views': async (views) => withoutValue(keepViews(settings, views)),
    'open-folder': async ({ folder }) => {
      const path = paths[folder];
      const said = await shell.openFolder(path);
      if (said === null) return ok(undefined);
      return fail(
        problem({
          code: 'host.open-folder',
          op: 'open the folder',
          subject: path,
          message: `The system could not open ${path} (${said}).`,
          hint: 'It may have no file manager: copy the path instead.',
        }),
      );
    },
    'first-place': async () => ok(shell.firstPlace()),
    'keep-place': async (place) => {
      shell.keepPlace(place);
      return ok(undefined);
    },
  };
}
