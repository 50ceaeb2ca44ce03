import { homedir } from 'node:os';
import { isAbsolute } from 'node:path';
import { stringify } from 'yaml';
import type { HandlersOf } from '../../../shared/ipc.ts';
import type { NOTEBOOK_CALLS } from '../../../shared/ipc/notebooks.ts';
import { fail, ok, problem } from '../../../shared/problem.ts';
import type { Services } from '../../services.ts';
import type { WindowShell } from '../window-shell.ts';
import { withoutValue } from './without-value.ts';

export function notebookHandlers(
  { jobs }: Pick<Services, 'jobs'>,
  shell: Pick<WindowShell, 'openNotebook'>,
): HandlersOf<typeof NOTEBOOK_CALLS> {
  return {
    'notebook-start': async ({ acceptWhole = false, ...request }) => {
      const folders = [request.code, request.input?.startsWith('gs://') ? null : request.input];
      const relative = folders.find((folder) => typeof folder === 'string' && !isAbsolute(folder));
      if (typeof relative === 'string')
        return fail(
          problem({
            code: 'input.folder',
            op: 'start the notebook',
            subject: relative,
            message: `${relative} is neither an address nor a whole path.`,
            hint: 'Write gs://bucket/path, or the path from the root of the disk.',
          }),
        );
      const submitted = await jobs.submitNotebook(request, {
        baseFolder: homedir(),
        onNotNarrowed: () => Promise.resolve(acceptWhole),
      });
      if (!submitted.ok) return submitted;
      return ok({ id: submitted.value.id, warnings: [...submitted.value.warnings] });
    },
    'notebook-open': async ({ id, where }) => {
      const found = await jobs.openNotebook(id);
      if (!found.ok) return found;
      const view = await jobs.get(id);
      if (!view.ok) return view;
      return withoutValue(
        await shell.openNotebook({ ...found.value, id, name: view.value.name }, where),
      );
    },
    'notebook-job': async ({ id }) => {
      const spec = await jobs.jobOfNotebook(id, {});
      return spec.ok ? ok(stringify(spec.value, { lineWidth: 0 })) : spec;
    },
  };
}
