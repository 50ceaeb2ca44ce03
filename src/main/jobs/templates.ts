import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_JOB_FILE, MAX_TEMPLATES } from '../../shared/ipc/new-job.ts';
import { jobNameSchema } from '../../shared/job-spec.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { writeFileAtomically } from '../platform/atomic-file.ts';
import { codeOf, reasonOf } from '../platform/paths.ts';
import { makeFolders } from '../platform/make-folders.ts';

const ENDING = '.yaml';

/** Job files under names, in a folder of the home: the command line runs them as they are. Names are those that a job may have. */
export interface Templates {
  /** In the order of the alphabet. */
  list(): Promise<Result<readonly string[]>>;
  /** Errors: `input.template`. */
  read(name: string): Promise<Result<string>>;
  /** Takes the place of one of that name. Errors: `host.templates`, `input.templates-full`. */
  save(name: string, text: string): Promise<Result<void>>;
  remove(name: string): Promise<Result<void>>;
}

export function templatesIn(folder: string): Templates {
  const fileOf = (name: string): string => {
    // A bug of the caller: names never come unchecked.
    if (!jobNameSchema.safeParse(name).success) throw new Error(`not a template's name: ${name}`);
    return join(folder, `${name}${ENDING}`);
  };
  const refused = (op: string, error: unknown): Problem =>
    problem({
      code: 'host.templates',
      op,
      subject: folder,
      message: `The templates in ${folder} cannot be used: ${reasonOf(error)}.`,
      hint: 'Make the folder readable and writable for you, and see that the disk has room.',
    });

  const list: Templates['list'] = async () => {
    try {
      const names = (await readdir(folder))
        .filter((file) => file.endsWith(ENDING))
        .map((file) => file.slice(0, -ENDING.length))
        .filter((name) => jobNameSchema.safeParse(name).success);
      return ok(names.sort((a, b) => a.localeCompare(b, 'en')).slice(0, MAX_TEMPLATES));
    } catch (error) {
      return codeOf(error) === 'ENOENT' ? ok([]) : fail(refused('list the templates', error));
    }
  };

  return {
    list,
    async read(name) {
      const path = fileOf(name);
      const unusable = (message: string, hint: string): ReturnType<typeof fail> =>
        fail(
          problem({
            code: 'input.template',
            op: 'read the template',
            subject: path,
            message,
            hint,
          }),
        );
      try {
        if ((await stat(path)).size > MAX_JOB_FILE)
          return unusable(`${path} is too large for a job file.`, 'Remove the template.');
        return ok(await readFile(path, 'utf8'));
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') return fail(refused('read the template', error));
        return unusable(`There is no template "${name}" any more.`, 'Choose another.');
      }
    },
    async save(name, text) {
      const names = await list();
      if (!names.ok) return names;
      if (!names.value.includes(name) && names.value.length >= MAX_TEMPLATES)
        return fail(
          problem({
            code: 'input.templates-full',
            op: 'save the template',
            subject: folder,
            message: `There are ${MAX_TEMPLATES} templates already.`,
            hint: 'Remove one first.',
          }),
        );
      try {
        makeFolders(folder);
        writeFileAtomically(fileOf(name), text);
        return ok();
      } catch (error) {
        return fail(refused('save the template', error));
      }
    },
    async remove(name) {
      try {
        await rm(fileOf(name), { force: true });
        return ok();
      } catch (error) {
        return fail(refused('remove the template', error));
      }
    },
  };
}
