import { appendFile, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as z from 'zod';
import { journalLineSchema, type JournalLine, type SessionLine } from './model.ts';
import { makeFolders } from './make-folders.ts';

const INDEX = 'index.jsonl';

/** The folder that holds contents, uploads on their way, and the index. */
export interface Folder {
  readonly content: string;
  readonly incoming: string;
  /** Content of resumable uploads. */
  readonly sessions: string;
  readonly root: string;
}

/** Makes the folder ready; what simple uploads of an earlier process left is removed. */
export async function openFolder(root: string): Promise<Folder> {
  const folder = {
    root,
    content: join(root, 'content'),
    incoming: join(root, 'incoming'),
    sessions: join(root, 'sessions'),
  };
  await rm(folder.incoming, { recursive: true, force: true });
  for (const path of [folder.content, folder.incoming, folder.sessions]) makeFolders(path);
  return folder;
}

/** The lines of a file, oldest first. A last line that a kill cut short is left out; any other line that cannot be read is an exception. */
export async function readLines<T>(file: string, schema: z.ZodType<T>): Promise<readonly T[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  });
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => schema.parse(JSON.parse(line)));
}

/** Replaces a file by these lines; a kill leaves either. */
export async function replaceLines(file: string, lines: readonly unknown[]): Promise<void> {
  const fresh = `${file}.new`;
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  await writeFile(fresh, text, { mode: 0o600 });
  await rename(fresh, file);
}

export const indexOf = (folder: Folder): string => join(folder.root, INDEX);

/** The lines of the index of buckets and objects. */
export function readIndex(folder: Folder): Promise<readonly JournalLine[]> {
  return readLines(indexOf(folder), journalLineSchema);
}

/** Replaces the index by the lines that are true now, and removes contents that none of them names. */
export async function compact(
  folder: Folder,
  lines: readonly JournalLine[],
  generations: ReadonlySet<string>,
): Promise<void> {
  await replaceLines(indexOf(folder), lines);
  for (const name of await readdir(folder.content))
    if (/^\d+$/.test(name) && !generations.has(name))
      await rm(join(folder.content, name), { force: true });
}

/** Appends lines in order; those that wait while one write is under way go out together. */
export class Journal {
  readonly #file: string | null;
  #waiting: string[] = [];
  #writing: Promise<void> = Promise.resolve();

  /** `file` null: nothing is kept. */
  constructor(file: string | null) {
    this.#file = file;
  }

  /** Resolves once the line is in the file. */
  append(line: JournalLine | SessionLine): Promise<void> {
    const file = this.#file;
    if (file === null) return Promise.resolve();
    this.#waiting.push(`${JSON.stringify(line)}\n`);
    const before = this.#writing.catch(() => undefined);
    this.#writing = before.then(async () => {
      const text = this.#waiting.join('');
      this.#waiting = [];
      if (text !== '') await appendFile(file, text, { mode: 0o600 });
    });
    return this.#writing;
  }
}
