import { open, readdir } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import {
  keyFileWord,
  mentionInCommands,
  type KeyFileMention,
} from '../../shared/key-file-mention.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import { problem, type Problem } from '../../shared/problem.ts';

/** Sources and scripts; data and binaries are not read. */
const SOURCES =
  /^\.(py|ipynb|sh|bash|js|mjs|cjs|ts|mts|jsx|tsx|go|java|kt|scala|rb|r|jl|rs|c|cc|cpp|cs|php|pl|lua|yaml|yml|toml|cfg|ini|env)$|^$/i;
const SKIPPED = new Set(['node_modules', '__pycache__', 'site-packages', 'venv', 'env']);
/** How much is looked at: files, bytes of each, folders deep, milliseconds. */
const MOST_FILES = 2_000;
const MOST_BYTES = 262_144;
const DEEPEST = 8;
const TIME = 2_000;

/** The first file of a folder of code that mentions a key file, by its path inside; null where none of those that were looked at does. */
export async function mentionInCode(
  folder: string,
  signal: AbortSignal,
): Promise<KeyFileMention | null> {
  const until = performance.now() + TIME;
  const folders: { readonly path: string; readonly depth: number }[] = [{ path: folder, depth: 0 }];
  let looked = 0;
  for (let next = folders.shift(); next !== undefined; next = folders.shift()) {
    const entries = await readdir(next.path, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (signal.aborted || looked >= MOST_FILES || performance.now() > until) return null;
      const path = join(next.path, entry.name);
      const hidden = entry.name.startsWith('.');
      if (entry.isDirectory() && !hidden && !SKIPPED.has(entry.name) && next.depth < DEEPEST)
        folders.push({ path, depth: next.depth + 1 });
      if (!entry.isFile() || (hidden && entry.name !== '.env')) continue;
      if (!SOURCES.test(extname(entry.name))) continue;
      looked += 1;
      const word = keyFileWord(await beginningOf(path));
      if (word !== null) return { where: relative(folder, path).split(sep).join('/'), word };
    }
  }
  return null;
}

async function beginningOf(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0);
      return buffer.toString('latin1', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return '';
  }
}

/** What to tell before a job starts whose workers get tokens while its code or commands want a key file; null where there is nothing. */
export async function warnOfKeyFile(
  spec: JobSpec,
  /** The folder of the code on this machine, or null. */
  folder: string | null,
  signal: AbortSignal,
): Promise<Problem | null> {
  const choice = spec.workerKeys[0];
  if (choice === undefined || choice.mode === 'key-file') return null;
  const found =
    mentionInCommands(spec) ?? (folder === null ? null : await mentionInCode(folder, signal));
  if (found === null) return null;
  return problem({
    code: 'input.worker-key-mode',
    op: 'check the job',
    subject: found.where,
    message: `${found.where} mentions ${found.word}, and in the mode ${choice.mode} the workers find no key file.`,
    hint: `If it needs one, write mode: key-file in workerKeys. Clients that find their credentials by themselves need none.`,
  });
}
