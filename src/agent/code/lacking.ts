import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { plural } from '../../shared/format.ts';
import { gitEnvironment } from '../../shared/git.ts';
import { entriesBelow } from './entries-below.ts';

/** Something that the code names and does not hold. */
export interface Lack {
  readonly kind: 'lfs' | 'annex' | 'submodule' | 'dvc' | 'link';
  readonly path: string;
}

/** Pointers are at most so large. Bytes. */
const POINTER = 1_024;
/** How many files are looked into at once, and how many paths a sentence names. */
const AT_ONCE = 32;
const NAMED = 5;

/** What stands in a small file in place of its content. Pure. */
export function pointerKind(text: string): 'lfs' | 'annex' | null {
  if (/^version https:\/\/(git-lfs\.github\.com|hawser\.github\.com)\/spec\//.test(text))
    return 'lfs';
  return /^\/annex\/objects\/\S/.test(text) ? 'annex' : null;
}

/** The folders that a `.gitmodules` names (gitmodules(5)). Pure. */
export function submodulesIn(text: string): readonly string[] {
  return [...text.matchAll(/^\s*path\s*=\s*"?([^"\n]+?)"?\s*$/gm)].flatMap(
    ([, name]) => name ?? [],
  );
}

/** What a folder of code lacks: files whose content lies elsewhere, submodules that nobody fetched. It need not be a checkout. */
export async function lackingIn(folder: string): Promise<readonly Lack[]> {
  const lacks: Lack[] = [];
  const small: string[] = [];
  for (const entry of await entriesBelow(folder)) {
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(folder, file);
    if (name.split(path.sep).includes('.git')) continue;
    const add = (kind: Lack['kind'], at = name): void => void lacks.push({ kind, path: at });
    if (entry.isSymbolicLink()) {
      const target = await readlink(file).catch(() => null);
      if (target === null || existsSync(file)) continue;
      if (/(^|\/)\.git\/annex\/objects\//.test(target)) add('annex');
      else if (!path.isAbsolute(target)) add('link');
    } else if (entry.isFile() && entry.name === '.gitmodules') {
      for (const inside of submodulesIn(await readFile(file, 'utf8').catch(() => ''))) {
        const at = path.join(entry.parentPath, inside);
        const found = await readdir(at).catch(() => []);
        if (found.every((each) => each === '.git')) add('submodule', path.relative(folder, at));
      }
    } else if (entry.isFile() && entry.name.endsWith('.dvc') && entry.name !== '.dvc') {
      if (!existsSync(file.slice(0, -'.dvc'.length))) add('dvc', name.slice(0, -'.dvc'.length));
    } else if (entry.isFile()) small.push(name);
  }
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let name = small[next++]; name !== undefined; name = small[next++]) {
      const kind = await kindOf(path.join(folder, name)).catch(() => null);
      if (kind !== null) lacks.push({ kind, path: name });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return lacks.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

async function kindOf(file: string): Promise<'lfs' | 'annex' | null> {
  const { size } = await stat(file);
  if (size === 0 || size > POINTER) return null;
  const handle = await open(file, 'r');
  try {
    const bytes = Buffer.alloc(100);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    return pointerKind(bytes.toString('latin1', 0, bytesRead));
  } finally {
    await handle.close();
  }
}

const WORDS: Readonly<
  Record<Lack['kind'], (count: number, from: 'git' | 'other') => { message: string; hint: string }>
> = {
  lfs: (count, from) => ({
    message: `The content of ${plural(count, 'file')} lies in Git LFS, and is not part of the code`,
    hint:
      from === 'git'
        ? 'Install git-lfs on this machine, and see that it may read there without being asked; then run the job anew.'
        : 'Fetch it with `git lfs pull` in the folder of the code, then run the job anew.',
  }),
  annex: (count) => ({
    message: `The content of ${plural(count, 'file')} lies in git-annex, and is not part of the code`,
    hint: 'Give it as the input of the job, or unlock it (`git annex unlock`) in a folder that you give as the code.',
  }),
  submodule: (count, from) => ({
    message: `${plural(count, 'submodule')} of the code ${count === 1 ? 'is' : 'are'} empty`,
    hint:
      from === 'git'
        ? 'See that this machine may read its repository without being asked for a password; then run the job anew.'
        : 'Fetch it with `git submodule update --init --recursive` in the folder of the code, then run the job anew.',
  }),
  dvc: (count) => ({
    message: `The content of ${plural(count, 'path')} lies in DVC, and is not part of the code`,
    hint: 'Fetch it with `dvc pull` in a folder that you give as the code, or give it as the input of the job.',
  }),
  link: (count) => ({
    message: `${plural(count, 'link')} of the code ${count === 1 ? 'leads' : 'lead'} to nothing`,
    hint: 'What a link leads to is part of the code only where it is not ignored.',
  }),
};

/** What is lacking, in words, each kind once. `from`: whether Trainyard cloned the code itself. Pure. */
export function lackingText(
  lacks: readonly Lack[],
  from: 'git' | 'other',
): readonly { readonly message: string; readonly hint: string }[] {
  return Object.entries(WORDS).flatMap(([kind, words]) => {
    const paths = lacks.filter((lack) => lack.kind === kind).map((lack) => lack.path);
    if (paths.length === 0) return [];
    const { message, hint } = words(paths.length, from);
    const more = paths.length > NAMED ? `, and ${paths.length - NAMED} more` : '';
    return [{ message: `${message}: ${paths.slice(0, NAMED).join(', ')}${more}.`, hint }];
  });
}

/**
 * Fetches what a clone lacks as far as this machine can: submodules, and files of Git LFS where git-lfs is there. What it could not is answered in git's own
 * words, one line each; what is lacking afterwards is for {@link lackingIn} to say. The `.git` of submodules goes: it leads to nothing once that of the clone
 * is gone.
 */
export async function fetchLacking(
  folder: string,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const said: string[] = [];
  const git = (...parameters: string[]): Promise<boolean> =>
    new Promise((resolve) => {
      execFile(
        'git',
        ['-C', folder, ...parameters],
        { env: gitEnvironment(environment), signal },
        (error, _, errors) => {
          if (error !== null) said.push(errors.trim() === '' ? error.message : errors.trim());
          resolve(error === null);
        },
      );
    });
  if (existsSync(path.join(folder, '.gitmodules')))
    await git('submodule', '--quiet', 'update', '--init', '--recursive');
  const lacks = await lackingIn(folder);
  if (lacks.some(({ kind }) => kind === 'lfs') && (await git('lfs', 'version'))) {
    await git('lfs', 'pull');
    await git('submodule', '--quiet', 'foreach', '--recursive', 'git lfs pull');
  }
  for (const entry of await entriesBelow(folder))
    if (entry.name === '.git' && entry.parentPath !== folder)
      await rm(path.join(entry.parentPath, entry.name), { recursive: true, force: true });
  return said;
}
