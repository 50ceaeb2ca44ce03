import { appendFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { journalLineSchema, type JournalLine } from './model.ts';

const INDEX = 'index.jsonl';

/** The folder that holds contents, uploads on their way, and the index. */
export interface Folder {
  readonly content: string;
  readonly incoming: string;
  readonly root: string;
}

/** Makes the folder ready; what uploads of an earlier process left is removed. */
export async function openFolder(root: string): Promise<Folder> {
  const folder = { root, content: join(root, 'content'), incoming: join(root, 'incoming') };
  await rm(folder.incoming, { recursive: true, force: true });
  await mkdir(folder.content, { recursive: true });
  await mkdir(folder.incoming, { recursive: true });
  return folder;
}

/** The lines of the index, oldest first. A last line that a kill cut short is left out; any other line that cannot be read is an exception. */
export async function readIndex(folder: Folder): Promise<readonly JournalLine[]> {
  const text = await readFile(join(folder.root, INDEX), 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  });
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => journalLineSchema.parse(JSON.parse(line)));
}

/** Replaces the index by the lines that are true now, and removes contents that none of them names. */
export async function compact(
  folder: Folder,
  lines: readonly JournalLine[],
  generations: ReadonlySet<string>,
): Promise<void> {
  const fresh = join(folder.root, `${INDEX}.new`);
  await writeFile(fresh, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), {
    mode: 0o600,
  });
  await rename(fresh, join(folder.root, INDEX));
  for (const name of await readdir(folder.content))
    if (/^\d+$/.test(name) && !generations.has(name))
      await rm(join(folder.content, name), { force: true });
}

/** Appends lines in order; those that wait while one write is under way go out together. */
export class Journal {
  readonly #file: string | null;
  #waiting: string[] = [];
  #writing: Promise<void> = Promise.resolve();

  /** `folder` null: nothing is kept. */
  constructor(folder: Folder | null) {
    this.#file = folder === null ? null : join(folder.root, INDEX);
  }

  /** Resolves once the line is in the file. */
  append(line: JournalLine): Promise<void> {
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
